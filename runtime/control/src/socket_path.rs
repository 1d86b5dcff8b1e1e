//! Where the node of a data folder listens.

use std::path::{Path, PathBuf};

/// Bytes that the kernel has room for in a socket's path, its closing zero not counted.
pub const MAX_SOCKET_PATH: usize = 107;

/// The socket under its final name.
const NAME: &str = "trackside.sock";

/// Where the node of this data folder listens.
#[must_use]
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

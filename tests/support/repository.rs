//! Where things lie in this repository.

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("the crate lies two folders below the root").to_owned()
}

/// A committed component, such as `echo.wasm` or `testing/misbehave.wasm`.
pub fn component(name: &str) -> PathBuf {
    root().join("plugins/prebuilt").join(name)
}

/// An example's folder.
pub fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

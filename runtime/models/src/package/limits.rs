//! How much a package may be.

use trackside_spec::ByteSize;

/// Bounds of one version of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageLimits {
    /// Files, the manifest aside. Default: 256.
    pub files: usize,
    /// Bytes of all of them. Default: 2 GiB, which is what a model and its weights may have where they are read.
    pub bytes: ByteSize,
    /// Folders in each other. Default: 8.
    pub depth: usize,
    /// Bytes of the manifest. Default: 1 MiB.
    pub manifest: u64,
    /// Bytes of the signatures. Default: 8 MiB.
    pub signatures: u64,
}

impl Default for PackageLimits {
    fn default() -> Self {
        Self { files: 256, bytes: ByteSize::from_mib(2048), depth: 8, manifest: 1 << 20, signatures: 8 << 20 }
    }
}

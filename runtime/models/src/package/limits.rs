//! How much a package may be.

use trackside_spec::{ByteSize, config::ModelLimitsConfig};

use super::PackageError;

/// Bounds of one version of a model: keys of `[model_limits]` under their names there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageLimits {
    /// Files, the manifest aside. Default: 256.
    pub files: usize,
    /// Bytes of all of them. Default: 2 GiB.
    pub bytes: ByteSize,
    /// Folders in each other. Default: 8.
    pub depth: usize,
    /// Bytes of a file's path. Default: 155, which is what an archive of the oldest kind takes.
    pub path: usize,
    /// Bytes of the manifest. Default: 1 MiB.
    pub manifest: ByteSize,
    /// Bytes of the signatures. Default: 24 MiB, which is eight of the largest bundles, in base64.
    pub signatures: ByteSize,
}

impl PackageLimits {
    /// Those of a box.
    #[must_use]
    pub const fn of(config: &ModelLimitsConfig) -> Self {
        Self {
            files: config.files as usize,
            bytes: config.bytes,
            depth: config.depth as usize,
            path: config.path as usize,
            manifest: config.manifest,
            signatures: config.signatures,
        }
    }

    /// Whether signatures of so many bytes are taken.
    ///
    /// # Errors
    /// [`PackageError::TooMuch`] where they are not.
    pub fn check_signatures(&self, bytes: u64) -> Result<(), PackageError> {
        if bytes <= self.signatures.as_bytes() {
            return Ok(());
        }
        let (most, key) = (self.signatures, key("signatures"));
        Err(PackageError::TooMuch { what: format!("its signatures have {bytes} bytes; {most} are taken ({key})") })
    }

    /// The largest of everything: for what was taken once, whatever the limits were then.
    pub const MOST: Self = Self::of(&ModelLimitsConfig::MOST);
}

impl Default for PackageLimits {
    fn default() -> Self {
        Self::of(&ModelLimitsConfig::default())
    }
}

/// Where the limit stands, for messages.
pub(super) fn key(key: &str) -> String {
    format!("`{key}` in [model_limits]")
}

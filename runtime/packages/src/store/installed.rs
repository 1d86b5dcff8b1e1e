//! Reading what is installed.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use trackside_spec::Digest;

use super::lock::Source;
use crate::signature::Proof;

/// Largest receipt: a manifest of 1 MiB as base64, and a little.
const LARGEST: u64 = 2 << 20;

/// The folder of installed components: `DIGEST.wasm`, and `DIGEST.json` with what is known about it.
#[derive(Debug, Clone)]
pub struct Installed {
    folder: PathBuf,
}

/// What is known about a component besides its bytes. Nothing in it is trusted; signatures are checked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Where it came from.
    pub source: Source,
    /// The digest of its manifest in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// Its size in bytes.
    pub size: u64,
    /// What it calls its version.
    pub version: String,
    /// The signature that it was installed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

impl Installed {
    /// The folder below a node's data folder.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("plugins") }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a component lies.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.wasm", digest.hex()))
    }

    /// Where what is known about a component lies.
    #[must_use]
    pub fn receipt_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.json", digest.hex()))
    }

    /// Reads a component. Whether it has the digest of its name is the caller's to check: it may want to tell.
    ///
    /// # Errors
    /// What the system says; `NotFound` when it is not installed.
    pub fn read(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        let path = self.path(digest);
        let size = std::fs::metadata(&path)?.len();
        if size > crate::client::LIMIT {
            return Err(io::Error::other(format!("it has {size} bytes; the limit is {}", crate::client::LIMIT)));
        }
        std::fs::read(path)
    }

    /// What is known about a component; `None` when that is lost or damaged.
    #[must_use]
    pub fn receipt(&self, digest: &Digest) -> Option<Receipt> {
        let path = self.receipt_path(digest);
        if std::fs::metadata(&path).ok()?.len() > LARGEST {
            return None;
        }
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Whether a component is there with the digest of its name.
    #[must_use]
    pub fn is_whole(&self, digest: &Digest) -> bool {
        self.read(digest).is_ok_and(|bytes| Digest::of(&bytes) == *digest)
    }
}

//! What can go wrong while ONNX Runtime is installed.

use std::io;
use std::path::{Path, PathBuf};
use trackside_codes::{Code, Coded, Reason, code};

use trackside_spec::Digest;

use super::PINNED_VERSION;

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// There is no pinned wheel for this machine.
    #[error(
        "there is no pinned ONNX Runtime {PINNED_VERSION} for {system}: Linux with glibc on x86_64 or aarch64 is supported. Install a library yourself and set its path in trackside.toml"
    )]
    Unsupported {
        /// Operating system and processor.
        system: String,
    },
    /// Another installation is going on.
    #[error("another installation holds {}: wait for it to end", lock.display())]
    Busy {
        /// The lock file.
        lock: PathBuf,
    },
    /// Python or its pip could not be run.
    #[error("failed to run pip with {}: {reason}. Install Python 3 with pip, or carry the wheel {wheel} to this box and give it with --from", python.display())]
    Pip {
        /// The interpreter.
        python: PathBuf,
        /// The wheel that is wanted.
        wheel: String,
        /// The end of pip's own words.
        #[source]
        reason: Reason,
    },
    /// The bytes are not the pinned ones.
    #[error("{} is not the pinned file: its digest is {found}, {expected} is expected. It was damaged on the way or tampered with; nothing was installed", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// The wheel could not be unpacked.
    #[error("failed to unpack {}: {reason}", path.display())]
    Wheel {
        /// The wheel.
        path: PathBuf,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// The file system refused.
    #[error("failed to {action} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        #[source]
        reason: io::Error,
    },
}

impl InstallError {
    pub(super) fn io(action: &'static str, path: &Path, reason: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), reason }
    }
}

impl Coded for InstallError {
    fn code(&self) -> Code {
        match self {
            Self::Unsupported { .. } => code!("TS-0530"),
            Self::Busy { .. } => code!("TS-0531"),
            Self::Pip { .. } => code!("TS-0532"),
            Self::Digest { .. } => code!("TS-0533"),
            Self::Wheel { .. } => code!("TS-0534"),
            Self::Io { .. } => code!("TS-0535"),
        }
    }
}

//! What can be wrong with a package.

use std::{io, path::PathBuf};

use trackside_codes::{Code, Coded, code};
use trackside_spec::ByteSize;

/// Why a package is not taken, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// What was given is nothing to make a package of.
    #[error("[{code}] {} can not be taken as a model: {reason}", path.display(), code = self.code())]
    Given {
        /// What was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file has a name that no package takes.
    #[error("[{code}] the file {path:?} can not be a part of a model: {reason}", code = self.code())]
    Name {
        /// Its path in the package.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An archive that is none, or holds something else than a model.
    #[error(
        "[{code}] the archive can not be taken as a model: {reason}; `trackside model export` writes one that can",
        code = self.code()
    )]
    Archive {
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest that is none.
    #[error("[{code}] the manifest can not be used: {reason}", code = self.code())]
    Manifest {
        /// What is wrong with it.
        reason: String,
    },
    /// More than a package may be.
    #[error("[{code}] the model is more than the registry takes: {what}", code = self.code())]
    TooMuch {
        /// What there is too much of.
        what: String,
    },
    /// Files are not what the manifest says.
    #[error("[{code}] the model is not what its manifest says: {reason}", code = self.code())]
    Damaged {
        /// What differs.
        reason: String,
    },
    /// A `config.pbtxt` that can not be read.
    #[error("[{code}] {}, line {line}: {reason}", path.display(), code = self.code())]
    Triton {
        /// The file.
        path: PathBuf,
        /// Where in it.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The disk refuses.
    #[error("[{code}] cannot {action} {}: {source}", path.display(), code = self.code())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk has no room for it.
    #[error(
        "[{code}] there is no room for the model: it has {bytes}, the disk of the data folder has {free} free, and {keep_free} of \
         that stay free (`min_free` in [node]); make room there", code = self.code()
    )]
    NoRoom {
        /// What it needs.
        bytes: ByteSize,
        /// What there is.
        free: ByteSize,
        /// What stays free.
        keep_free: ByteSize,
    },
    /// Whoever sends the archive, or takes it, has gone.
    #[error("[{code}] the archive ended before it was over: {0}", code = self.code())]
    Cut(#[source] io::Error),
}

impl Coded for PackageError {
    fn code(&self) -> Code {
        match self {
            Self::Given { .. } | Self::Name { .. } | Self::Archive { .. } | Self::Manifest { .. } | Self::Cut(_) => {
                code!("TS-0555")
            }
            Self::TooMuch { .. } => code!("TS-0556"),
            Self::Damaged { .. } => code!("TS-0557"),
            Self::Triton { .. } => code!("TS-0561"),
            Self::Io { .. } => code!("TS-0562"),
            Self::NoRoom { .. } => code!("TS-0564"),
        }
    }
}

impl PackageError {
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

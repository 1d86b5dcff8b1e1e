//! Why a plugin can not be had.

use std::{path::PathBuf, sync::Arc};
use trackside_codes::{Code, Coded, Reason, code};

use tokio::task::JoinError;
use trackside_sandbox::{LoadError, SandboxError};

use trackside_packages::{KeyError, LockError};
use trackside_spec::Digest;

/// Why a plugin is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PluginProblem {
    /// No such plugin.
    #[error(
        "[{code}] there is no plugin `{name}`: looked in {lock}, for {}, and among the bundled ones ({}); install it with \
         `trackside plugin add`, put the component there, or correct the name{}", file.display(), names.join(", "),
        near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default(),
        code = self.code()
    )]
    Unknown {
        /// As in the workflow.
        name: String,
        /// Where it would lie.
        file: PathBuf,
        /// The lock file's name.
        lock: &'static str,
        /// What there is.
        names: Vec<&'static str>,
        /// The one that is most likely meant, installed ones and the project's own included.
        near: Option<String>,
    },
    /// Its file can not be read.
    #[error("[{code}] plugin `{name}`: cannot read {}: {reason}", file.display(), code = self.code())]
    Unreadable {
        /// As in the workflow.
        name: String,
        /// Where it lies.
        file: PathBuf,
        /// What the system said.
        #[source]
        reason: Reason,
    },
    /// The lock file names it, and it is not there.
    #[error(
        "[{code}] plugin `{name}` is in workflow.lock, but its component {digest} is not on this box; fetch it with \
         `trackside plugin sync`",
        code = self.code()
    )]
    NotInstalled {
        /// As in the workflow.
        name: String,
        /// What the lock file says.
        digest: Digest,
    },
    /// It is there, and is something else.
    #[error(
        "[{code}] plugin `{name}`: {} has the digest {found}, but workflow.lock says {wanted}: it was changed or damaged \
         and is not used; fetch it again with `trackside plugin sync`", file.display(),
        code = self.code()
    )]
    Changed {
        /// As in the workflow.
        name: String,
        /// Where it lies.
        file: PathBuf,
        /// The digest of what is there.
        found: Digest,
        /// What the lock file says.
        wanted: Digest,
    },
    /// The policy wants a signature.
    #[error(
        "[{code}] plugin `{name}` is not signed by a key of [plugins] keys: {reason}; sign it (`trackside plugin sign`), \
         add the signer's key, or set require_signature = false",
        code = self.code()
    )]
    Unsigned {
        /// As in the workflow.
        name: String,
        /// What there is instead.
        reason: String,
        /// The component.
        digest: Digest,
    },
    /// The lock file.
    #[error(transparent)]
    Lock(LockError),
    /// A reference that the lock file does not know.
    #[error(
        "[{code}] {reference} is not in workflow.lock, and a node fetches nothing by itself; run \
         `trackside plugin add {reference}`",
        code = self.code()
    )]
    NotLocked {
        /// As in the workflow.
        reference: String,
    },
    /// A key of the config.
    #[error(transparent)]
    Key(KeyError),
    /// It has more bytes than a component may have.
    #[error(
        "[{code}] {} has {size} bytes; the limit is {limit}: strip its debug sections, or split it", file.display(),
        code = self.code()
    )]
    TooLarge {
        /// Where it lies.
        file: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The sandbox refuses it.
    #[error(transparent)]
    Load(Arc<LoadError>),
    /// There is no sandbox.
    #[error("plugin `{name}` cannot be loaded: {source}")]
    NoSandbox {
        /// As in the workflow.
        name: String,
        /// Why.
        source: Arc<SandboxError>,
    },
    /// What loaded it broke.
    #[error("plugin `{name}` cannot be loaded: {source}")]
    Broke {
        /// As in the workflow.
        name: String,
        /// How.
        source: Arc<JoinError>,
    },
}

impl Coded for PluginProblem {
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => code!("TS-0601"),
            Self::Unreadable { .. } => code!("TS-0602"),
            Self::NotInstalled { .. } => code!("TS-0603"),
            Self::Changed { .. } => code!("TS-0604"),
            Self::Unsigned { .. } => code!("TS-0605"),
            Self::Lock(error) => error.code(),
            Self::NotLocked { .. } => code!("TS-0608"),
            Self::Key(error) => error.code(),
            Self::TooLarge { .. } => code!("TS-0310"),
            Self::Load(error) => error.code(),
            Self::NoSandbox { source, .. } => source.code(),
            Self::Broke { .. } => code!("TS-0720"),
        }
    }

    fn message(&self) -> String {
        match self {
            // The code stands before the reason, and not before the whole.
            Self::NoSandbox { name, source } => format!("plugin `{name}` cannot be loaded: {}", source.message()),
            _ => self.code().without(&self.to_string()).to_owned(),
        }
    }
}

impl PluginProblem {
    /// Whether the name means nothing any more. Everything else is a state that passes: a file that is being written, a
    /// component that is still to be fetched.
    pub(crate) fn is_removal(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::NotLocked { .. })
    }

    /// The component that it is about, where the message is about one.
    pub(crate) fn digest(&self) -> Option<Digest> {
        match self {
            Self::NotInstalled { digest, .. } | Self::Unsigned { digest, .. } => Some(*digest),
            Self::Changed { found, .. } => Some(*found),
            _ => None,
        }
    }
}

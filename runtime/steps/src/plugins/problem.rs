//! Why a plugin can not be had.

use std::path::PathBuf;

use trackside_packages::{KeyError, LockError};
use trackside_spec::Digest;

/// Why a plugin is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PluginProblem {
    /// No such plugin.
    #[error(
        "[TS-0601] there is no plugin `{name}`: looked in {lock}, for {}, and among the bundled ones ({}); install it with \
         `trackside plugin add`, put the component there, or correct the name{}", file.display(), names.join(", "),
        near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
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
    #[error("[TS-0602] plugin `{name}`: cannot read {}: {reason}", file.display())]
    Unreadable {
        /// As in the workflow.
        name: String,
        /// Where it lies.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The lock file names it, and it is not there.
    #[error(
        "[TS-0603] plugin `{name}` is in workflow.lock, but its component {digest} is not on this box; fetch it with \
         `trackside plugin sync`"
    )]
    NotInstalled {
        /// As in the workflow.
        name: String,
        /// What the lock file says.
        digest: Digest,
    },
    /// It is there, and is something else.
    #[error(
        "[TS-0604] plugin `{name}`: {} has the digest {found}, but workflow.lock says {wanted}: it was changed or damaged \
         and is not used; fetch it again with `trackside plugin sync`", file.display()
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
        "[TS-0605] plugin `{name}` is not signed by a key of [plugins] keys: {reason}; sign it (`trackside plugin sign`), \
         add the signer's key, or set require_signature = false"
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
        "[TS-0608] {reference} is not in workflow.lock, and a node fetches nothing by itself; run \
         `trackside plugin add {reference}`"
    )]
    NotLocked {
        /// As in the workflow.
        reference: String,
    },
    /// A key of the config.
    #[error(transparent)]
    Key(KeyError),
    /// The sandbox refuses it, or there is no sandbox.
    /// The sentence has a code of its own and names the plugin.
    #[error("{0}")]
    Refused(String),
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

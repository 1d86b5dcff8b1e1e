//! What can go wrong with a registry, and with changing what is installed.

use std::{io, path::PathBuf, time::Duration};
use trackside_codes::{Code, Coded, Reason, code};

use trackside_spec::Digest;

use crate::store::LockError;

/// Why a registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No connection.
    #[error("[{code}] cannot reach {host}: {reason}", code = self.code())]
    Connect {
        /// The host.
        host: String,
        /// The system's or the TLS library's words.
        #[source]
        reason: Reason,
    },
    /// It wants a user, or another one.
    #[error(
        "[{code}] {host} refuses {what}: {reason}; set `username` and `password_file` in [registries.\"{host}\"] of \
         trackside.toml, or give that user the right",
        code = self.code()
    )]
    Refused {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Its words.
        reason: String,
    },
    /// No such thing there.
    #[error("[{code}] {what} is not in {host}; correct the reference, or push it there first", code = self.code())]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// Another status than any that fits.
    #[error(
        "[{code}] {host} answers {status} to {what}{reason}; try again later, or ask whoever runs the registry",
        code = self.code()
    )]
    Status {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        what: String,
        /// Its words, with a colon before them.
        reason: String,
    },
    /// What it says is no answer of a registry.
    #[error(
        "[{code}] {host} gives an answer to {what} that no registry gives: {reason}; is it one?",
        code = self.code()
    )]
    Malformed {
        /// The host.
        host: String,
        /// What was asked for.
        what: String,
        /// What is wrong.
        #[source]
        reason: Reason,
    },
    /// Other bytes than were asked for.
    #[error(
        "[{code}] {what} from {host} is not what was asked for: its digest is {found}, not {wanted}; it was changed or \
         damaged on the way, nothing of it is kept",
        code = self.code()
    )]
    Digest {
        /// The registry.
        host: String,
        /// What.
        what: String,
        /// Of the bytes that came.
        found: Digest,
        /// Of the bytes that were asked for.
        wanted: Digest,
    },
    /// More bytes than are taken.
    #[error(
        "[{code}] {what} from {host} is larger than the limit of {limit} bytes; nothing of it is kept",
        code = self.code()
    )]
    TooLarge {
        /// The registry.
        host: String,
        /// What.
        what: String,
        /// In bytes.
        limit: u64,
    },
    /// A manifest of something else.
    #[error(
        "[{code}] {what} is no WebAssembly component: {reason}; a plugin is pushed with `trackside plugin push`, wkg or oras",
        code = self.code()
    )]
    NotAComponent {
        /// The reference.
        what: String,
        /// What it is instead.
        #[source]
        reason: Reason,
    },
    /// A manifest of something that is no model.
    #[error(
        "[{code}] {what} can not be taken for a model: {reason}; push the .onnx file and what belongs to it one by one, each under its \
         name: `oras push REFERENCE model.onnx weights.data`", code = self.code()
    )]
    NotAModel {
        /// The reference.
        what: String,
        /// What it is instead.
        #[source]
        reason: Reason,
    },
    /// What came can not be written down.
    #[error("[{code}] cannot write {path}: {source}; check permissions and space", path = path.display(), code = self.code())]
    Keep {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The settings of a registry do not work.
    #[error("[{code}] [registries.\"{host}\"]: {reason}", code = self.code())]
    Settings {
        /// The registry.
        host: String,
        /// What is wrong and what to do.
        #[source]
        reason: Reason,
    },
    /// It stopped talking.
    #[error("[{code}] {host} did not go on with {what} for {after:?}; try again later", code = self.code())]
    Timeout {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// It points to a place that is not followed to.
    #[error("[{code}] {host} redirects {what} to {target}, which is not followed: {reason}", code = self.code())]
    Redirect {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Where to.
        target: String,
        /// Why not.
        reason: &'static str,
    },
}

impl Coded for RegistryError {
    fn code(&self) -> Code {
        match self {
            Self::Connect { .. } => code!("TS-0642"),
            Self::Refused { .. } => code!("TS-0643"),
            Self::NotFound { .. } => code!("TS-0644"),
            Self::Status { .. } => code!("TS-0645"),
            Self::Malformed { .. } => code!("TS-0646"),
            Self::Digest { .. } => code!("TS-0647"),
            Self::TooLarge { .. } => code!("TS-0648"),
            Self::NotAComponent { .. } => code!("TS-0649"),
            Self::NotAModel { .. } => code!("TS-0596"),
            Self::Keep { .. } => code!("TS-0654"),
            Self::Settings { .. } => code!("TS-0650"),
            Self::Timeout { .. } => code!("TS-0651"),
            Self::Redirect { .. } => code!("TS-0652"),
        }
    }
}

/// Why what is installed was not changed. It is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The lock file.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another command is at it.
    #[error(
        "[{code}] another `trackside plugin` command is changing the plugins of this project; wait for its end",
        code = self.code()
    )]
    Busy,
    /// A file or folder.
    #[error(
        "[{code}] cannot {doing} {path}: {source}; check permissions and space", path = path.display(),
        code = self.code()
    )]
    Io {
        /// What was to be done with it.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Nothing of this name.
    #[error("[{code}] no plugin `{name}` is installed: workflow.lock has {known}", code = self.code())]
    Unknown {
        /// The name.
        name: String,
        /// What there is, in words.
        known: String,
    },
    /// Nothing to go back to.
    #[error(
        "[{code}] there is no earlier version of `{name}` to go back to; install one with `trackside plugin add`",
        code = self.code()
    )]
    NoEarlier {
        /// The name.
        name: String,
    },
    /// It was there once.
    #[error(
        "[{code}] the earlier version {digest} of `{name}` is not on this box any more; install it with \
         `trackside plugin add REFERENCE@DIGEST --name {name}`",
        code = self.code()
    )]
    Gone {
        /// The name.
        name: String,
        /// What would have been gone back to.
        digest: Digest,
    },
    /// No name for a plugin.
    #[error(
        "[{code}] `{name}` can not be a plugin's name: lower-case letters, digits and `-`; choose one with --name",
        code = self.code()
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Other bytes than the lock says.
    #[error(
        "[{code}] {source_text} has the digest {found}, but workflow.lock says {wanted}; {remedy}",
        code = self.code()
    )]
    Differs {
        /// Where they came from.
        source_text: String,
        /// Theirs.
        found: Digest,
        /// The lock's.
        wanted: Digest,
        /// What to do.
        remedy: &'static str,
    },
}

impl Coded for InstallError {
    fn code(&self) -> Code {
        match self {
            Self::Lock(error) => error.code(),
            Self::Busy => code!("TS-0653"),
            Self::Io { .. } => code!("TS-0654"),
            Self::Unknown { .. } => code!("TS-0655"),
            Self::NoEarlier { .. } => code!("TS-0656"),
            Self::Gone { .. } => code!("TS-0657"),
            Self::Name { .. } => code!("TS-0658"),
            Self::Differs { .. } => code!("TS-0659"),
        }
    }
}

impl InstallError {
    /// For a failed system call.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}

/// What a stranger said, fit for one line of a message.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

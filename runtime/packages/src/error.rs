//! What can go wrong with a registry, and with changing what is installed.

use std::{io, path::PathBuf, time::Duration};

use trackside_spec::Digest;

use crate::store::LockError;

/// Why a registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No connection.
    #[error("[TS-0642] cannot reach {host}: {reason}")]
    Connect {
        /// The host.
        host: String,
        /// The system's or the TLS library's words.
        reason: String,
    },
    /// It wants a user, or another one.
    #[error(
        "[TS-0643] {host} refuses {what}: {reason}; set `username` and `password_file` in [registries.\"{host}\"] of \
         trackside.toml, or give that user the right"
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
    #[error("[TS-0644] {what} is not in {host}; correct the reference, or push it there first")]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// Another status than any that fits.
    #[error("[TS-0645] {host} answers {status} to {what}{reason}; try again later, or ask whoever runs the registry")]
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
    #[error("[TS-0646] {host} gives an answer to {what} that no registry gives: {reason}; is it one?")]
    Malformed {
        /// The host.
        host: String,
        /// What was asked for.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Other bytes than were asked for.
    #[error(
        "[TS-0647] {what} from {host} is not what was asked for: its digest is {found}, not {wanted}; it was changed or \
         damaged on the way, nothing of it is kept"
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
    #[error("[TS-0648] {what} from {host} is larger than the limit of {limit} bytes; nothing of it is kept")]
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
        "[TS-0649] {what} is no WebAssembly component: {reason}; a plugin is pushed with `trackside plugin push`, wkg or oras"
    )]
    NotAComponent {
        /// The reference.
        what: String,
        /// What it is instead.
        reason: String,
    },
    /// The settings of a registry do not work.
    #[error("[TS-0650] [registries.\"{host}\"]: {reason}")]
    Settings {
        /// The registry.
        host: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// It stopped talking.
    #[error("[TS-0651] {host} did not go on with {what} for {after:?}; try again later")]
    Timeout {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// It points to a place that is not followed to.
    #[error("[TS-0652] {host} redirects {what} to {target}, which is not followed: {reason}")]
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

/// Why what is installed was not changed. It is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The lock file.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another command is at it.
    #[error("[TS-0653] another `trackside plugin` command is changing the plugins of this project; wait for its end")]
    Busy,
    /// A file or folder.
    #[error("[TS-0654] cannot {doing} {path}: {source}; check permissions and space", path = path.display())]
    Io {
        /// What was to be done with it.
        doing: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Nothing of this name.
    #[error("[TS-0655] no plugin `{name}` is installed: workflow.lock has {known}")]
    Unknown {
        /// The name.
        name: String,
        /// What there is, in words.
        known: String,
    },
    /// Nothing to go back to.
    #[error("[TS-0656] there is no earlier version of `{name}` to go back to; install one with `trackside plugin add`")]
    NoEarlier {
        /// The name.
        name: String,
    },
    /// It was there once.
    #[error(
        "[TS-0657] the earlier version {digest} of `{name}` is not on this box any more; install it with \
         `trackside plugin add REFERENCE@DIGEST --name {name}`"
    )]
    Gone {
        /// The name.
        name: String,
        /// What would have been gone back to.
        digest: Digest,
    },
    /// No name for a plugin.
    #[error(
        "[TS-0658] `{name}` can not be a plugin's name: lower-case letters, digits and `-`; choose one with --name"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// Other bytes than the lock says.
    #[error("[TS-0659] {source_text} has the digest {found}, but workflow.lock says {wanted}; {remedy}")]
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

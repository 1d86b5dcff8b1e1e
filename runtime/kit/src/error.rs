//! What can go wrong in an author's project.

use std::path::PathBuf;
use trackside_codes::{Code, Coded, Reason, code};

use trackside_spec::SpecError;

/// Why an author's command did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The folder is no plugin project.
    #[error(
        "[{code}] {} is no plugin project: there is no {}; go to one, or make one with `trackside plugin new NAME --lang rust`",
        folder.display(), crate::MANIFEST,
        code = self.code()
    )]
    NoProject {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// `plugin.toml` or a case file is wrong.
    #[error("{0}")]
    Spec(#[from] SpecError),
    /// A name that no plugin may have.
    #[error(
        "[{code}] `{name}` is no name for a plugin: 1 to 64 lower-case letters, digits and dashes, a letter first",
        code = self.code()
    )]
    BadName {
        /// As given.
        name: String,
    },
    /// There is something already.
    #[error(
        "[{code}] {} is there already and not empty; choose another folder, or remove it", folder.display(),
        code = self.code()
    )]
    Exists {
        /// Where the project was to go.
        folder: PathBuf,
    },
    /// A file or folder can not be read or written.
    #[error("[{code}] {what} {}: {source}", path.display(), code = self.code())]
    Io {
        /// What was tried: "cannot read".
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The build command can not be started.
    #[error(
        "[{code}] cannot start `{command}`: {source}; README.md of the project says how to install it",
        code = self.code()
    )]
    NoTool {
        /// The command's first word.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The build command failed.
    #[error("[{code}] `{command}` ended with {status}; its own messages are above", code = self.code())]
    BuildFailed {
        /// The command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// What the build made is no plugin.
    #[error("[{code}] {} {reason}", file.display(), code = self.code())]
    NoPlugin {
        /// The file.
        file: PathBuf,
        /// Why, and what to do.
        #[source]
        reason: Reason,
    },
    /// A case can not be run.
    #[error("[{code}] case {}: {reason}", file.display(), code = self.code())]
    BadCase {
        /// The case file.
        file: PathBuf,
        /// Why.
        #[source]
        reason: Reason,
    },
}

impl Coded for KitError {
    fn code(&self) -> Code {
        match self {
            Self::NoProject { .. } => code!("TS-0901"),
            Self::Spec(error) => error.code(),
            Self::BadName { .. } => code!("TS-0902"),
            Self::Exists { .. } => code!("TS-0903"),
            Self::Io { .. } => code!("TS-0904"),
            Self::NoTool { .. } => code!("TS-0905"),
            Self::BuildFailed { .. } => code!("TS-0906"),
            Self::NoPlugin { .. } => code!("TS-0907"),
            Self::BadCase { .. } => code!("TS-0908"),
        }
    }
}

impl KitError {
    /// For `map_err`.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

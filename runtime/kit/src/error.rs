//! What can go wrong in an author's project.

use std::path::PathBuf;

use trackside_spec::SpecError;

/// Why an author's command did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The folder is no plugin project.
    #[error(
        "[TS-0901] {} is no plugin project: there is no {}; go to one, or make one with `trackside plugin new NAME --lang rust`",
        folder.display(), crate::MANIFEST
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
        "[TS-0902] `{name}` is no name for a plugin: 1 to 64 lower-case letters, digits and dashes, a letter first"
    )]
    BadName {
        /// As given.
        name: String,
    },
    /// There is something already.
    #[error("[TS-0903] {} is there already and not empty; choose another folder, or remove it", folder.display())]
    Exists {
        /// Where the project was to go.
        folder: PathBuf,
    },
    /// A file or folder can not be read or written.
    #[error("[TS-0904] {what} {}: {source}", path.display())]
    Io {
        /// What was tried: "cannot read".
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The build command can not be started.
    #[error("[TS-0905] cannot start `{command}`: {source}; README.md of the project says how to install it")]
    NoTool {
        /// The command's first word.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The build command failed.
    #[error("[TS-0906] `{command}` ended with {status}; its own messages are above")]
    BuildFailed {
        /// The command.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// What the build made is no plugin.
    #[error("[TS-0907] {} {reason}", file.display())]
    NoPlugin {
        /// The file.
        file: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A case can not be run.
    #[error("[TS-0908] case {}: {reason}", file.display())]
    BadCase {
        /// The case file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

impl KitError {
    /// For `map_err`.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

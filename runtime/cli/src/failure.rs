//! How a command can end, and the exit code of each.

use std::{io, process::ExitCode};

use trackside_control::{ClientError, ControlError, DecideError, FollowError, OperationError, QueryError, StartError};
use trackside_kit::KitError;
use trackside_models::{ModelError, install};
use trackside_node::{ModelProblem, NodeError, PluginProblem, ProjectError};
use trackside_packages::{InstallError, KeyError, RegistryError};
use trackside_server::ServerError;
use trackside_store::StoreError;

/// The exit codes. They are part of the interface: scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: it was done, and the answer is bad: the run failed, problems or damage were found.
    Bad,
    /// 2: the command line is wrong: an unknown flag, or a name of something that there is not.
    Usage,
    /// 3: it can not be done here: the data folder is in use, there is no project, an engine is missing.
    Unable,
    /// 130: somebody interrupted it.
    Interrupted,
}

/// The section of the help that documents them.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  done, and the answer is bad: the run failed, `check` found problems, `verify` found damage
    2  the command line is wrong: an unknown flag, or the name of something that does not exist
    3  it cannot be done here: no such project, the data folder is in use, an engine is missing
  130  interrupted (Ctrl-C)";

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Self::Bad => 1,
            Self::Usage => 2,
            Self::Unable => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not end with 0.
#[derive(Debug)]
pub enum Failure {
    /// With this code, after this has been said; nothing more when it is empty.
    Ended(Exit, String),
    /// Whoever read the output has gone: no reason to complain.
    BrokenPipe,
}

impl Failure {
    /// It was done, and the answer, which has been printed, is bad.
    pub const fn bad() -> Self {
        Self::Ended(Exit::Bad, String::new())
    }

    /// The command line is wrong.
    pub fn usage(message: impl ToString) -> Self {
        Self::Ended(Exit::Usage, message.to_string())
    }

    /// It can not be done here.
    pub fn unable(message: impl ToString) -> Self {
        Self::Ended(Exit::Unable, message.to_string())
    }

    /// Writing data to standard output failed.
    pub fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::unable(format!("[TS-0801] cannot write to standard output: {error}; is the disk full?"))
    }
}

macro_rules! unable {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::unable(error)
            }
        }
    )+};
}

unable!(StoreError, NodeError, ServerError, FollowError, ProjectError, KeyError);

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Busy | StartError::Node(_) => Self::unable(error),
            _ => Self::usage(error),
        }
    }
}

impl From<DecideError> for Failure {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Store(_) | DecideError::Node(_) => Self::unable(error),
            _ => Self::usage(error),
        }
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Busy
            | ControlError::RulesUnknown { .. }
            | ControlError::Unreadable { .. }
            | ControlError::Store(_)
            | ControlError::Node(_) => Self::unable(error),
            _ => Self::usage(error),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused(refusal) if (400..500).contains(&refusal.status) => Self::usage(error),
            _ => Self::unable(error),
        }
    }
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Start(error) => error.into(),
            OperationError::Control(error) => error.into(),
            OperationError::Decide(error) => error.into(),
            OperationError::Follow(error) => error.into(),
            OperationError::Node(error) => error.into(),
            OperationError::Client(error) => error.into(),
            OperationError::NoNode(_) => Self::unable(error),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Client(error) => error.into(),
            error if error.is_of_asker() => Self::usage(error),
            error => Self::unable(error),
        }
    }
}

impl From<KitError> for Failure {
    fn from(error: KitError) -> Self {
        match error {
            KitError::BadName { .. } | KitError::Exists { .. } | KitError::NoProject { .. } => Self::usage(error),
            KitError::Io { .. } | KitError::NoTool { .. } => Self::unable(error),
            _ => Self::Ended(Exit::Bad, error.to_string()),
        }
    }
}

impl From<PluginProblem> for Failure {
    fn from(error: PluginProblem) -> Self {
        match error {
            PluginProblem::Unknown { .. } | PluginProblem::NotLocked { .. } => Self::usage(error),
            PluginProblem::Unsigned { .. } | PluginProblem::Changed { .. } => Self::Ended(Exit::Bad, error.to_string()),
            _ => Self::unable(error),
        }
    }
}

impl From<ModelProblem> for Failure {
    fn from(error: ModelProblem) -> Self {
        match error {
            ModelProblem::Unknown { .. } => Self::usage(error),
            ModelProblem::Load(_) => Self::unable(error),
        }
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let text = format!("[{}] {error}", error.code());
        match error {
            ModelError::Input { .. } | ModelError::Output { .. } => Self::usage(text),
            ModelError::Timeout { .. } | ModelError::Run { .. } => Self::Ended(Exit::Bad, text),
            _ => Self::unable(text),
        }
    }
}

impl From<install::InstallError> for Failure {
    fn from(error: install::InstallError) -> Self {
        Self::unable(format!("[{}] {error}", error.code()))
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::NotFound { .. } => Self::usage(error),
            RegistryError::Digest { .. } | RegistryError::NotAComponent { .. } => {
                Self::Ended(Exit::Bad, error.to_string())
            }
            _ => Self::unable(error),
        }
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        match error {
            InstallError::Unknown { .. } | InstallError::NoEarlier { .. } | InstallError::Name { .. } => {
                Self::usage(error)
            }
            InstallError::Differs { .. } | InstallError::Gone { .. } => Self::Ended(Exit::Bad, error.to_string()),
            _ => Self::unable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_documented_ones() {
        for exit in [Exit::Bad, Exit::Usage, Exit::Unable, Exit::Interrupted] {
            let documented =
                EXIT_CODES.lines().any(|line| line.trim_start().starts_with(&format!("{}  ", exit.code())));
            assert!(documented, "{exit:?}");
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(matches!(Failure::output(&gone), Failure::BrokenPipe));
        assert!(matches!(Failure::output(&io::Error::other("full")), Failure::Ended(Exit::Unable, _)));
    }
}

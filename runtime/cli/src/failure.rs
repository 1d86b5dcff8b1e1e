//! How a command can end, and the exit code of each.

use std::{io, process::ExitCode};

use trackside_codes::{Class, Code, Coded, code};
use trackside_control::{
    AccuracyError, ClientError, ControlError, DecideError, FollowError, ModelsError, NoNode, OperationError,
    QueryError, SampleError, StartError,
};
use trackside_kit::KitError;
use trackside_models::{ModelError, install, tensor_io::TensorIoError};
use trackside_node::{ModelProblem, NodeError, PluginProblem, ProjectError};
use trackside_packages::{InstallError, KeyError, KeyFault, RegistryError};
use trackside_sandbox::SandboxError;
use trackside_server::ServerError;
use trackside_spec::{ModelRefError, ReferenceError};
use trackside_store::StoreError;

use crate::message::Message;

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

/// Codes whose exit is older than their class: scripts rely on it.
const OLDER: [(Code, Exit); 5] = [
    // The store can not be used here, whatever the reason.
    (code!("TS-0205"), Exit::Unable),
    // What is to be used is there, and is not good.
    (code!("TS-0605"), Exit::Bad),
    (code!("TS-0649"), Exit::Bad),
    (code!("TS-0657"), Exit::Bad),
    // The folder is the trouble, not the command line.
    (code!("TS-0821"), Exit::Unable),
];

impl From<Class> for Exit {
    fn from(class: Class) -> Self {
        match class {
            Class::BadInput
            | Class::NotFound
            | Class::Conflict
            | Class::Denied
            | Class::Unauthenticated
            | Class::UnsupportedType
            | Class::TooLarge
            | Class::TooSlow
            | Class::TooMany => Self::Usage,
            Class::BadFile | Class::Damaged | Class::Failed | Class::Warning => Self::Bad,
            Class::Busy | Class::Unavailable | Class::Setup | Class::Unusable | Class::Disk | Class::Bug => {
                Self::Unable
            }
        }
    }
}

impl Exit {
    /// The exit of a code, whose class may be that of its error.
    fn of(code: Code, class: Class) -> Self {
        OLDER.iter().find(|(older, _)| *older == code).map_or_else(|| class.into(), |(_, exit)| *exit)
    }
}

/// Why a command did not end with 0.
#[derive(Debug)]
pub enum Failure {
    /// With this exit code, after this has been said; nothing more when it is empty.
    Ended(Exit, Message),
    /// Whoever read the output has gone: no reason to complain.
    BrokenPipe,
}

impl Failure {
    /// It was done, and the answer, which has been printed, is bad.
    pub fn bad() -> Self {
        Self::Ended(Exit::Bad, Message::default())
    }

    /// With the exit that goes with the code.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self::ended(Exit::of(code, code.class()), code, text)
    }

    /// With an exit that depends on what was asked for.
    pub fn ended(exit: Exit, code: Code, text: impl Into<String>) -> Self {
        Self::Ended(exit, Message::coded(code, text))
    }

    /// By an error.
    pub fn of(error: &(impl Coded + ?Sized)) -> Self {
        Self::ended_by(Exit::of(error.code(), error.class()), error)
    }

    /// By an error, with an exit that depends on what was asked for.
    pub fn ended_by(exit: Exit, error: &(impl Coded + ?Sized)) -> Self {
        Self::Ended(exit, Message::of(error))
    }

    /// Writing data to standard output failed.
    pub fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::new(code!("TS-0801"), format!("cannot write to standard output: {error}; is the disk full?"))
    }
}

macro_rules! by_code {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        }
    )+};
}

by_code!(
    SampleError,
    AccuracyError,
    ClientError,
    ControlError,
    DecideError,
    FollowError,
    InstallError,
    KeyError,
    KeyFault,
    trackside_packages::oms::OmsError,
    KitError,
    ModelError,
    ModelProblem,
    ModelsError,
    NoNode,
    OperationError,
    PluginProblem,
    QueryError,
    ModelRefError,
    ReferenceError,
    RegistryError,
    trackside_control::RolloutsError,
    SandboxError,
    ServerError,
    StartError,
    StoreError,
    TensorIoError,
    install::InstallError,
);

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        // Without its config a project can not be used, whatever is wrong with the file.
        Self::ended_by(Exit::Unable, &error)
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Project(error) => error.into(),
            error => Self::of(&error),
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

    #[test]
    fn codes_have_the_exits_that_scripts_rely_on() {
        let all: [(Exit, &[&str]); 3] = [
            (Exit::Bad, &["TS-0102", "TS-0512", "TS-0514", "TS-0604", "TS-0605", "TS-0647", "TS-0649", "TS-0657"]),
            (
                Exit::Usage,
                &[
                    "TS-0510", "TS-0511", "TS-0601", "TS-0608", "TS-0611", "TS-0644", "TS-0655", "TS-0656", "TS-0658",
                    "TS-0711", "TS-0712", "TS-0713", "TS-0715", "TS-0716", "TS-0722", "TS-0723", "TS-0724", "TS-0725",
                    "TS-0727", "TS-0728", "TS-0734", "TS-0735", "TS-0736", "TS-0811", "TS-0812", "TS-0813", "TS-0814",
                    "TS-0815", "TS-0816", "TS-0817", "TS-0819", "TS-0881", "TS-0901", "TS-0902", "TS-0903",
                ],
            ),
            (
                Exit::Unable,
                &[
                    "TS-0201", "TS-0202", "TS-0203", "TS-0204", "TS-0205", "TS-0206", "TS-0207", "TS-0209", "TS-0301",
                    "TS-0311", "TS-0501", "TS-0502", "TS-0504", "TS-0506", "TS-0508", "TS-0530", "TS-0531", "TS-0532",
                    "TS-0533", "TS-0534", "TS-0535", "TS-0602", "TS-0603", "TS-0607", "TS-0609", "TS-0621", "TS-0622",
                    "TS-0631", "TS-0632", "TS-0642", "TS-0643", "TS-0645", "TS-0646", "TS-0648", "TS-0650", "TS-0651",
                    "TS-0652", "TS-0653", "TS-0654", "TS-0701", "TS-0704", "TS-0714", "TS-0717", "TS-0720", "TS-0726",
                    "TS-0731", "TS-0732", "TS-0733", "TS-0740", "TS-0809", "TS-0820", "TS-0835", "TS-0836", "TS-0851",
                    "TS-0904", "TS-0905",
                ],
            ),
        ];
        for (exit, codes) in all {
            for code in codes {
                let code = Code::parse(code).unwrap();
                assert_eq!(Exit::of(code, code.class()), exit, "{code}");
            }
        }
    }
}

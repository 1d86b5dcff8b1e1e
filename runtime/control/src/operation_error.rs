//! Why an operation was not done, whichever form it took.

use trackside_codes::{Class, Code, Coded, code};
use trackside_node::NodeError;
use trackside_store::StoreError;

use crate::{
    ClientError, ControlError, DecideError, FollowError, ModelsError, NoNode, RolloutsError, SampleError, StartError,
};

/// Why an operation of [`Control`](crate::Control) was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// A run was not started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A run or a trigger was left as it is.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A decision was not taken.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// A run can not be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The node of this process.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The node of another process said no, or was lost.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The registry of models was left as it is.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// A rollout was not begun, or left as it is.
    #[error(transparent)]
    Rollouts(Box<RolloutsError>),
    /// Samples were left as they are.
    #[error(transparent)]
    Samples(#[from] SampleError),
    /// There is no node to ask.
    #[error(transparent)]
    NoNode(#[from] NoNode),
}

impl OperationError {
    fn inner(&self) -> &dyn Coded {
        match self {
            Self::Start(error) => error,
            Self::Control(error) => error,
            Self::Decide(error) => error,
            Self::Follow(error) => error,
            Self::Node(error) => error,
            Self::Client(error) => error,
            Self::Models(error) => error,
            Self::Rollouts(error) => &**error,
            Self::Samples(error) => error,
            Self::NoNode(error) => error,
        }
    }
}

impl Coded for OperationError {
    fn code(&self) -> Code {
        self.inner().code()
    }

    fn class(&self) -> Class {
        self.inner().class()
    }

    fn has_places(&self) -> bool {
        self.inner().has_places()
    }
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        Self::Node(error.into())
    }
}

impl OperationError {
    /// Whether the time of a schedule has had its run.
    #[must_use]
    pub fn is_done_before(&self) -> bool {
        self.code() == code!("TS-0728")
    }
}

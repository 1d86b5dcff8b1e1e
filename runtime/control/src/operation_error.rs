//! Why an operation was not done, whichever form it took.

use trackside_node::NodeError;
use trackside_store::StoreError;

use crate::{ClientError, ControlError, DecideError, FollowError, StartError};

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
    /// There is no node to ask: TS-0835, or TS-0836 where something holds the data folder and does not answer.
    #[error("{0}")]
    NoNode(String),
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        Self::Node(error.into())
    }
}

impl OperationError {
    /// Whether the time of a schedule has had its run: TS-0728.
    #[must_use]
    pub fn is_done_before(&self) -> bool {
        match self {
            Self::Start(StartError::Done { .. }) => true,
            Self::Client(ClientError::Refused(refusal)) => refusal.code == "TS-0728",
            _ => false,
        }
    }
}

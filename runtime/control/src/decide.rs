//! The one way in which an approval is decided, over the socket or in process.

use trackside_codes::{Code, Coded, code};
use trackside_engine::{DecisionRefused, RunId};
use trackside_node::{Handle, NodeError, RunHead};
use trackside_spec::StepIndex;
use trackside_store::StoreError;

use crate::wire::{Decided, Decision};

/// Why a decision is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// There is no such run.
    #[error("[{code}] there is no run {0}; `trackside runs list` prints the ids", code = self.code())]
    NoRun(RunId),
    /// The run has ended.
    #[error("[{code}] run {0} has ended already; there is nothing to decide", code = self.code())]
    Over(RunId),
    /// The run has no such step.
    #[error(
        "[{code}] run {run} has no step {step:?}; `trackside runs show {run}` prints what waits",
        code = self.code()
    )]
    NoStep {
        /// The run.
        run: RunId,
        /// What was asked for.
        step: String,
    },
    /// Nobody asked.
    #[error("[{code}] {0}; `trackside runs list --waiting` prints what waits", code = self.code())]
    NotAsked(DecisionRefused),
    /// Somebody else must decide.
    #[error("[{code}] {0}", code = self.code())]
    NotAllowed(DecisionRefused),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is going down.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Coded for DecideError {
    fn code(&self) -> Code {
        match self {
            Self::NoRun(_) => code!("TS-0715"),
            Self::Over(_) => code!("TS-0716"),
            Self::NoStep { .. } => code!("TS-0734"),
            Self::NotAsked(_) => code!("TS-0735"),
            Self::NotAllowed(_) => code!("TS-0736"),
            Self::Store(error) => error.code(),
            Self::Node(error) => error.code(),
        }
    }
}

/// Decides about a step in somebody's name. When this returns, the decision is on disk.
///
/// # Errors
/// Any [`DecideError`].
pub async fn decide(
    handle: &Handle,
    run: RunId,
    step: &str,
    by: &str,
    decision: &Decision,
) -> Result<Decided, DecideError> {
    let readers = handle.readers().clone();
    let looked = tokio::task::spawn_blocking(move || readers.with(|reader| RunHead::open(reader, run)));
    let looked = looked.await.map_err(|_| NodeError::Closed)??;
    let Some(RunHead { row, plan }) = looked else { return Err(DecideError::NoRun(run)) };
    if row.ended_ms.is_some() {
        return Err(DecideError::Over(run));
    }
    // The definition that the run started with: its steps have the numbers that the run knows.
    let place = plan.ok().and_then(|plan| plan.steps.iter().position(|known| known.id == step));
    let Some(index) = place.and_then(|place| u16::try_from(place).ok()).map(StepIndex) else {
        return Err(DecideError::NoStep { run, step: step.chars().take(80).collect() });
    };
    match handle.decide(run, index, by, decision.approve, &decision.comment).await? {
        Some(Ok(())) => Ok(Decided { run, step: step.to_owned(), approved: decision.approve, by: by.to_owned() }),
        Some(Err(error @ DecisionRefused::NotAllowed { .. })) => Err(DecideError::NotAllowed(error)),
        Some(Err(error)) => Err(DecideError::NotAsked(error)),
        None => Err(DecideError::Over(run)),
    }
}

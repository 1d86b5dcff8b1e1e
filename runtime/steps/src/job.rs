//! What executors are handed and what they hand back. They own no state, and neither does anything here.

use std::sync::Arc;

use serde_json::Value;
use trackside_engine::{Outcome, RunId, StepError};
use trackside_facts::{AttemptReport, ContractReport, TriggerDocument};
use trackside_spec::{Digest, Plan, StepIndex};
use trackside_store::Hold;

use crate::labels::Label;

/// Run, step, item: of these one attempt is under way at a time.
pub type AttemptKey = (RunId, StepIndex, Option<u32>);

/// What an executor tells whoever handed it the job.
pub enum Report {
    /// The inputs of the step fit its contracts: what is it given now?
    Checked(Box<Checked>),
    /// The attempt has ended.
    Done(Box<StepResult>),
}

/// The inputs of a step fit its contracts, as far as they must.
pub struct Checked {
    /// Whose.
    pub run: RunId,
    /// Which step.
    pub step: StepIndex,
    /// Which item of a step with `foreach`.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// What passed.
    pub passed: Passed,
    /// Called once with what the attempt is given. Not for a step that is another run: the core starts that itself.
    pub reply: GivenReply,
}

/// Called once with what an attempt is given: its input, and what a WASI command is called with.
pub type GivenReply = Box<dyn FnOnce(Result<(Value, Option<Value>), StepError>) + Send>;

/// The inputs of a step after the check.
#[derive(Debug, Default)]
pub struct Passed {
    /// `requires` as expressions see it: contract name to the input as it passed.
    pub requires: Value,
    /// What does not fit and does not block the step, nothing when all fits.
    pub report: Vec<ContractReport>,
    /// Artifacts that the split of a table made.
    pub artifacts: Vec<Digest>,
    /// What keeps them until an entry names them.
    pub hold: Option<Hold>,
    /// JSON lines for the step's log.
    pub logs: String,
}

/// One attempt of one step, ready to run.
#[derive(Debug)]
pub struct StepJob {
    /// Whose.
    pub run: RunId,
    /// The definition that the run started with.
    pub plan: Arc<Plan>,
    /// Which step.
    pub step: StepIndex,
    /// Which item of a step with `foreach`.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// The inputs of the step's contracts, while they have not been checked. `input` and `command` are asked for
    /// afterwards, by [`Report::Checked`].
    pub contracts: Option<Vec<Value>>,
    /// The step's `with` or `inputs`, evaluated.
    pub input: Value,
    /// What a WASI command is called with, evaluated.
    pub command: Option<Value>,
    /// The run's `trigger` document.
    pub trigger: Arc<TriggerDocument>,
    /// The time that the run is about.
    pub logical_time_ms: i64,
}

impl StepJob {
    /// Which slot it is for.
    #[must_use]
    pub const fn key(&self) -> AttemptKey {
        (self.run, self.step, self.item)
    }
}

/// How an attempt ended, with what it staged.
#[derive(Debug)]
pub struct StepResult {
    /// Whose.
    pub run: RunId,
    /// Which step.
    pub step: StepIndex,
    /// Which item of a step with `foreach`.
    pub item: Option<u32>,
    /// Which attempt.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Usage and versions, for the journal.
    pub report: Option<Box<AttemptReport>>,
    /// Artifacts to flush before the result commits.
    pub artifacts: Vec<Digest>,
    /// Becomes visible with the result.
    pub state: Vec<StateChange>,
    /// What would have been right for predictions: on disk with the result.
    pub labels: Vec<Label>,
    /// Carried out after the result is on disk.
    pub outbox: Vec<OutboxItem>,
    /// JSON lines; empty when the attempt logged nothing.
    pub logs: String,
    /// What becomes of the store of kept results.
    pub kept: Option<KeptResult>,
    /// What keeps the artifacts of the attempt until an entry names them.
    pub hold: Option<Hold>,
}

impl StepResult {
    /// Of an attempt that failed and staged nothing.
    #[must_use]
    pub fn failed((run, step, item): AttemptKey, attempt: u32, error: StepError) -> Self {
        Self {
            run,
            step,
            item,
            attempt,
            outcome: Outcome::Failed(error),
            report: None,
            artifacts: Vec::new(),
            state: Vec::new(),
            labels: Vec::new(),
            outbox: Vec::new(),
            logs: String::new(),
            kept: None,
            hold: None,
        }
    }

    /// Of this attempt, with nothing staged.
    #[must_use]
    pub fn of(job: &StepJob, outcome: Outcome) -> Self {
        let nothing = StepError::fatal("internal-error", String::new());
        Self { outcome, ..Self::failed(job.key(), job.attempt, nothing) }
    }
}

/// What an attempt is to the store of kept results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptResult {
    /// A kept one stood for it.
    Used {
        /// Digest of everything that made it.
        key: Digest,
    },
    /// It may stand for later ones.
    New {
        /// Digest of everything that made it.
        key: Digest,
        /// The output as JSON.
        output: String,
        /// Artifacts in it.
        artifacts: Vec<Digest>,
    },
}

/// One staged change of a plugin's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// A step id, or empty for the workflow's own.
    pub scope: String,
    /// Which entry.
    pub key: String,
    /// The new value; none removes it.
    pub value: Option<Vec<u8>>,
    /// Milliseconds from now until it lapses.
    pub ttl_ms: Option<u64>,
}

/// One staged effect, as the carrier understands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// JSON.
    pub body: String,
}

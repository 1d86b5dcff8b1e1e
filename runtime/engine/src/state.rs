//! The state of a run: the fold of its events.

use std::sync::Arc;

use serde_json::{Map, Value};
use trackside_facts::TriggerDocument;
use trackside_spec::{Plan, StepIndex};

use crate::{
    event::{Parent, RunEnd, RunError, SkipReason, StepError},
    fanout::Fanout,
    id::RunId,
};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Ordinary steps run or wait.
    Running,
    /// Finally handlers run; the ordinary steps' end is known.
    Finishing(RunEnd, Option<RunError>),
    /// Over.
    Ended(RunEnd, Option<RunError>),
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum StepStatus {
    /// Waits for the steps that it needs; for finally handlers, to be called.
    Pending,
    /// Waits for its mutex.
    Queued {
        /// Since when, milliseconds since 1970.
        since_ms: i64,
    },
    /// An attempt is under way; for a step with `foreach`, its items are.
    Running,
    /// Waits for a person.
    Asking {
        /// Until when, milliseconds since 1970.
        deadline_ms: Option<i64>,
    },
    /// Waits for a time or an event.
    Suspended {
        /// Until when, milliseconds since 1970; none = until the event comes.
        until_ms: Option<i64>,
        /// Whether it is an event that it waits for.
        on_event: bool,
    },
    /// The next attempt is due at this time, milliseconds since 1970.
    Waiting {
        /// When.
        due_ms: i64,
    },
    /// Ended well; its output is in [`RunState::output`].
    Succeeded,
    /// Did not run to an end of its own.
    Skipped(SkipReason),
    /// Ended badly.
    Failed(StepError),
    /// Its inputs do not fit its contracts. The code is `blocked`.
    Blocked(StepError),
    /// Stopped with its run.
    Cancelled,
}

impl StepStatus {
    /// Whether nothing more will happen to the step.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped(_) | Self::Failed(_) | Self::Blocked(_) | Self::Cancelled)
    }

    /// The word for people and JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued { .. } => "queued",
            Self::Asking { .. } => "awaiting-approval",
            Self::Blocked(_) => "blocked",
            Self::Running => "running",
            Self::Suspended { on_event: true, .. } => "awaiting-event",
            Self::Suspended { on_event: false, .. } => "sleeping",
            Self::Waiting { .. } => "waiting",
            Self::Succeeded => "succeeded",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is known of one step of a run, or of one item of a step with `foreach`.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// Where it stands.
    pub status: StepStatus,
    /// Attempts started.
    pub attempts: u32,
    /// Attempts that ended in an error of their own; only these use up the retry policy.
    pub failures: u32,
    /// Attempts lost because the node went down.
    pub interruptions: u32,
    /// When the first attempt started, milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When the step ended, milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// The run that the current attempt waits for.
    pub child: Option<RunId>,
    /// Its items, once they are known.
    pub items: Option<Box<Fanout>>,
    /// The step has been asked to stop; not journaled, a restart has the same effect.
    pub(crate) stopping: Option<StopReason>,
}

impl StepRecord {
    pub(crate) const fn blank() -> Self {
        Self {
            status: StepStatus::Pending,
            attempts: 0,
            failures: 0,
            interruptions: 0,
            started_ms: None,
            ended_ms: None,
            child: None,
            items: None,
            stopping: None,
        }
    }
}

/// Why a running attempt was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Its run is stopping.
    Run,
    /// Its step's time is over.
    StepTimeout,
    /// The other items of its step make its result worthless.
    Sibling,
}

/// The run's place in its concurrency group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) group: String,
    pub(crate) admitted_ms: Option<i64>,
}

/// The state of a run.
#[derive(Clone, Debug)]
pub struct RunState {
    pub(crate) plan: Arc<Plan>,
    pub(crate) id: RunId,
    pub(crate) phase: Phase,
    pub(crate) params: Value,
    /// Attempts look at it while the run goes on: it is shared, and may be large.
    pub(crate) trigger: Arc<TriggerDocument>,
    pub(crate) logical_time_ms: i64,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) steps: Vec<StepRecord>,
    /// `steps` as expressions see it: id to output of the steps that succeeded.
    pub(crate) step_outputs: Value,
    pub(crate) cancelled_by: Option<String>,
    pub(crate) timed_out: bool,
    /// Why the run can not go on, when no step is at fault.
    pub(crate) broken: Option<RunError>,
    pub(crate) membership: Option<Membership>,
    pub(crate) parent: Option<Parent>,
    /// Who paused the run.
    pub(crate) paused_by: Option<String>,
    /// The run that this one repeats.
    pub(crate) repeats: Option<RunId>,
    /// What `outputs` made.
    pub(crate) outputs: Value,
}

impl RunState {
    /// A run before its first event.
    #[must_use]
    pub fn new(plan: Arc<Plan>, id: RunId) -> Self {
        Self {
            steps: vec![StepRecord::blank(); plan.steps.len()],
            plan,
            id,
            phase: Phase::Running,
            params: Value::Null,
            trigger: Arc::default(),
            logical_time_ms: 0,
            started_ms: 0,
            ended_ms: None,
            step_outputs: Value::Object(Map::new()),
            cancelled_by: None,
            timed_out: false,
            broken: None,
            membership: None,
            parent: None,
            paused_by: None,
            repeats: None,
            outputs: Value::Null,
        }
    }

    pub(crate) fn ordinary(&self) -> impl Iterator<Item = &StepRecord> {
        self.steps[..self.plan.ordinary_steps()].iter()
    }

    /// The definition that the run started with.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// Where the run stands.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What is known of each step, by index.
    #[must_use]
    pub fn steps(&self) -> &[StepRecord] {
        &self.steps
    }

    /// The run's parameters, an object.
    #[must_use]
    pub const fn params(&self) -> &Value {
        &self.params
    }

    /// What started the run, as expressions see it.
    #[must_use]
    pub fn trigger(&self) -> &Arc<TriggerDocument> {
        &self.trigger
    }

    /// The documents that a run keeps in memory: its parameters, its trigger, what its steps gave.
    #[must_use]
    pub fn documents(&self) -> [&Value; 3] {
        [&self.params, self.trigger.as_json(), &self.step_outputs]
    }

    /// The time that the run is about, milliseconds since 1970.
    #[must_use]
    pub const fn logical_time_ms(&self) -> i64 {
        self.logical_time_ms
    }

    /// When the run was accepted, milliseconds since 1970.
    #[must_use]
    pub const fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// When it ended.
    #[must_use]
    pub const fn ended_ms(&self) -> Option<i64> {
        self.ended_ms
    }

    /// The output of a step that succeeded.
    #[must_use]
    pub fn output(&self, step: StepIndex) -> Option<&Value> {
        self.step_outputs.get(&self.plan.step(step).id)
    }

    /// What is known of a step, or of an item that has started.
    #[must_use]
    pub fn record(&self, step: StepIndex, item: Option<u32>) -> Option<&StepRecord> {
        let record = self.steps.get(step.get())?;
        match item {
            None => Some(record),
            Some(item) => record.items.as_ref()?.record(item),
        }
    }

    /// Whether this attempt is the one under way: the outcome of any other is ignored.
    #[must_use]
    pub fn is_current(&self, step: StepIndex, item: Option<u32>, attempt: u32) -> bool {
        // A step with items has no attempts of its own.
        self.record(step, item).is_some_and(|record| {
            record.status == StepStatus::Running && record.attempts == attempt && record.items.is_none()
        })
    }

    /// Whether the run waits for its concurrency group.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.membership.as_ref().is_some_and(|membership| membership.admitted_ms.is_none())
            && !matches!(self.phase, Phase::Ended(..))
    }

    /// The run's concurrency group.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.membership.as_ref().map(|membership| membership.group.as_str())
    }

    /// The step of another run that waits for this one.
    #[must_use]
    pub const fn parent(&self) -> Option<&Parent> {
        self.parent.as_ref()
    }

    /// Who paused the run, while it is paused.
    #[must_use]
    pub fn paused_by(&self) -> Option<&str> {
        self.paused_by.as_deref()
    }

    /// The run that this one repeats.
    #[must_use]
    pub const fn repeats(&self) -> Option<RunId> {
        self.repeats
    }

    /// How many runs lie above this one.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.parent.map_or(0, |parent| parent.depth)
    }

    /// What the workflow's `outputs` made, an object; null before the run has ended well.
    #[must_use]
    pub const fn outputs(&self) -> &Value {
        &self.outputs
    }
}

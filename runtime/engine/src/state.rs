//! The state of a run: the fold of its events.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use trackside_spec::{ExprError, Plan, PluginCall, Scope, StepIndex};

use crate::{
    event::{Event, RunEnd, RunError, SkipReason, StepError},
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
    /// An attempt is under way.
    Running,
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
    /// Stopped with its run.
    Cancelled,
}

impl StepStatus {
    /// Whether nothing more will happen to the step.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Waiting { .. })
    }

    /// The word for people and JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting { .. } => "waiting",
            Self::Succeeded => "succeeded",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is known of one step of a run.
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
    /// The step has been asked to stop; not journaled, a restart has the same effect.
    pub(crate) stopping: Option<StopReason>,
}

/// Why a running attempt was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    Run,
    StepTimeout,
}

/// An event that can not follow the ones before it: a damaged journal, or one of another definition.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("run {run}: {event} is not possible now ({reason}); the journal of this run is damaged")]
pub struct IllegalTransition {
    run: RunId,
    event: String,
    reason: String,
}

/// The state of a run.
#[derive(Clone, Debug)]
pub struct RunState {
    pub(crate) plan: Arc<Plan>,
    pub(crate) id: RunId,
    pub(crate) phase: Phase,
    pub(crate) params: Value,
    pub(crate) trigger: Value,
    pub(crate) logical_time_ms: i64,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: Option<i64>,
    pub(crate) steps: Vec<StepRecord>,
    /// `steps` as expressions see it: id to output of the steps that succeeded.
    pub(crate) outputs: Value,
    pub(crate) cancelled_by: Option<String>,
    pub(crate) timed_out: bool,
}

impl RunState {
    /// A run before its first event.
    #[must_use]
    pub fn new(plan: Arc<Plan>, id: RunId) -> Self {
        let blank = StepRecord {
            status: StepStatus::Pending,
            attempts: 0,
            failures: 0,
            interruptions: 0,
            started_ms: None,
            ended_ms: None,
            stopping: None,
        };
        Self {
            steps: vec![blank; plan.steps.len()],
            plan,
            id,
            phase: Phase::Running,
            params: Value::Null,
            trigger: Value::Null,
            logical_time_ms: 0,
            started_ms: 0,
            ended_ms: None,
            outputs: Value::Object(Map::new()),
            cancelled_by: None,
            timed_out: false,
        }
    }

    /// Takes a fact over.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the fact can not follow the facts before it; the state is then unchanged.
    pub fn apply(&mut self, event: &Event, at_ms: i64) -> Result<(), IllegalTransition> {
        self.check(event)?;
        match event {
            Event::Started { params, trigger, logical_time_ms } => {
                self.params = params.clone();
                self.trigger = trigger.clone();
                self.logical_time_ms = *logical_time_ms;
                self.started_ms = at_ms;
            }
            Event::StepStarted { step, attempt } => {
                let record = &mut self.steps[step.get()];
                record.status = StepStatus::Running;
                record.attempts = *attempt;
                record.started_ms.get_or_insert(at_ms);
            }
            Event::StepSucceeded { step, output, .. } => {
                self.end_step(*step, StepStatus::Succeeded, at_ms);
                let id = self.plan.step(*step).id.clone();
                if let Value::Object(outputs) = &mut self.outputs {
                    outputs.insert(id, output.clone());
                }
            }
            Event::StepSkipped { step, reason } => {
                self.end_step(*step, StepStatus::Skipped(reason.clone()), at_ms);
            }
            Event::StepRetried { step, due_ms, .. } => {
                let record = &mut self.steps[step.get()];
                record.failures += 1;
                record.stopping = None;
                record.status = StepStatus::Waiting { due_ms: *due_ms };
            }
            Event::StepFailed { step, error, .. } => {
                self.steps[step.get()].failures += 1;
                self.end_step(*step, StepStatus::Failed(error.clone()), at_ms);
            }
            Event::StepCancelled { step } => self.end_step(*step, StepStatus::Cancelled, at_ms),
            Event::StepInterrupted { step, .. } => {
                let record = &mut self.steps[step.get()];
                record.interruptions += 1;
                record.stopping = None;
                record.status = StepStatus::Waiting { due_ms: at_ms };
            }
            Event::CancelRequested { by } => self.cancelled_by = Some(by.clone()),
            Event::TimedOut => self.timed_out = true,
            Event::Finishing { end, error } => self.phase = Phase::Finishing(*end, error.clone()),
            Event::Ended { end, error } => {
                self.phase = Phase::Ended(*end, error.clone());
                self.ended_ms = Some(at_ms);
            }
            Event::Delivered { .. } | Event::DeliveryRefused { .. } => {}
        }
        Ok(())
    }

    fn end_step(&mut self, step: StepIndex, status: StepStatus, at_ms: i64) {
        let record = &mut self.steps[step.get()];
        record.status = status;
        record.ended_ms = Some(at_ms);
        record.stopping = None;
    }

    /// The legal transitions, in one place.
    fn check(&self, event: &Event) -> Result<(), IllegalTransition> {
        let refuse = |reason: String| {
            let event = serde_json::to_value(event).ok().and_then(|v| v["event"].as_str().map(str::to_owned));
            Err(IllegalTransition { run: self.id, event: event.unwrap_or_default(), reason })
        };
        let ended = matches!(self.phase, Phase::Ended(..));
        let (step, fits): (StepIndex, fn(&StepStatus) -> bool) = match event {
            Event::Started { .. } => {
                let fresh = self.started_ms == 0 && self.steps.iter().all(|s| s.status == StepStatus::Pending);
                return if fresh { Ok(()) } else { refuse("it has started already".into()) };
            }
            Event::Delivered { step, .. } | Event::DeliveryRefused { step, .. } => {
                let known = self.steps.get(step.get()).is_some_and(|s| s.status == StepStatus::Succeeded);
                return if known { Ok(()) } else { refuse(format!("step {} did not succeed", step.0)) };
            }
            _ if ended => return refuse("the run has ended".into()),
            Event::CancelRequested { .. } | Event::TimedOut => return Ok(()),
            Event::Finishing { .. } => {
                let over = self.phase == Phase::Running && self.ordinary().all(|s| s.status.is_final());
                return if over { Ok(()) } else { refuse("steps are still open".into()) };
            }
            Event::Ended { .. } => {
                let open = |s: &StepRecord| matches!(s.status, StepStatus::Running | StepStatus::Waiting { .. });
                let over = self.ordinary().all(|s| s.status.is_final()) && !self.steps.iter().any(open);
                return if over { Ok(()) } else { refuse("steps are still open".into()) };
            }
            Event::StepStarted { step, .. } => {
                (*step, |s| matches!(s, StepStatus::Pending | StepStatus::Waiting { .. }))
            }
            Event::StepSucceeded { step, .. }
            | Event::StepRetried { step, .. }
            | Event::StepInterrupted { step, .. } => (*step, |s| *s == StepStatus::Running),
            Event::StepSkipped { step, .. } => (*step, |s| matches!(s, StepStatus::Pending | StepStatus::Running)),
            Event::StepFailed { step, .. } | Event::StepCancelled { step } => (*step, |s| !s.is_final()),
        };
        match self.steps.get(step.get()) {
            Some(record) if fits(&record.status) => Ok(()),
            Some(record) => refuse(format!("step {} is {}", self.plan.step(step).id, record.status.name())),
            None => refuse(format!("there is no step {}", step.0)),
        }
    }

    fn ordinary(&self) -> impl Iterator<Item = &StepRecord> {
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
    pub const fn trigger(&self) -> &Value {
        &self.trigger
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
        self.outputs.get(&self.plan.step(step).id)
    }

    /// What `run` shows to expressions.
    #[must_use]
    pub fn run_document(&self) -> Value {
        let mut document = json!({
            "id": self.id,
            "workflow": self.plan.name,
            "started_ms": self.started_ms,
        });
        if let Phase::Finishing(end, error) | Phase::Ended(end, error) = &self.phase {
            document["state"] = end.name().into();
            document["error"] = error.as_ref().map_or(Value::Null, |e| e.message.clone().into());
            document["failed_step"] = error.as_ref().and_then(|e| e.step.clone()).map_or(Value::Null, Value::from);
        }
        document
    }

    /// A step's input: its `with` or `inputs` with every expression evaluated.
    ///
    /// # Errors
    /// When an expression fails (a missing key, a wrong type).
    pub fn input(&self, step: StepIndex) -> Result<Value, ExprError> {
        let template = match &self.plan.step(step).action {
            trackside_spec::Action::Plugin(call) => &call.with,
            trackside_spec::Action::Model(call) => &call.inputs,
        };
        self.with_scope(|scope| template.eval(scope))
    }

    /// What a step that is a WASI command is called with, every expression evaluated; `None` when it says nothing of
    /// that.
    ///
    /// # Errors
    /// When an expression fails (a missing key, a wrong type).
    pub fn command(&self, step: StepIndex) -> Result<Option<Value>, ExprError> {
        match &self.plan.step(step).action {
            trackside_spec::Action::Plugin(PluginCall { command: Some(command), .. }) => {
                self.with_scope(|scope| command.given.eval(scope)).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn with_scope<T>(&self, evaluate: impl FnOnce(&Scope<'_>) -> T) -> T {
        let run = self.run_document();
        evaluate(&Scope { params: &self.params, trigger: &self.trigger, steps: &self.outputs, run: &run })
    }
}

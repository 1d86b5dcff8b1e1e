//! What happens next: commands in, events and effects out.

use serde_json::Value;
use trackside_spec::{FinallyOn, StepIndex};

use crate::{
    event::{Event, RunEnd, RunError, SkipReason, StepError},
    retry::retry_wait,
    state::{Phase, RunState, StepStatus, StopReason},
};

/// A step that was under way this many times when the node went down is given up: it may be what brings it down.
pub const MAX_INTERRUPTIONS: u32 = 50;

/// Something that happened outside the run.
#[derive(Clone, Debug)]
pub enum Command {
    /// The run is accepted. The first command of every run.
    Start {
        /// Parameters, checked and complete.
        params: Value,
        /// What started it.
        trigger: Value,
        /// The time that it is about, milliseconds since 1970.
        logical_time_ms: i64,
    },
    /// An attempt ended.
    Finished {
        /// Which step.
        step: StepIndex,
        /// Which attempt; an outcome of another than the current one is ignored.
        attempt: u32,
        /// How.
        outcome: Outcome,
        /// A uniform random number for the retry's jitter.
        chance: u64,
        /// Usage and versions, for the journal.
        report: Value,
    },
    /// [`RunState::next_deadline`] may have passed.
    Wake,
    /// Somebody wants the run stopped.
    Cancel {
        /// Who.
        by: String,
    },
    /// The node came up again: attempts under way are lost.
    Recover,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Well, with this output.
    Succeeded(Value),
    /// There was nothing to do.
    Skipped(String),
    /// Badly.
    Failed(StepError),
}

/// What the dispatcher is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run this attempt.
    Execute {
        /// Which step.
        step: StepIndex,
        /// Which attempt.
        attempt: u32,
    },
    /// Ask this step's attempt to stop; its outcome still comes as [`Command::Finished`].
    Stop {
        /// Which step.
        step: StepIndex,
    },
}

/// New facts, already applied, and the wishes that follow from them.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// For the journal, in order. Empty when nothing changed.
    pub events: Vec<Event>,
    /// To be carried out.
    pub effects: Vec<Effect>,
}

impl RunState {
    /// Takes a command and moves the run as far as it goes.
    pub fn handle(&mut self, command: Command, now_ms: i64) -> Decision {
        let mut step = Moves { run: self, now_ms, decision: Decision::default() };
        step.take(command);
        step.advance();
        step.decision
    }

    /// When the run wants [`Command::Wake`] next, milliseconds since 1970: a retry is due, a step's or the run's time
    /// is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        if matches!(self.phase, Phase::Ended(..)) {
            return None;
        }
        let steps = self.steps.iter().enumerate().filter_map(|(position, record)| {
            let limit = self.step_deadline(position).filter(|_| record.stopping.is_none());
            match record.status {
                StepStatus::Waiting { due_ms } => Some(limit.map_or(due_ms, |limit| limit.min(due_ms))),
                StepStatus::Running => limit,
                _ => None,
            }
        });
        steps.chain(self.run_deadline()).min()
    }

    fn run_deadline(&self) -> Option<i64> {
        let open = self.phase == Phase::Running && !self.is_stopping();
        let timeout = self.plan.timeout.filter(|_| open)?;
        Some(self.started_ms.saturating_add_unsigned(timeout.as_millis()))
    }

    fn step_deadline(&self, position: usize) -> Option<i64> {
        let timeout = self.plan.steps[position].timeout?;
        Some(self.steps[position].started_ms?.saturating_add_unsigned(timeout.as_millis()))
    }

    fn is_stopping(&self) -> bool {
        self.timed_out || self.cancelled_by.is_some()
    }
}

/// The run while a command is being worked in.
struct Moves<'a> {
    run: &'a mut RunState,
    now_ms: i64,
    decision: Decision,
}

impl Moves<'_> {
    fn emit(&mut self, event: Event) {
        // A decision that the transition table refuses would be a bug of this file; dropping the event keeps the
        // journal legal, and the property tests see the difference.
        let legal = self.run.apply(&event, self.now_ms);
        debug_assert_eq!(legal, Ok(()));
        if legal.is_ok() {
            self.decision.events.push(event);
        }
    }

    fn take(&mut self, command: Command) {
        if matches!(self.run.phase, Phase::Ended(..)) {
            return;
        }
        match command {
            Command::Start { params, trigger, logical_time_ms } => {
                self.emit(Event::Started { params, trigger, logical_time_ms });
            }
            Command::Finished { step, attempt, outcome, chance, report } => {
                let current = self.run.steps.get(step.get());
                if current.is_some_and(|s| s.status == StepStatus::Running && s.attempts == attempt) {
                    self.finish(step, attempt, outcome, chance, report);
                }
            }
            Command::Wake => self.wake(),
            Command::Cancel { by } => {
                if !self.run.is_stopping() && self.run.phase == Phase::Running {
                    self.emit(Event::CancelRequested { by });
                    self.stop_all();
                }
            }
            Command::Recover => self.recover(),
        }
    }

    fn finish(&mut self, step: StepIndex, attempt: u32, outcome: Outcome, chance: u64, report: Value) {
        let stopping = self.run.steps[step.get()].stopping;
        match (outcome, stopping) {
            // A result that came in spite of the request to stop is a result.
            (Outcome::Succeeded(output), _) => self.emit(Event::StepSucceeded { step, attempt, output, report }),
            (Outcome::Skipped(reason), _) => {
                self.emit(Event::StepSkipped { step, reason: SkipReason::Said(reason) });
            }
            (Outcome::Failed(_), Some(StopReason::Run)) => self.emit(Event::StepCancelled { step }),
            (Outcome::Failed(error), Some(StopReason::StepTimeout)) => {
                let error = StepError { details: error.details, ..self.step_timeout(step) };
                self.emit(Event::StepFailed { step, attempt, error, report });
            }
            (Outcome::Failed(error), None) => self.fail(step, attempt, error, chance, report),
        }
    }

    fn fail(&mut self, step: StepIndex, attempt: u32, error: StepError, chance: u64, report: Value) {
        let policy = self.run.plan.step(step).retry;
        let failures = self.run.steps[step.get()].failures + 1;
        if !error.retryable || failures > policy.times {
            self.emit(Event::StepFailed { step, attempt, error, report });
            return;
        }
        let wait = retry_wait(&policy, failures, error.retry_after_ms, chance);
        let due_ms = self.now_ms.saturating_add_unsigned(wait);
        // Waiting for an attempt that could not start in time would only delay the bad news.
        if self.run.step_deadline(step.get()).is_some_and(|deadline| due_ms >= deadline) {
            self.emit(Event::StepFailed { step, attempt, error, report });
        } else {
            self.emit(Event::StepRetried { step, attempt, error, due_ms });
        }
    }

    fn wake(&mut self) {
        if self.run.run_deadline().is_some_and(|deadline| deadline <= self.now_ms) {
            self.emit(Event::TimedOut);
            self.stop_all();
        }
        for position in 0..self.run.steps.len() {
            let step = index(position);
            let over = self.run.step_deadline(position).is_some_and(|deadline| deadline <= self.now_ms);
            let record = &mut self.run.steps[position];
            match record.status {
                StepStatus::Running if over && record.stopping.is_none() => {
                    record.stopping = Some(StopReason::StepTimeout);
                    self.decision.effects.push(Effect::Stop { step });
                }
                StepStatus::Waiting { .. } if over => {
                    let attempt = record.attempts;
                    let error = self.step_timeout(step);
                    self.emit(Event::StepFailed { step, attempt, error, report: Value::Null });
                }
                StepStatus::Waiting { due_ms } if due_ms <= self.now_ms => self.start(step),
                _ => {}
            }
        }
    }

    fn recover(&mut self) {
        for position in 0..self.run.steps.len() {
            let step = index(position);
            let record = &self.run.steps[position];
            let (attempt, interruptions) = (record.attempts, record.interruptions);
            if record.status != StepStatus::Running {
                continue;
            }
            if self.run.is_stopping() && self.run.phase == Phase::Running {
                self.emit(Event::StepCancelled { step });
            } else if interruptions >= MAX_INTERRUPTIONS {
                let message = format!(
                    "the node went down {MAX_INTERRUPTIONS} times while this step ran; it is not tried again: see the \
                     system's log for what ended the node"
                );
                let error = StepError::fatal("interrupted-too-often", message);
                self.emit(Event::StepFailed { step, attempt, error, report: Value::Null });
            } else {
                self.emit(Event::StepInterrupted { step, attempt });
            }
        }
        self.wake();
    }

    /// Ends what has not begun and asks what runs to stop.
    fn stop_all(&mut self) {
        for position in 0..self.run.plan.ordinary_steps() {
            let step = index(position);
            let record = &mut self.run.steps[position];
            match record.status {
                StepStatus::Pending | StepStatus::Waiting { .. } => self.emit(Event::StepCancelled { step }),
                StepStatus::Running => {
                    record.stopping = Some(StopReason::Run);
                    self.decision.effects.push(Effect::Stop { step });
                }
                _ => {}
            }
        }
    }

    fn start(&mut self, step: StepIndex) {
        let attempt = self.run.steps[step.get()].attempts + 1;
        self.emit(Event::StepStarted { step, attempt });
        self.decision.effects.push(Effect::Execute { step, attempt });
    }

    fn step_timeout(&self, step: StepIndex) -> StepError {
        let step = self.run.plan.step(step);
        let limit = step.timeout.unwrap_or_default();
        StepError::fatal("step-timeout", format!("step `{}` took longer than its timeout of {limit}", step.id))
    }

    /// Starts whatever can start and ends the run when nothing is left. Steps stand in no particular order, so one
    /// pass may open the way for steps before it: repeat until nothing moves.
    fn advance(&mut self) {
        if self.run.phase == Phase::Running {
            while (0..self.run.plan.ordinary_steps()).any(|position| self.settle(position)) {}
            if self.run.ordinary_over() {
                self.finish_ordinary();
            }
        }
        if let Phase::Finishing(end, error) = &self.run.phase {
            let (end, error) = (*end, error.clone());
            let handlers = &self.run.steps[self.run.plan.ordinary_steps()..];
            if !handlers.iter().any(|h| matches!(h.status, StepStatus::Running | StepStatus::Waiting { .. })) {
                let (end, error) = self.end_after_handlers(end, error);
                self.emit(Event::Ended { end, error });
            }
        }
    }

    /// Moves one pending step if its time has come; says whether it did.
    fn settle(&mut self, position: usize) -> bool {
        if self.run.steps[position].status != StepStatus::Pending {
            return false;
        }
        let step = index(position);
        let plan = self.run.plan.clone();
        let definition = plan.step(step);
        let needs = || definition.needs.iter().map(|need| (plan.step(*need), &self.run.steps[need.get()].status));
        if needs().any(|(_, status)| !status.is_final()) {
            return false;
        }
        let failed = needs().find(|(_, s)| matches!(s, StepStatus::Failed(_) | StepStatus::Cancelled));
        let skipped = needs().find(|(_, s)| matches!(s, StepStatus::Skipped(_)));
        let failed_upstream = needs().find(|(_, s)| matches!(s, StepStatus::Skipped(SkipReason::UpstreamFailed(_))));
        let reason = if let Some((need, _)) = failed.or(failed_upstream) {
            Some(SkipReason::UpstreamFailed(need.id.clone()))
        } else {
            skipped.map(|(need, _)| SkipReason::Upstream(need.id.clone()))
        };
        if let Some(reason) = reason {
            self.emit(Event::StepSkipped { step, reason });
            return true;
        }
        match definition.when.as_ref().map(|when| self.run.with_scope(|scope| when.eval_bool(scope))) {
            None | Some(Ok(true)) => self.start(step),
            Some(Ok(false)) => self.emit(Event::StepSkipped { step, reason: SkipReason::Condition }),
            Some(Err(error)) => {
                let error = StepError::fatal("bad-condition", format!("`when` of step `{}`: {error}", definition.id));
                self.emit(Event::StepFailed { step, attempt: 0, error, report: Value::Null });
            }
        }
        true
    }

    fn finish_ordinary(&mut self) {
        let plan = self.run.plan.clone();
        let first_failure = (0..plan.ordinary_steps()).find_map(|position| {
            let StepStatus::Failed(error) = &self.run.steps[position].status else { return None };
            Some(run_error(&plan.steps[position].id, error))
        });
        let (end, error) = if let Some(by) = &self.run.cancelled_by {
            let message = format!("cancelled by {by}");
            (RunEnd::Cancelled, Some(RunError { step: None, code: "cancelled".into(), message }))
        } else if self.run.timed_out {
            let limit = plan.timeout.unwrap_or_default();
            let message = format!("the run took longer than its timeout of {limit}");
            (RunEnd::Failed, Some(RunError { step: None, code: "run-timeout".into(), message }))
        } else if first_failure.is_some() {
            (RunEnd::Failed, first_failure)
        } else {
            (RunEnd::Succeeded, None)
        };
        let called: Vec<_> = plan.finally.iter().filter(|handler| calls(handler.on, end)).collect();
        if called.is_empty() {
            self.emit(Event::Ended { end, error });
            return;
        }
        self.emit(Event::Finishing { end, error });
        for handler in called {
            self.start(handler.step);
        }
    }

    /// A handler that failed turns a good end into a bad one; a bad end keeps its first cause.
    fn end_after_handlers(&self, end: RunEnd, error: Option<RunError>) -> (RunEnd, Option<RunError>) {
        let failure = self.run.plan.finally.iter().find_map(|handler| {
            let StepStatus::Failed(error) = &self.run.steps[handler.step.get()].status else { return None };
            Some(run_error(&self.run.plan.step(handler.step).id, error))
        });
        match (end, failure) {
            (RunEnd::Succeeded, Some(failure)) => (RunEnd::Failed, Some(failure)),
            _ => (end, error),
        }
    }
}

impl RunState {
    fn ordinary_over(&self) -> bool {
        self.steps[..self.plan.ordinary_steps()].iter().all(|step| step.status.is_final())
    }
}

fn calls(on: FinallyOn, end: RunEnd) -> bool {
    match on {
        FinallyOn::Always => true,
        FinallyOn::Succeeded => end == RunEnd::Succeeded,
        FinallyOn::Failed => end == RunEnd::Failed,
        FinallyOn::Cancelled => end == RunEnd::Cancelled,
    }
}

fn run_error(step: &str, error: &StepError) -> RunError {
    RunError { step: Some(step.to_owned()), code: error.code.clone(), message: error.message.clone() }
}

/// Positions come from slices that the spec bounds to 256 steps.
fn index(position: usize) -> StepIndex {
    StepIndex(u16::try_from(position).unwrap_or(u16::MAX))
}

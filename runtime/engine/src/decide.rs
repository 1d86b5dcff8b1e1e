//! What happens next: commands in, events and effects out.

use trackside_spec::{FinallyOn, NeedOn, Step, StepIndex};

use crate::{
    about::EventAt,
    command::{Command, Decision, Effect},
    event::{Event, RunEnd, RunError, SkipReason, StepError},
    scope::concurrency_group,
    state::{Phase, RunState, StepRecord, StepStatus, StopReason},
};

impl RunState {
    /// Takes a command and moves the run as far as it goes.
    pub fn handle(&mut self, command: Command, now_ms: i64) -> Decision {
        let mut moves = Moves { run: self, now_ms, decision: Decision::default() };
        moves.take(command);
        moves.advance();
        moves.decision
    }

    /// Whether nothing may begin: a stop goes before a pause.
    pub(crate) fn is_held(&self) -> bool {
        self.paused_by.is_some() && !self.is_stopping()
    }

    /// The fact that pausing or resuming the run comes to, when it changes anything. What becomes due with it is for
    /// [`Command::Resume`], or for [`Command::Recover`] where no node has the run.
    #[must_use]
    pub fn pausing(&self, pause: bool, by: &str) -> Option<Event> {
        let by = by.to_owned();
        match (pause, &self.paused_by) {
            (true, None) if self.phase == Phase::Running && !self.is_stopping() => Some(Event::Paused { by }),
            (false, Some(_)) if !matches!(self.phase, Phase::Ended(..)) => Some(Event::Resumed { by }),
            _ => None,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.timed_out || self.cancelled_by.is_some() || self.broken.is_some()
    }
}

/// The run while a command is being worked in.
pub(crate) struct Moves<'a> {
    pub(crate) run: &'a mut RunState,
    pub(crate) now_ms: i64,
    pub(crate) decision: Decision,
}

impl Moves<'_> {
    pub(crate) fn emit(&mut self, event: Event) {
        let held = self.holder(&event);
        if let Err(illegal) = self.run.apply(&event, self.now_ms) {
            self.decision.illegal = Some(illegal.to_string());
            return;
        }
        self.decision.events.push(event);
        if let Some((step, item)) = held.filter(|(step, item)| !self.holds(*step, *item)) {
            self.effect(Effect::Release { step, item });
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.decision.effects.push(effect);
    }

    /// The step or item that the event may take the mutex from.
    fn holder(&self, event: &Event) -> Option<(StepIndex, Option<u32>)> {
        let EventAt { step, item, .. } = event.about().filter(|_| event.ends_attempt())?;
        self.holds(step, item).then_some((step, item))
    }

    /// Whether the step or item has its mutex or waits for it.
    fn holds(&self, step: StepIndex, item: Option<u32>) -> bool {
        self.run.plan.step(step).mutex.is_some()
            && self.run.record(step, item).is_some_and(|record| {
                record.items.is_none() && matches!(record.status, StepStatus::Queued { .. } | StepStatus::Running)
            })
    }

    pub(crate) fn record(&self, step: StepIndex, item: Option<u32>) -> Option<&StepRecord> {
        self.run.record(step, item)
    }

    pub(crate) fn record_mut(&mut self, step: StepIndex, item: Option<u32>) -> Option<&mut StepRecord> {
        let record = self.run.steps.get_mut(step.get())?;
        match item {
            None => Some(record),
            Some(item) => record.items.as_mut()?.started_mut(item),
        }
    }

    fn take(&mut self, command: Command) {
        if matches!(self.run.phase, Phase::Ended(..)) {
            return;
        }
        match command {
            Command::Start { params, trigger, logical_time_ms, parent } => {
                self.emit(Event::Started { params, trigger, logical_time_ms, parent });
                self.enter();
            }
            Command::StartAgain(repeat) => self.start_again(*repeat),
            Command::Pause { by } => {
                if let Some(paused) = self.run.pausing(true, &by) {
                    self.emit(paused);
                }
            }
            Command::Resume { by } => {
                if let Some(resumed) = self.run.pausing(false, &by) {
                    self.emit(resumed);
                    // Attempts have become due meanwhile.
                    self.wake();
                }
            }
            Command::Admit => {
                if self.run.is_queued() && !self.run.is_stopping() {
                    self.emit(Event::Admitted);
                }
            }
            Command::Acquired { step, item } => {
                let queued = |record: &StepRecord| matches!(record.status, StepStatus::Queued { .. });
                if self.record(step, item).is_some_and(queued) {
                    self.launch(step, item);
                }
            }
            Command::Finished { step, item, attempt, outcome, chance, report } => {
                if self.run.is_current(step, item, attempt) {
                    self.finish(step, item, outcome, chance, report);
                }
            }
            Command::ChildStarted { step, item, attempt, run } => {
                let new = self.record(step, item).is_some_and(|record| record.child.is_none());
                if new && self.run.is_current(step, item, attempt) {
                    self.emit(Event::ChildStarted { step, item, attempt, run });
                }
            }
            Command::ChildEnded { step, item, attempt, run, end, error, outputs, chance } => {
                if self.run.is_current(step, item, attempt) {
                    let outcome = self.child_outcome(step, run, end, error, outputs);
                    self.finish(step, item, outcome, chance, None);
                }
            }
            Command::Decide { step, by, approve, comment } => self.decide(step, by, approve, &comment),
            Command::Happened { step, event } => self.happened(step, event),
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

    /// Queues the run for its concurrency group, if it has one.
    pub(crate) fn enter(&mut self) {
        match concurrency_group(&self.run.plan, &self.run.params, &self.run.trigger) {
            Ok(None) => {}
            Ok(Some(group)) => {
                self.emit(Event::Queued { group: group.clone() });
                self.effect(Effect::Enter { group, admitted: false });
            }
            Err(bad) => self.fail_run("bad-group", bad.to_string()),
        }
    }

    /// Ends the run for a reason that is no step's.
    pub(crate) fn fail_run(&mut self, code: &str, message: String) {
        self.emit(Event::RunFailed { code: code.to_owned(), message });
        self.stop_all();
    }

    /// Ends what has not begun and asks what runs to stop.
    pub(crate) fn stop_all(&mut self) {
        for position in 0..self.run.plan.ordinary_steps() {
            let step = index(position);
            let record = &mut self.run.steps[position];
            match record.status {
                StepStatus::Running if record.items.is_some() => {
                    record.stopping = Some(StopReason::Run);
                    self.stop_items(step, StopReason::Run);
                }
                StepStatus::Running => self.stop(step, None, StopReason::Run),
                StepStatus::Pending
                | StepStatus::Queued { .. }
                | StepStatus::Asking { .. }
                | StepStatus::Suspended { .. }
                | StepStatus::Waiting { .. } => self.emit(Event::StepCancelled { step, item: None }),
                _ => {}
            }
        }
    }

    /// Starts whatever can start and ends the run when nothing is left. Steps stand in no particular order, so one
    /// pass may open the way for steps before it: repeat until nothing moves.
    fn advance(&mut self) {
        if self.run.phase == Phase::Running && !self.run.is_held() {
            if !self.run.is_queued() || self.run.is_stopping() {
                while (0..self.run.plan.ordinary_steps()).any(|position| self.settle(position)) {}
            }
            if self.run.ordinary().all(|step| step.status.is_final()) {
                self.finish_ordinary();
            }
        }
        if let Phase::Finishing(end, error) = &self.run.phase {
            let (end, error) = (*end, error.clone());
            let handlers = &self.run.steps[self.run.plan.ordinary_steps()..];
            if handlers.iter().all(|handler| handler.status.is_final() || handler.status == StepStatus::Pending) {
                let (end, error) = self.end_after_handlers(end, error);
                self.end(end, error);
            }
        }
    }

    /// Moves one step if its time has come; says whether it did. Steps with items are moved on in any case; that they
    /// end is what may move others.
    fn settle(&mut self, position: usize) -> bool {
        let step = index(position);
        if self.run.steps[position].items.is_some() {
            return self.drive(step);
        }
        if self.run.steps[position].status != StepStatus::Pending {
            return false;
        }
        let plan = self.run.plan.clone();
        let definition = plan.step(step);
        let needs = || definition.needs.iter().map(|need| (need, &self.run.steps[need.get()].status));
        if needs().any(|(_, status)| !status.is_final()) {
            return false;
        }
        let unmet = |kind: EndKind| {
            needs()
                .find(|(need, status)| end_kind(status) == kind && !lets(need.on, status))
                .map(|(need, _)| plan.step(need.step).id.clone())
        };
        let reason = unmet(EndKind::Failed)
            .or_else(|| unmet(EndKind::AfterFailure))
            .map(SkipReason::UpstreamFailed)
            .or_else(|| unmet(EndKind::Skipped).map(SkipReason::Upstream))
            .or_else(|| unmet(EndKind::Succeeded).map(SkipReason::Unwanted));
        if let Some(reason) = reason {
            self.emit(Event::StepSkipped { step, item: None, reason });
            return true;
        }
        match definition.when.as_ref().map(|when| self.run.holds(step, None, when)) {
            None | Some(Ok(true)) if definition.foreach.is_some() => self.expand(step),
            None | Some(Ok(true)) => self.begin(step, None),
            Some(Ok(false)) => self.emit(Event::StepSkipped { step, item: None, reason: SkipReason::Condition }),
            Some(Err(error)) => {
                let message = format!("`when` of step `{}`: {error}", definition.id);
                self.fail_unstarted(step, None, StepError::fatal("bad-condition", message));
            }
        }
        true
    }

    fn finish_ordinary(&mut self) {
        let plan = self.run.plan.clone();
        if self.run.ordinary_end().0 == RunEnd::Succeeded
            && let Err(error) = self.run.make_outputs()
        {
            let message = format!("`outputs` of workflow `{}`: {error}", plan.name);
            self.emit(Event::RunFailed { code: "bad-outputs".to_owned(), message });
        }
        let (end, error) = self.run.ordinary_end();
        let called: Vec<_> = plan.finally.iter().filter(|handler| calls(handler.on, end)).collect();
        if called.is_empty() {
            self.end(end, error);
            return;
        }
        self.emit(Event::Finishing { end, error });
        for handler in called {
            self.begin(handler.step, None);
        }
    }

    /// A handler that failed turns a good end into a bad one; a bad end keeps its first cause.
    fn end_after_handlers(&self, end: RunEnd, error: Option<RunError>) -> (RunEnd, Option<RunError>) {
        let failure = self.run.plan.finally.iter().find_map(|handler| {
            let error = failure_of(&self.run.steps[handler.step.get()])?;
            Some(run_error(&self.run.plan.step(handler.step).id, error))
        });
        match (end, failure) {
            (RunEnd::Succeeded, Some(failure)) => (RunEnd::Failed, Some(failure)),
            _ => (end, error),
        }
    }

    fn end(&mut self, end: RunEnd, error: Option<RunError>) {
        let outputs =
            if end == RunEnd::Succeeded { self.run.make_outputs().unwrap_or_default() } else { Default::default() };
        self.emit(Event::Ended { end, error, outputs });
        if let Some(group) = self.run.group().map(str::to_owned) {
            self.effect(Effect::Leave { group });
        }
    }
}

impl RunState {
    /// How the run ends when all its ordinary steps have.
    fn ordinary_end(&self) -> (RunEnd, Option<RunError>) {
        let plan = &self.plan;
        if let Some(by) = &self.cancelled_by {
            let message = format!("cancelled by {by}");
            return (RunEnd::Cancelled, Some(RunError { step: None, code: "cancelled".into(), message }));
        }
        if self.timed_out {
            let limit = plan.timeout.unwrap_or_default();
            let message = format!("the run took longer than its timeout of {limit}");
            return (RunEnd::Failed, Some(RunError { step: None, code: "run-timeout".into(), message }));
        }
        if let Some(error) = &self.broken {
            return (RunEnd::Failed, Some(error.clone()));
        }
        let failed = |(record, step): (&StepRecord, &Step)| Some(run_error(&step.id, failure_of(record)?));
        let failure = self.ordinary().zip(&plan.steps).find_map(failed);
        match failure {
            Some(error) => (RunEnd::Failed, Some(error)),
            None => (RunEnd::Succeeded, None),
        }
    }
}

/// What an end means to the steps that need it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EndKind {
    Succeeded,
    Skipped,
    Failed,
    /// Skipped because of a failure further up.
    AfterFailure,
}

fn end_kind(status: &StepStatus) -> EndKind {
    match status {
        StepStatus::Succeeded => EndKind::Succeeded,
        StepStatus::Skipped(SkipReason::UpstreamFailed(_)) => EndKind::AfterFailure,
        StepStatus::Skipped(_) => EndKind::Skipped,
        _ => EndKind::Failed,
    }
}

/// Whether this end lets a step start that needs it.
fn lets(on: NeedOn, status: &StepStatus) -> bool {
    match end_kind(status) {
        EndKind::Succeeded => on.succeeded,
        EndKind::Skipped => on.skipped,
        EndKind::AfterFailure => on.failed,
        // What was cancelled lets nothing start: its run is stopping.
        EndKind::Failed => on.failed && *status != StepStatus::Cancelled,
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

fn failure_of(record: &StepRecord) -> Option<&StepError> {
    match &record.status {
        StepStatus::Failed(error) | StepStatus::Blocked(error) => Some(error),
        _ => None,
    }
}

fn run_error(step: &str, error: &StepError) -> RunError {
    RunError { step: Some(step.to_owned()), code: error.code.clone(), message: error.message.clone() }
}

/// Positions come from slices that the spec bounds to 256 steps and four handlers.
pub(crate) fn index(position: usize) -> StepIndex {
    StepIndex(u16::try_from(position).unwrap_or(u16::MAX))
}

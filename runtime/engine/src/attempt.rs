//! The attempts of one step, or of one item: start, end, another try.

use serde_json::{Value, json};
use trackside_facts::AttemptReport;
use trackside_spec::{Action, MAX_CHILD_DEPTH, StepIndex};

use crate::{
    command::{Effect, Outcome},
    decide::Moves,
    event::{Event, Parent, RunEnd, RunError, SkipReason, StepError},
    id::RunId,
    retry::retry_wait,
    state::{StepStatus, StopReason},
};

impl Moves<'_> {
    /// Makes the next attempt, once the step's mutex is free.
    pub(crate) fn begin(&mut self, step: StepIndex, item: Option<u32>) {
        match self.run.plan.step(step).mutex.clone() {
            Some(mutex) => {
                self.emit(Event::StepQueued { step, item, mutex });
                self.effect(Effect::Acquire { step, item, held: false });
            }
            None => self.launch(step, item),
        }
    }

    /// Makes the next attempt.
    pub(crate) fn launch(&mut self, step: StepIndex, item: Option<u32>) {
        let plan = self.run.plan.clone();
        let attempt = self.record(step, item).map_or(0, |record| record.attempts) + 1;
        match &plan.step(step).action {
            Action::Workflow(call) if self.run.depth() >= MAX_CHILD_DEPTH => {
                let message = format!(
                    "this run lies {MAX_CHILD_DEPTH} runs deep, and step `{}` would start another of `{}`",
                    plan.step(step).id,
                    call.workflow
                );
                self.fail_unstarted(step, item, StepError::fatal("too-deep", message));
            }
            Action::Workflow(_) => {
                self.emit(Event::StepStarted { step, item, attempt });
                let parent = self.parent(step, item, attempt);
                self.effect(Effect::StartChild { step, item, attempt, parent });
            }
            Action::Approval(approval) => self.ask(step, approval),
            Action::Wait(wait) => self.suspend(step, wait),
            // Everything else is done by an executor.
            _ => {
                self.emit(Event::StepStarted { step, item, attempt });
                self.effect(Effect::Execute { step, item, attempt });
            }
        }
    }

    /// Fails a step or an item before an attempt.
    pub(crate) fn fail_unstarted(&mut self, step: StepIndex, item: Option<u32>, error: StepError) {
        let attempt = self.record(step, item).map_or(0, |record| record.attempts);
        self.emit(Event::StepFailed { step, item, attempt, error, report: None });
    }

    fn parent(&self, step: StepIndex, item: Option<u32>, attempt: u32) -> Parent {
        Parent { run: self.run.id, step, item, attempt, depth: self.run.depth() + 1 }
    }

    /// Asks an attempt under way to stop, once.
    pub(crate) fn stop(&mut self, step: StepIndex, item: Option<u32>, reason: StopReason) {
        let Some(record) = self.record_mut(step, item) else { return };
        let (attempt, child) = (record.attempts, record.child);
        if record.stopping.replace(reason).is_some() {
            return;
        }
        if matches!(self.run.plan.step(step).action, Action::Workflow(_)) {
            let parent = self.parent(step, item, attempt);
            self.effect(Effect::StopChild { step, item, attempt, parent, child });
        } else {
            self.effect(Effect::Stop { step, item });
        }
    }

    /// Starts the child once more, or stops it once more, after a crash: whether it was done is not known.
    pub(crate) fn find_child(&mut self, step: StepIndex, item: Option<u32>, attempt: u32) {
        if self.run.is_stopping() && step.get() < self.run.plan.ordinary_steps() {
            self.stop(step, item, StopReason::Run);
        } else {
            let parent = self.parent(step, item, attempt);
            self.effect(Effect::StartChild { step, item, attempt, parent });
        }
    }

    /// What the end of its run means to a step.
    pub(crate) fn child_outcome(
        &self,
        step: StepIndex,
        run: RunId,
        end: RunEnd,
        error: Option<RunError>,
        outputs: Value,
    ) -> Outcome {
        let code = match end {
            RunEnd::Succeeded => {
                return Outcome::Succeeded(json!({ "run": run, "state": end.name(), "outputs": outputs }));
            }
            RunEnd::Failed => "child-failed",
            RunEnd::Cancelled => "child-cancelled",
        };
        let workflow = match &self.run.plan.step(step).action {
            Action::Workflow(call) => call.workflow.as_str(),
            _ => "",
        };
        let reason = error.map(|error| match error.step {
            Some(step) => format!(": step `{step}`: {}", error.message),
            None => format!(": {}", error.message),
        });
        let message = format!("run {run} of `{workflow}` {}{}", end.name(), reason.unwrap_or_default());
        Outcome::Failed(StepError::fatal(code, message))
    }

    /// Works the end of the attempt under way in.
    pub(crate) fn finish(
        &mut self,
        step: StepIndex,
        item: Option<u32>,
        outcome: Outcome,
        chance: u64,
        report: Option<Box<AttemptReport>>,
    ) {
        let Some(record) = self.record(step, item) else { return };
        let (attempt, stopping) = (record.attempts, record.stopping);
        match (outcome, stopping) {
            // A result that came in spite of the request to stop is a result.
            (Outcome::Succeeded(output), _) => {
                self.emit(Event::StepSucceeded { step, item, attempt, output, cached: false, report });
            }
            (Outcome::Cached(output), _) => {
                self.emit(Event::StepSucceeded { step, item, attempt, output, cached: true, report });
            }
            (Outcome::Skipped(reason), _) => {
                self.emit(Event::StepSkipped { step, item, reason: SkipReason::Said(reason) });
            }
            // The step itself fails with its timeout, once all its items have stopped.
            (_, Some(StopReason::StepTimeout)) if item.is_some() => self.emit(Event::StepCancelled { step, item }),
            (Outcome::Blocked { .. } | Outcome::Failed(_), Some(StopReason::Run | StopReason::Sibling)) => {
                self.emit(Event::StepCancelled { step, item });
            }
            (Outcome::Blocked { message, report }, _) => {
                self.emit(Event::StepBlocked { step, item, attempt, message, report });
            }
            (Outcome::Failed(error), Some(StopReason::StepTimeout)) => {
                let error = StepError { details: error.details, ..self.step_timeout(step) };
                self.emit(Event::StepFailed { step, item, attempt, error, report });
            }
            (Outcome::Failed(error), None) => self.fail(step, item, error, chance, report),
        }
    }

    /// Another attempt, or the end of it.
    fn fail(
        &mut self,
        step: StepIndex,
        item: Option<u32>,
        error: StepError,
        chance: u64,
        report: Option<Box<AttemptReport>>,
    ) {
        let Some(record) = self.record(step, item) else { return };
        let (attempt, failures, started_ms) = (record.attempts, record.failures + 1, record.started_ms);
        let policy = &self.run.plan.step(step).retry;
        let due_ms = self.now_ms.saturating_add_unsigned(retry_wait(policy, failures, error.retry_after_ms, chance));
        let given_up = policy
            .give_up_after
            .zip(started_ms)
            .is_some_and(|(limit, started_ms)| due_ms > started_ms.saturating_add_unsigned(limit.as_millis()));
        // Waiting for an attempt that could not start in time would only delay the bad news.
        let too_late = given_up || self.run.step_deadline(step.get()).is_some_and(|deadline| due_ms >= deadline);
        if too_late || failures > policy.times || !policy.applies_to(&error.code, error.retryable) {
            self.emit(Event::StepFailed { step, item, attempt, error, report });
        } else {
            self.emit(Event::StepRetried { step, item, attempt, error, due_ms });
        }
    }

    pub(crate) fn step_timeout(&self, step: StepIndex) -> StepError {
        let step = self.run.plan.step(step);
        let limit = step.timeout.unwrap_or_default();
        StepError::fatal("step-timeout", format!("step `{}` took longer than its timeout of {limit}", step.id))
    }

    /// Whether an attempt of this step or item is under way.
    pub(crate) fn is_running(&self, step: StepIndex, item: Option<u32>) -> bool {
        self.record(step, item).is_some_and(|record| record.status == StepStatus::Running)
    }
}

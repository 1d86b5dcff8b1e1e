//! Steps with `foreach`: which items start, and how the step ends.

use trackside_spec::{OnFailure, StepIndex};

use crate::{
    decide::Moves,
    event::{Event, SkipReason, StepError},
    fanout::{Breach, Fanout, MAX_COLLECTED_BYTES},
    state::{Phase, RunState, StepStatus, StopReason},
};

/// Conditions of items that one command evaluates: 10,000 costly ones must not hold the dispatcher up. The rest waits for
/// the next [`Command::Wake`](crate::Command::Wake), which is due at once.
const CONDITIONS_AT_ONCE: usize = 256;

impl RunState {
    /// Whether items of the step could start at once: the last command had enough to do.
    pub(crate) fn has_backlog(&self, step: StepIndex) -> bool {
        let record = &self.steps[step.get()];
        let (Some(items), Some(foreach)) = (&record.items, &self.plan.step(step).foreach) else { return false };
        record.status == StepStatus::Running
            && record.stopping.is_none()
            && items.next().is_some()
            && items.open().len() < usize::from(foreach.max_parallel)
    }

    fn items_of(&self, step: StepIndex) -> Option<&Fanout> {
        self.steps.get(step.get())?.items.as_deref()
    }

    pub(crate) fn breach(&self, step: StepIndex) -> Option<Breach> {
        let policy = self.plan.step(step).foreach.as_ref().map_or(OnFailure::FailFast, |foreach| foreach.on_failure);
        self.items_of(step)?.breach(policy)
    }
}

impl Moves<'_> {
    /// Makes the list and starts its first items.
    pub(crate) fn expand(&mut self, step: StepIndex) {
        match self.run.expand(step) {
            Ok(items) => {
                self.emit(Event::StepExpanded { step, items });
                self.drive(step);
            }
            Err(none) => {
                let message = format!("the items of step `{}`: {}", self.run.plan.step(step).id, none.message);
                self.fail_unstarted(step, None, StepError::fatal(none.code, message));
            }
        }
    }

    /// Moves a step with items on; says whether it ended.
    pub(crate) fn drive(&mut self, step: StepIndex) -> bool {
        if !self.is_running(step, None) {
            return false;
        }
        if self.run.is_stopping() && self.run.phase == Phase::Running {
            self.halt(step, StopReason::Run);
        }
        if self.run.steps[step.get()].stopping.is_none() {
            self.fill(step);
        }
        if self.run.breach(step).is_some() {
            self.halt(step, StopReason::Sibling);
        }
        let Some(items) = self.run.items_of(step) else { return false };
        match self.run.steps[step.get()].stopping {
            Some(reason) if items.open().is_empty() => self.end_halted(step, reason),
            None if items.is_done() => {
                let (succeeded, skipped, failed) = items.counts();
                self.emit(Event::StepCollected { step, succeeded, skipped, failed });
            }
            _ => return false,
        }
        true
    }

    /// Starts items until as many are under way as may be.
    fn fill(&mut self, step: StepIndex) {
        let plan = self.run.plan.clone();
        let Some(foreach) = &plan.step(step).foreach else { return };
        let mut conditions = 0;
        while self.run.breach(step).is_none() {
            let Some(items) = self.run.items_of(step) else { return };
            let Some(item) = items.next().filter(|_| items.open().len() < usize::from(foreach.max_parallel)) else {
                return;
            };
            if let Some(when) = &foreach.when {
                if conditions == CONDITIONS_AT_ONCE {
                    return;
                }
                conditions += 1;
                match self.run.holds(step, Some(item), when) {
                    Ok(true) => {}
                    Ok(false) => {
                        self.emit(Event::StepSkipped { step, item: Some(item), reason: SkipReason::Condition });
                        continue;
                    }
                    Err(error) => {
                        let message = format!("`when_item` of step `{}`, item {item}: {error}", plan.step(step).id);
                        self.fail_unstarted(step, Some(item), StepError::fatal("bad-condition", message));
                        continue;
                    }
                }
            }
            self.begin(step, Some(item));
        }
    }

    /// Starts no more items and asks those under way to stop, once.
    pub(crate) fn halt(&mut self, step: StepIndex, reason: StopReason) {
        let record = &mut self.run.steps[step.get()];
        if record.stopping.is_none() {
            record.stopping = Some(reason);
            self.stop_items(step, reason);
        }
    }

    /// Ends the items that wait and asks those that run to stop.
    pub(crate) fn stop_items(&mut self, step: StepIndex, reason: StopReason) {
        let Some(items) = self.run.items_of(step) else { return };
        for item in items.open().clone() {
            if self.is_running(step, Some(item)) {
                self.stop(step, Some(item), reason);
            } else {
                self.emit(Event::StepCancelled { step, item: Some(item) });
            }
        }
    }

    /// Ends a step whose items have been stopped.
    fn end_halted(&mut self, step: StepIndex, reason: StopReason) {
        let failed = |moves: &mut Self, error: StepError| {
            moves.emit(Event::StepFailed { step, item: None, attempt: 0, error, report: None });
        };
        match (reason, self.run.breach(step)) {
            (StopReason::StepTimeout, _) => {
                let error = self.step_timeout(step);
                failed(self, error);
            }
            (StopReason::Sibling, Some(Breach::TooLarge)) => {
                let message = format!(
                    "the outputs of the items of step `{}` have more than {} MiB together; return artifacts instead",
                    self.run.plan.step(step).id,
                    MAX_COLLECTED_BYTES >> 20
                );
                failed(self, StepError::fatal("results-too-large", message));
            }
            (StopReason::Sibling, Some(Breach::Failed(item))) => {
                let record = self.record(step, Some(item)).map(|record| record.status.clone());
                match record {
                    Some(StepStatus::Blocked(error)) => {
                        let message = format!("item {item}: {}", error.message);
                        self.emit(Event::StepBlocked { step, item: None, attempt: 0, message, report: None });
                    }
                    Some(StepStatus::Failed(error)) => {
                        let message = format!("item {item}: {}", error.message);
                        failed(self, StepError { message, ..error });
                    }
                    _ => self.emit(Event::StepCancelled { step, item: None }),
                }
            }
            _ => self.emit(Event::StepCancelled { step, item: None }),
        }
    }
}

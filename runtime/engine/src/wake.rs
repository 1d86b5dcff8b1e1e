//! Time and crashes: what is due, and what goes on after the node went down.

use trackside_spec::{Action, StepIndex};

use crate::{
    command::Effect,
    decide::{Moves, index},
    event::{Event, StepError},
    state::{Phase, RunState, StepRecord, StepStatus, StopReason},
};

/// A step that was under way this many times when the node went down is given up: it may be what brings it down.
pub const MAX_INTERRUPTIONS: u32 = 50;

impl RunState {
    /// When the run wants [`Command::Wake`](crate::Command::Wake) next, milliseconds since 1970: a retry is due, or
    /// somebody's time is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        if matches!(self.phase, Phase::Ended(..)) {
            return None;
        }
        let steps = (0..self.steps.len()).filter_map(|position| self.next_of_step(position));
        steps.chain(self.run_deadline()).chain(self.queue_deadline()).min()
    }

    fn next_of_step(&self, position: usize) -> Option<i64> {
        let (step, record) = (index(position), &self.steps[position]);
        let limit = self.step_deadline(position).filter(|_| record.stopping.is_none());
        match &record.items {
            None => self.next_of(step, record, limit),
            Some(_) if record.status.is_final() => None,
            Some(items) => {
                let open = items.open().iter().filter_map(|item| items.record(*item));
                let items = open.filter_map(|record| self.next_of(step, record, None));
                let backlog = self.has_backlog(step) && !self.is_held();
                items.chain(limit).chain(backlog.then_some(self.started_ms)).min()
            }
        }
    }

    fn next_of(&self, step: StepIndex, record: &StepRecord, limit: Option<i64>) -> Option<i64> {
        let own = match record.status {
            StepStatus::Waiting { .. } if self.is_held() => None,
            StepStatus::Waiting { due_ms } => Some(due_ms),
            StepStatus::Queued { since_ms } => self.mutex_deadline(step, since_ms),
            StepStatus::Asking { deadline_ms } => deadline_ms,
            StepStatus::Suspended { until_ms, .. } => until_ms,
            StepStatus::Running => None,
            _ => return None,
        };
        own.into_iter().chain(limit).min()
    }

    pub(crate) fn run_deadline(&self) -> Option<i64> {
        let open = self.phase == Phase::Running && !self.is_stopping() && !self.is_queued();
        let timeout = self.plan.timeout.filter(|_| open)?;
        let begun = self.membership.as_ref().and_then(|membership| membership.admitted_ms);
        Some(begun.unwrap_or(self.started_ms).saturating_add_unsigned(timeout.as_millis()))
    }

    fn queue_deadline(&self) -> Option<i64> {
        let timeout = self.plan.queue_timeout.filter(|_| self.is_queued() && !self.is_stopping())?;
        Some(self.started_ms.saturating_add_unsigned(timeout.as_millis()))
    }

    pub(crate) fn step_deadline(&self, position: usize) -> Option<i64> {
        let timeout = self.plan.steps[position].timeout?;
        Some(self.steps[position].started_ms?.saturating_add_unsigned(timeout.as_millis()))
    }

    fn mutex_deadline(&self, step: StepIndex, since_ms: i64) -> Option<i64> {
        Some(since_ms.saturating_add_unsigned(self.plan.step(step).queue_timeout?.as_millis()))
    }
}

impl Moves<'_> {
    pub(crate) fn wake(&mut self) {
        let passed = |deadline: Option<i64>, now_ms: i64| deadline.is_some_and(|deadline| deadline <= now_ms);
        if passed(self.run.queue_deadline(), self.now_ms) {
            let limit = self.run.plan.queue_timeout.unwrap_or_default();
            let group = self.run.group().unwrap_or_default();
            let message = format!("the run waited longer than {limit} for a place in the concurrency group `{group}`");
            self.fail_run("queue-timeout", message);
        }
        if passed(self.run.run_deadline(), self.now_ms) {
            self.emit(Event::TimedOut);
            self.stop_all();
        }
        for position in 0..self.run.steps.len() {
            let step = index(position);
            let over = passed(self.run.step_deadline(position), self.now_ms);
            let open = self.run.steps[position].items.as_ref().map(|items| items.open().clone());
            match open {
                None => self.wake_one(step, None, over),
                Some(_) if !self.is_running(step, None) => {}
                Some(_) if over => self.halt(step, StopReason::StepTimeout),
                // After a crash: what was being stopped is not started once more.
                Some(_) if self.run.breach(step).is_some() => self.halt(step, StopReason::Sibling),
                Some(open) => open.into_iter().for_each(|item| self.wake_one(step, Some(item), false)),
            }
        }
    }

    /// `over`: the time of the step as a whole has passed.
    fn wake_one(&mut self, step: StepIndex, item: Option<u32>, over: bool) {
        let Some(record) = self.record(step, item) else { return };
        match record.status {
            StepStatus::Running if over && record.stopping.is_none() => {
                self.stop(step, item, StopReason::StepTimeout);
            }
            StepStatus::Waiting { .. } | StepStatus::Queued { .. } if over => {
                let error = self.step_timeout(step);
                self.fail_unstarted(step, item, error);
            }
            StepStatus::Waiting { due_ms } if due_ms <= self.now_ms && !self.run.is_held() => self.begin(step, item),
            StepStatus::Queued { since_ms }
                if self.run.mutex_deadline(step, since_ms).is_some_and(|deadline| deadline <= self.now_ms) =>
            {
                let definition = self.run.plan.step(step);
                let limit = definition.queue_timeout.unwrap_or_default();
                let mutex = definition.mutex.as_deref().unwrap_or_default();
                let message = format!("step `{}` waited longer than {limit} for the mutex `{mutex}`", definition.id);
                self.fail_unstarted(step, item, StepError::fatal("queue-timeout", message));
            }
            StepStatus::Asking { deadline_ms: Some(deadline_ms) } if deadline_ms <= self.now_ms => {
                self.decide_by_time(step);
            }
            StepStatus::Suspended { until_ms: Some(until_ms), .. } if until_ms <= self.now_ms => {
                self.resume_by_time(step);
            }
            _ => {}
        }
    }

    pub(crate) fn recover(&mut self) {
        if let Some(membership) = &self.run.membership {
            let (group, admitted) = (membership.group.clone(), membership.admitted_ms.is_some());
            self.effect(Effect::Enter { group, admitted });
        }
        for position in 0..self.run.steps.len() {
            let step = index(position);
            let open = self.run.steps[position].items.as_ref().map(|items| items.open().clone());
            match open {
                None => self.recover_one(step, None),
                Some(open) => open.into_iter().for_each(|item| self.recover_one(step, Some(item))),
            }
        }
        self.wake();
    }

    fn recover_one(&mut self, step: StepIndex, item: Option<u32>) {
        let Some(record) = self.record(step, item) else { return };
        let (attempt, interruptions) = (record.attempts, record.interruptions);
        match record.status {
            StepStatus::Queued { .. } => self.effect(Effect::Acquire { step, item, held: false }),
            StepStatus::Running if matches!(self.run.plan.step(step).action, Action::Workflow(_)) => {
                // The other run goes on, and so does the attempt: nobody else may have its mutex.
                if self.run.plan.step(step).mutex.is_some() {
                    self.effect(Effect::Acquire { step, item, held: true });
                }
                self.find_child(step, item, attempt);
            }
            StepStatus::Running if self.run.is_stopping() && self.run.phase == Phase::Running => {
                self.emit(Event::StepCancelled { step, item });
            }
            StepStatus::Running if interruptions >= MAX_INTERRUPTIONS => {
                let message = format!(
                    "the node went down {MAX_INTERRUPTIONS} times while this step ran; it is not tried again: see the \
                     system's log for what ended the node"
                );
                self.fail_unstarted(step, item, StepError::fatal("interrupted-too-often", message));
            }
            StepStatus::Running => self.emit(Event::StepInterrupted { step, item, attempt }),
            _ => {}
        }
    }
}

//! What each fact changes; `legal` says which may follow which.

use std::sync::Arc;

use serde_json::Value;
use trackside_spec::StepIndex;

use crate::{
    event::{Event, RunError, StepError},
    fanout::Fanout,
    id::RunId,
    legal::Impossible,
    state::{Membership, Phase, RunState, StepRecord, StepStatus},
};

/// An event that can not follow the ones before it: a damaged journal, or one of another definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("run {run}: {event} is not possible now ({reason}); the journal of this run is damaged")]
pub struct IllegalTransition {
    run: RunId,
    event: String,
    #[source]
    reason: Impossible,
}

impl RunState {
    /// Takes a fact over.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the fact can not follow the facts before it; the state is then unchanged.
    pub fn apply(&mut self, event: &Event, at_ms: i64) -> Result<(), IllegalTransition> {
        self.check(event).map_err(|reason| {
            let name = serde_json::to_value(event).ok().and_then(|v| v["event"].as_str().map(str::to_owned));
            IllegalTransition { run: self.id, event: name.unwrap_or_default(), reason }
        })?;
        match event {
            Event::Started { params, trigger, logical_time_ms, parent } => {
                self.params = params.clone();
                self.trigger = Arc::new(trigger.clone());
                self.logical_time_ms = *logical_time_ms;
                self.parent = *parent;
                self.started_ms = at_ms;
            }
            Event::Queued { group } => self.membership = Some(Membership { group: group.clone(), admitted_ms: None }),
            Event::Admitted => {
                if let Some(membership) = &mut self.membership {
                    membership.admitted_ms = Some(at_ms);
                }
            }
            Event::Paused { by } => self.paused_by = Some(by.clone()),
            Event::Resumed { .. } => self.paused_by = None,
            Event::Retries { run, .. } => self.repeats = Some(*run),
            Event::RunFailed { code, message } => {
                self.broken = Some(RunError { step: None, code: code.clone(), message: message.clone() });
            }
            Event::CancelRequested { by } => self.cancelled_by = Some(by.clone()),
            Event::TimedOut => self.timed_out = true,
            Event::Finishing { end, error } => self.phase = Phase::Finishing(*end, error.clone()),
            Event::Ended { end, error, outputs } => {
                self.phase = Phase::Ended(*end, error.clone());
                self.ended_ms = Some(at_ms);
                self.outputs = outputs.clone();
            }
            Event::Delivered { .. } | Event::DeliveryRefused { .. } | Event::ApprovalDecided { .. } => {}
            Event::StepExpanded { step, items } => self.change(*step, None, |record| {
                record.items = Some(Box::new(Fanout::new(items.clone())));
                record.status = StepStatus::Running;
                record.started_ms = Some(at_ms);
            }),
            Event::StepCollected { step, .. } => {
                let output = self.steps.get_mut(step.get()).and_then(|record| record.items.as_mut());
                let output = output.map_or(Value::Null, |items| items.collect());
                self.end(*step, None, StepStatus::Succeeded, at_ms, Some(&output));
            }
            Event::StepQueued { step, item, .. } => {
                self.change(*step, *item, |record| record.status = StepStatus::Queued { since_ms: at_ms });
            }
            Event::StepStarted { step, item, attempt } => self.change(*step, *item, |record| {
                record.status = StepStatus::Running;
                record.attempts = *attempt;
                record.child = None;
                record.started_ms.get_or_insert(at_ms);
            }),
            Event::ChildStarted { step, item, run, .. } => {
                self.change(*step, *item, |record| record.child = Some(*run));
            }
            Event::ApprovalRequested { step, deadline_ms, .. } => self.change(*step, None, |record| {
                record.status = StepStatus::Asking { deadline_ms: *deadline_ms };
                record.attempts = 1;
                record.started_ms.get_or_insert(at_ms);
            }),
            Event::StepSuspended { step, until_ms, on } => self.change(*step, None, |record| {
                record.status = StepStatus::Suspended { until_ms: *until_ms, on_event: on.is_some() };
                record.attempts = 1;
                record.started_ms.get_or_insert(at_ms);
            }),
            Event::StepSucceeded { step, item, output, .. } => {
                self.end(*step, *item, StepStatus::Succeeded, at_ms, Some(output));
            }
            Event::StepTaken { step, output } => self.end(*step, None, StepStatus::Succeeded, at_ms, Some(output)),
            Event::StepSkipped { step, item, reason } => {
                self.end(*step, *item, StepStatus::Skipped(reason.clone()), at_ms, None);
            }
            Event::StepRetried { step, item, due_ms, .. } => self.change(*step, *item, |record| {
                record.failures += 1;
                record.stopping = None;
                record.status = StepStatus::Waiting { due_ms: *due_ms };
            }),
            Event::StepFailed { step, item, error, .. } => {
                self.change(*step, *item, |record| record.failures += 1);
                self.end(*step, *item, StepStatus::Failed(error.clone()), at_ms, None);
            }
            Event::StepBlocked { step, item, message, .. } => {
                let error = StepError::fatal("blocked", message.clone());
                self.end(*step, *item, StepStatus::Blocked(error), at_ms, None);
            }
            Event::StepCancelled { step, item } => self.end(*step, *item, StepStatus::Cancelled, at_ms, None),
            Event::StepInterrupted { step, item, .. } => self.change(*step, *item, |record| {
                record.interruptions += 1;
                record.stopping = None;
                record.status = StepStatus::Waiting { due_ms: at_ms };
            }),
        }
        Ok(())
    }

    fn change(&mut self, step: StepIndex, item: Option<u32>, change: impl FnOnce(&mut StepRecord)) {
        let Some(record) = self.steps.get_mut(step.get()) else { return };
        match item {
            None => change(record),
            Some(item) => {
                if let Some(record) = record.items.as_mut().and_then(|items| items.record_mut(item)) {
                    change(record);
                }
            }
        }
    }

    fn end(&mut self, step: StepIndex, item: Option<u32>, status: StepStatus, at_ms: i64, output: Option<&Value>) {
        self.change(step, item, |record| {
            record.status = status;
            record.ended_ms = Some(at_ms);
            record.stopping = None;
        });
        match item {
            Some(item) => {
                if let Some(items) = self.steps.get_mut(step.get()).and_then(|record| record.items.as_mut()) {
                    items.close(item, output);
                }
            }
            None => {
                let id = self.plan.steps.get(step.get()).map(|step| step.id.clone());
                if let (Value::Object(outputs), Some(output), Some(id)) = (&mut self.step_outputs, output, id) {
                    outputs.insert(id, output.clone());
                }
            }
        }
    }
}

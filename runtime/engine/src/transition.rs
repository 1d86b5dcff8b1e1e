//! Which fact may follow which, and what each changes.

use std::sync::Arc;

use serde_json::Value;
use trackside_spec::StepIndex;

use crate::{
    event::{Event, RUN_UNREADABLE, RunError, StepError},
    fanout::Fanout,
    id::RunId,
    state::{Membership, Phase, RunState, StepRecord, StepStatus},
};

/// An event that can not follow the ones before it: a damaged journal, or one of another definition.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("run {run}: {event} is not possible now ({reason}); the journal of this run is damaged")]
pub struct IllegalTransition {
    run: RunId,
    event: String,
    reason: String,
}

/// What an event asks of the step or item that it is about.
type Fits = fn(&StepStatus) -> bool;

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
            _ => self.apply_to_step(event, at_ms),
        }
        Ok(())
    }

    fn apply_to_step(&mut self, event: &Event, at_ms: i64) {
        match event {
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
            _ => {}
        }
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

    /// The legal transitions, in one place.
    fn check(&self, event: &Event) -> Result<(), String> {
        let demand = |holds: bool, reason: &str| if holds { Ok(()) } else { Err(reason.to_owned()) };
        let ended = matches!(self.phase, Phase::Ended(..));
        match event {
            Event::Started { .. } => {
                let fresh = self.started_ms == 0 && self.steps.iter().all(|s| s.status == StepStatus::Pending);
                return demand(fresh, "it has started already");
            }
            Event::Delivered { step, item, .. } | Event::DeliveryRefused { step, item, .. } => {
                let known = self.record(*step, *item).is_some_and(|s| s.status == StepStatus::Succeeded);
                return demand(known, "the step did not succeed");
            }
            _ if ended => return Err("the run has ended".to_owned()),
            Event::CancelRequested { .. } | Event::TimedOut => return Ok(()),
            Event::Paused { .. } => {
                return demand(self.phase == Phase::Running && self.paused_by.is_none(), "it is paused or ending");
            }
            Event::Resumed { .. } => return demand(self.paused_by.is_some(), "it is not paused"),
            Event::Retries { .. } => {
                let fresh = self.repeats.is_none() && self.steps.iter().all(|s| s.status == StepStatus::Pending);
                return demand(fresh, "it has begun already");
            }
            Event::StepTaken { .. } if self.repeats.is_none() => return Err("it repeats no run".to_owned()),
            Event::RunFailed { .. } => return demand(self.phase == Phase::Running, "the steps have ended"),
            Event::Queued { .. } => {
                // A run that repeats another one has taken the ends of steps over by then.
                let taken = |s: &StepRecord| self.repeats.is_some() && s.status.is_final();
                let fresh = self.steps.iter().all(|s| s.status == StepStatus::Pending || taken(s));
                return demand(self.membership.is_none() && fresh, "it has begun already");
            }
            Event::Admitted => return demand(self.is_queued(), "it waits for no group"),
            Event::Finishing { .. } => {
                let over = self.phase == Phase::Running && self.ordinary().all(|s| s.status.is_final());
                return demand(over, "steps are still open");
            }
            Event::Ended { error: Some(error), .. } if error.code == RUN_UNREADABLE => return Ok(()),
            Event::Ended { .. } => {
                // Handlers that nobody called are still pending.
                let over = self.steps.iter().all(|s| s.status.is_final() || s.status == StepStatus::Pending);
                return demand(over && self.ordinary().all(|s| s.status.is_final()), "steps are still open");
            }
            _ => {}
        }
        let (step, item, fits) = demands(event).ok_or_else(|| "it is about no step".to_owned())?;
        let record = self.steps.get(step.get()).ok_or_else(|| format!("there is no step {}", step.0))?;
        let name = || self.plan.step(step).id.clone();
        let status = match (item, &record.items) {
            (None, None) if self.plan.step(step).foreach.is_some() => {
                let before = matches!(
                    event,
                    Event::StepExpanded { .. }
                        | Event::StepSkipped { .. }
                        | Event::StepTaken { .. }
                        | Event::StepFailed { .. }
                        | Event::StepCancelled { .. }
                );
                demand(before, "the step runs for each item, and they are not known yet")?;
                &record.status
            }
            (None, None) => {
                demand(!matches!(event, Event::StepExpanded { .. }), "the step has no foreach")?;
                &record.status
            }
            (None, Some(items)) => {
                let end = matches!(
                    event,
                    Event::StepCollected { .. }
                        | Event::StepFailed { .. }
                        | Event::StepBlocked { .. }
                        | Event::StepCancelled { .. }
                );
                demand(end && items.open().is_empty(), "items of the step are still open")?;
                let left = matches!(event, Event::StepCollected { .. }) && items.next().is_some();
                demand(!left, "items of the step have not started")?;
                &record.status
            }
            (Some(_), None) => return Err(format!("step {} has no items", name())),
            (Some(item), Some(items)) => {
                demand(record.status == StepStatus::Running, "the step of the item has ended")?;
                match items.record(item) {
                    Some(record) => &record.status,
                    None => {
                        demand(items.next() == Some(item), "the items before it have not started")?;
                        &StepStatus::Pending
                    }
                }
            }
        };
        demand(fits(status), &format!("step {} is {}", name(), status.name()))
    }
}

/// The step or item that an event is about, and the statuses that it may find it in.
fn demands(event: &Event) -> Option<(StepIndex, Option<u32>, Fits)> {
    let ready: Fits = |s| matches!(s, StepStatus::Pending | StepStatus::Waiting { .. });
    let running: Fits = |s| *s == StepStatus::Running;
    let asking: Fits = |s| matches!(s, StepStatus::Asking { .. });
    Some(match event {
        Event::StepExpanded { step, .. } | Event::ApprovalRequested { step, .. } | Event::StepTaken { step, .. } => {
            (*step, None, |s| *s == StepStatus::Pending)
        }
        Event::StepQueued { step, item, .. } => (*step, *item, ready),
        Event::StepStarted { step, item, .. } => (*step, *item, |s| {
            matches!(s, StepStatus::Pending | StepStatus::Waiting { .. } | StepStatus::Queued { .. })
        }),
        Event::StepCollected { step, .. } => (*step, None, running),
        Event::ApprovalDecided { step, .. } => (*step, None, asking),
        Event::ChildStarted { step, item, .. }
        | Event::StepRetried { step, item, .. }
        | Event::StepInterrupted { step, item, .. }
        | Event::StepBlocked { step, item, .. } => (*step, *item, running),
        Event::StepSucceeded { step, item, .. } => {
            (*step, *item, |s| matches!(s, StepStatus::Running | StepStatus::Asking { .. }))
        }
        Event::StepSkipped { step, item, .. } => {
            (*step, *item, |s| matches!(s, StepStatus::Pending | StepStatus::Running))
        }
        Event::StepFailed { step, item, .. } | Event::StepCancelled { step, item } => (*step, *item, |s| !s.is_final()),
        _ => return None,
    })
}

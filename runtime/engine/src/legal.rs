//! What each event demands of the facts before it: the legal transitions, in one table.

use crate::{
    about::EventAt,
    event::{Event, RUN_UNREADABLE},
    state::{Phase, RunState, StepRecord, StepStatus},
};

/// What an event demands. All but the first two can not come any more once the run has ended.
enum Demand {
    /// Nothing came before it.
    First,
    /// The step that it is about, or the item, ended well.
    Made,
    /// The run has not ended.
    Open,
    /// This holds of the run; or else what is said here.
    Run(fn(&RunState) -> bool, &'static str),
    /// The step that it is about, or the item, has such a status.
    Step(Fits, Whole),
    /// The same, and the run repeats another one.
    Repeated(Fits, Whole),
}

type Fits = fn(&StepStatus) -> bool;

/// When an event may be about a step as a whole. Of one that names an item it says nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    /// The step has no items.
    Single,
    /// It has some, and they become known now.
    Opens,
    /// It has none, or they are not known yet.
    Unopened,
    /// It has none, or all that were begun have ended.
    Closed,
    /// The same, and none is left to begin.
    Collected,
    /// Any of them.
    Any,
}

/// Exhaustive, as [`Event::about`] and [`RunState::apply`] are: a new event does not compile before it stands in all three.
fn demand(event: &Event) -> Demand {
    use Demand::{First, Made, Open, Repeated, Run, Step};
    let pending: Fits = |status| *status == StepStatus::Pending;
    let running: Fits = |status| *status == StepStatus::Running;
    match event {
        Event::Started { .. } => First,
        Event::Delivered { .. } | Event::DeliveryRefused { .. } => Made,
        Event::CancelRequested { .. } | Event::TimedOut => Open,
        Event::Paused { .. } => {
            Run(|run| run.phase == Phase::Running && run.paused_by.is_none(), "it is paused or ending")
        }
        Event::Resumed { .. } => Run(|run| run.paused_by.is_some(), "it is not paused"),
        Event::Retries { .. } => Run(
            |run| run.repeats.is_none() && run.steps.iter().all(|step| step.status == StepStatus::Pending),
            "it has begun already",
        ),
        Event::RunFailed { .. } => Run(|run| run.phase == Phase::Running, "the steps have ended"),
        Event::Queued { .. } => Run(
            |run| {
                // A run that repeats another one has taken the ends of steps over by then.
                let taken = |step: &StepRecord| run.repeats.is_some() && step.status.is_final();
                let fresh = run.steps.iter().all(|step| step.status == StepStatus::Pending || taken(step));
                run.membership.is_none() && fresh
            },
            "it has begun already",
        ),
        Event::Admitted => Run(RunState::is_queued, "it waits for no group"),
        Event::Finishing { .. } => Run(
            |run| run.phase == Phase::Running && run.ordinary().all(|step| step.status.is_final()),
            "steps are still open",
        ),
        Event::Ended { error: Some(error), .. } if error.code == RUN_UNREADABLE => Open,
        Event::Ended { .. } => Run(
            |run| {
                // Handlers that nobody called are still pending.
                let over = |step: &StepRecord| step.status.is_final() || step.status == StepStatus::Pending;
                run.steps.iter().all(over) && run.ordinary().all(|step| step.status.is_final())
            },
            "steps are still open",
        ),
        Event::StepTaken { .. } => Repeated(pending, Whole::Unopened),
        Event::StepExpanded { .. } => Step(pending, Whole::Opens),
        Event::ApprovalRequested { .. } | Event::StepSuspended { .. } => Step(pending, Whole::Single),
        Event::StepQueued { .. } => {
            Step(|status| matches!(status, StepStatus::Pending | StepStatus::Waiting { .. }), Whole::Single)
        }
        Event::StepStarted { .. } => Step(
            |status| matches!(status, StepStatus::Pending | StepStatus::Waiting { .. } | StepStatus::Queued { .. }),
            Whole::Single,
        ),
        Event::StepCollected { .. } => Step(running, Whole::Collected),
        Event::ApprovalDecided { .. } => Step(|status| matches!(status, StepStatus::Asking { .. }), Whole::Single),
        Event::ChildStarted { .. } | Event::StepRetried { .. } | Event::StepInterrupted { .. } => {
            Step(running, Whole::Single)
        }
        Event::StepBlocked { .. } => Step(running, Whole::Closed),
        Event::StepSucceeded { .. } => {
            let fits: Fits = |status| {
                matches!(status, StepStatus::Running | StepStatus::Asking { .. } | StepStatus::Suspended { .. })
            };
            Step(fits, Whole::Single)
        }
        Event::StepSkipped { .. } => {
            Step(|status| matches!(status, StepStatus::Pending | StepStatus::Running), Whole::Unopened)
        }
        Event::StepFailed { .. } | Event::StepCancelled { .. } => Step(|status| !status.is_final(), Whole::Any),
    }
}

/// Why an event can not follow the facts so far.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Impossible {
    /// What it demands of the run does not hold.
    #[error("{0}")]
    Facts(&'static str),
    /// It is about a step that the definition does not have.
    #[error("there is no step {0}")]
    NoStep(u16),
    /// It is about an item of a step that has none.
    #[error("step {0} has no items")]
    NoItems(String),
    /// The step stands where the event can not come.
    #[error("step {step} is {status}")]
    Status { step: String, status: &'static str },
}

fn holds(what: bool, or_else: &'static str) -> Result<(), Impossible> {
    if what { Ok(()) } else { Err(Impossible::Facts(or_else)) }
}

impl RunState {
    /// Whether the event can follow the facts so far.
    pub(crate) fn check(&self, event: &Event) -> Result<(), Impossible> {
        let about = || event.about().ok_or(Impossible::Facts("it is about no step"));
        let open = || holds(!matches!(self.phase, Phase::Ended(..)), "the run has ended");
        match demand(event) {
            Demand::First => {
                let fresh = self.started_ms == 0 && self.steps.iter().all(|step| step.status == StepStatus::Pending);
                holds(fresh, "it has started already")
            }
            Demand::Made => {
                let at = about()?;
                let made = self.record(at.step, at.item).is_some_and(|step| step.status == StepStatus::Succeeded);
                holds(made, "the step did not succeed")
            }
            Demand::Open => open(),
            Demand::Run(what, or_else) => {
                open()?;
                holds(what(self), or_else)
            }
            Demand::Step(fits, whole) => {
                open()?;
                self.check_step(about()?, fits, whole)
            }
            Demand::Repeated(fits, whole) => {
                open()?;
                holds(self.repeats.is_some(), "it repeats no run")?;
                self.check_step(about()?, fits, whole)
            }
        }
    }

    fn check_step(&self, EventAt { step, item, .. }: EventAt, fits: Fits, whole: Whole) -> Result<(), Impossible> {
        let record = self.steps.get(step.get()).ok_or(Impossible::NoStep(step.0))?;
        let name = || self.plan.step(step).id.clone();
        let status = match (item, &record.items) {
            (None, None) if self.plan.step(step).foreach.is_some() => {
                let before = matches!(whole, Whole::Opens | Whole::Unopened | Whole::Any);
                holds(before, "the step runs for each item, and they are not known yet")?;
                &record.status
            }
            (None, None) => {
                holds(whole != Whole::Opens, "the step has no foreach")?;
                &record.status
            }
            (None, Some(items)) => {
                let end = matches!(whole, Whole::Closed | Whole::Collected | Whole::Any);
                holds(end && items.open().is_empty(), "items of the step are still open")?;
                let left = whole == Whole::Collected && items.next().is_some();
                holds(!left, "items of the step have not started")?;
                &record.status
            }
            (Some(_), None) => return Err(Impossible::NoItems(name())),
            (Some(item), Some(items)) => {
                holds(record.status == StepStatus::Running, "the step of the item has ended")?;
                match items.record(item) {
                    Some(record) => &record.status,
                    None => {
                        holds(items.next() == Some(item), "the items before it have not started")?;
                        &StepStatus::Pending
                    }
                }
            }
        };
        if fits(status) { Ok(()) } else { Err(Impossible::Status { step: name(), status: status.name() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_that_demands_something_of_a_step_is_about_one() {
        for line in include_str!("../tests/stored_events.jsonl").lines() {
            let event: Event = serde_json::from_str(line).unwrap();
            let of_a_step = matches!(demand(&event), Demand::Made | Demand::Step(..) | Demand::Repeated(..));
            assert_eq!(of_a_step, event.about().is_some(), "{line}");
        }
    }
}

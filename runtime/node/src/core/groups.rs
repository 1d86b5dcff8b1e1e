//! Concurrency groups and mutexes: who is in, who waits, and who was in before the node went down.

use serde_json::Value;
use trackside_engine::{
    Admission, AdmissionCommand, AdmissionDecision, Command, Gate, Holder, Request, RunId, concurrency_group,
};
use trackside_facts::TriggerDocument;
use trackside_spec::{OnConflict, Plan, StepIndex};

use super::dispatch::Core;

/// Who is in which concurrency group, and who holds which mutex.
pub(super) struct Groups {
    admission: Admission,
    /// Wishes for a place from before the first input: those that had one come first.
    returning: Option<Vec<Returning>>,
}

/// A wish of a run that was under way when the node went down.
struct Returning {
    gate: Gate,
    holder: Holder,
    /// Whether it was in.
    had: bool,
}

impl Groups {
    /// Nobody is in. Until [`Groups::all_are_back`] wishes are kept and not answered.
    pub(super) fn new() -> Self {
        Self { admission: Admission::new(), returning: Some(Vec::new()) }
    }

    /// Keeps a wish while not all runs are back; says whether it did.
    fn keep(&mut self, gate: &Gate, holder: Holder, had: bool) -> bool {
        let Some(returning) = &mut self.returning else { return false };
        returning.push(Returning { gate: gate.clone(), holder, had });
        true
    }

    /// All runs are back: lets those in that were in before. Gives what follows, and who else asked, in order.
    fn all_are_back(&mut self) -> (Vec<AdmissionDecision>, Vec<(Gate, Holder)>) {
        let (inside, outside): (Vec<_>, Vec<_>) =
            self.returning.take().unwrap_or_default().into_iter().partition(|one| one.had);
        let rejoin = |Returning { gate, holder, .. }| self.admission.handle(AdmissionCommand::Rejoin { gate, holder });
        let decisions = inside.into_iter().map(rejoin).collect();
        (decisions, outside.into_iter().map(|one| (one.gate, one.holder)).collect())
    }

    fn enter(&mut self, request: Request) -> AdmissionDecision {
        self.admission.handle(AdmissionCommand::Enter(request))
    }

    /// Gives a place back, or the wish for it.
    fn leave(&mut self, gate: Gate, holder: Holder) -> AdmissionDecision {
        if let Some(returning) = &mut self.returning {
            returning.retain(|one| one.gate != gate || one.holder != holder);
        }
        self.admission.handle(AdmissionCommand::Leave { gate, holder })
    }

    /// What is in the way of a run that is not to wait; `None` when nothing is.
    pub(super) fn conflict(&self, plan: &Plan, params: &Value, trigger: &TriggerDocument) -> Option<String> {
        let concurrency = plan.concurrency.as_ref().filter(|c| c.on_conflict == OnConflict::Skip)?;
        let group = concurrency_group(plan, params, trigger).ok()??;
        let (inside, waiting) = self.admission.standing(&Gate::Group(group.clone()));
        let full = inside.len() >= concurrency.limit as usize || !waiting.is_empty();
        full.then(|| {
            let runs: Vec<String> = inside.iter().take(3).map(|holder| holder.run.to_string()).collect();
            format!("the concurrency group `{group}` has no room: run {} is under way", runs.join(", "))
        })
    }

    /// Sizes of what grows.
    #[cfg(test)]
    pub(super) fn left_over(&self) -> [(&'static str, usize); 2] {
        [
            ("concurrency groups and mutexes", usize::from(!self.admission.is_empty())),
            ("runs of before", self.returning.as_ref().map_or(0, Vec::len)),
        ]
    }
}

impl Core {
    /// All runs that were under way are here: groups are filled again and mutexes taken, by those first that had them before.
    pub(super) fn fill_groups(&mut self) {
        let (decisions, outside) = self.groups.all_are_back();
        decisions.into_iter().for_each(|decision| self.admit(decision));
        outside.into_iter().for_each(|(gate, holder)| self.enter(gate, holder));
    }

    /// Asks for a place, or for the one that it had; at a start only when all have asked.
    pub(super) fn knock(&mut self, gate: Gate, holder: Holder, had: bool) {
        if !self.groups.keep(&gate, holder, had) {
            self.enter(gate, holder);
        }
    }

    /// Gives a place back, or the wish for it.
    pub(super) fn leave(&mut self, gate: Gate, holder: Holder) {
        let decision = self.groups.leave(gate, holder);
        self.admit(decision);
    }

    /// The mutex of a step.
    pub(super) fn mutex_of(&self, run: RunId, step: StepIndex) -> Option<Gate> {
        Some(Gate::Mutex(self.live.state(run)?.plan().step(step).mutex.clone()?))
    }

    fn enter(&mut self, gate: Gate, holder: Holder) {
        let Some(state) = self.live.state(holder.run) else { return };
        let plan = state.plan();
        let request = match (holder.step, &plan.concurrency) {
            (Some((step, _)), _) => {
                let priority = plan.priority_of(step);
                Request { gate, holder, limit: 1, priority, on_conflict: OnConflict::Queue }
            }
            (None, Some(concurrency)) => Request {
                gate,
                holder,
                limit: concurrency.limit,
                priority: plan.priority,
                // A run that is there has been accepted: it was asked before whether it is to be skipped.
                on_conflict: match concurrency.on_conflict {
                    OnConflict::CancelRunning => OnConflict::CancelRunning,
                    OnConflict::Queue | OnConflict::Skip => OnConflict::Queue,
                },
            },
            (None, None) => return,
        };
        let decision = self.groups.enter(request);
        self.admit(decision);
    }

    fn admit(&mut self, decision: AdmissionDecision) {
        for (_, holder) in decision.admitted {
            let command = match holder.step {
                None => Command::Admit,
                Some((step, item)) => Command::Acquired { step, item },
            };
            self.later(holder.run, command);
        }
        for (gate, holder) in decision.cancelled {
            let (Gate::Group(name) | Gate::Mutex(name)) = gate;
            let by = format!("a later run of the concurrency group `{name}`");
            self.later(holder.run, Command::Cancel { by });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(run: i64) -> Holder {
        Holder { run: RunId::from_i64(run), step: None }
    }

    fn request(run: i64) -> Request {
        let gate = Gate::Group("g".into());
        Request { gate, holder: holder(run), limit: 1, priority: 0, on_conflict: OnConflict::Queue }
    }

    #[test]
    fn who_was_in_before_is_in_again_before_who_asked_earlier() {
        let (mut groups, gate) = (Groups::new(), Gate::Group("g".into()));
        assert!(groups.keep(&gate, holder(1), false) && groups.keep(&gate, holder(2), true));
        let (_, outside) = groups.all_are_back();
        assert_eq!(outside, [(gate.clone(), holder(1))]);
        assert!(!groups.keep(&gate, holder(3), false), "who comes now is answered");
        assert!(groups.enter(request(1)).admitted.is_empty());
        let next = groups.leave(gate, holder(2)).admitted;
        assert_eq!(next.len(), 1, "{next:?}");
    }

    #[test]
    fn a_wish_that_is_taken_back_before_all_are_there_is_forgotten() {
        let (mut groups, gate) = (Groups::new(), Gate::Group("g".into()));
        groups.keep(&gate, holder(1), true);
        groups.leave(gate, holder(1));
        let (decisions, outside) = groups.all_are_back();
        assert!(decisions.is_empty() && outside.is_empty());
        assert!(groups.left_over().iter().all(|(_, size)| *size == 0));
    }
}

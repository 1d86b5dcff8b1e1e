//! What runs have to do with each other: a step that is another run, from its start to the news of its end; and which of the
//! engine's effects concern others.

use serde_json::Value;
use trackside_engine::{Command, Effect, Gate, Holder, Outcome, Parent, Phase, RunId, StepError};
use trackside_facts::{Cause, TriggerDocument};
use trackside_spec::Action as StepAction;

use super::{
    accept::{Origin, Params, Wish},
    attempts::Slot,
    dispatch::Core,
    ledger::{Held, Known, Unreadable},
    types::{Action, LedgerEntry, PastEnd},
};

/// The ledger's name for children: their identity is the key that their parent's attempt gives them.
const CHILDREN: &str = "workflow";

impl Core {
    /// The effects that concern other runs.
    pub(super) fn of_others(&mut self, run: RunId, effect: Effect, now_ms: i64) {
        match effect {
            Effect::StartChild { step, item, attempt, parent } => match self.must_check(run, (step, item), &parent) {
                Ok(true) => self.prepare(run, (step, item), attempt),
                Ok(false) => self.start_child(run, (step, item), attempt, parent, now_ms),
                Err(Unreadable) => self.ledger.hold_back(Held::Child(run, effect), now_ms),
            },
            Effect::StopChild { step, item, attempt, parent, child } => {
                self.ledger.forget_start(&parent);
                // Not found and not looked up are two things: one that goes on must not be told as stopped.
                let found = child.map_or_else(|| self.find_child(&parent.key()), |child| Ok(Some(child)));
                let Ok(child) = found else { return self.ledger.hold_back(Held::Child(run, effect), now_ms) };
                match child {
                    Some(child) if self.live.contains(child) => {
                        let by = format!("run {run}, whose step started it");
                        self.later(child, Command::Cancel { by });
                    }
                    Some(child) => self.tell_past_end(child, &parent, now_ms),
                    // Its inputs may still be looked at; what comes of that finds nobody who waits for it.
                    None => {
                        if self.attempts.is_running(run, (step, item)) {
                            self.commits.act(Action::Stop { run, step, item });
                        }
                        self.forget_job(run, (step, item));
                        self.refuse(run, (step, item), attempt, "cancelled", "stopped before it began");
                    }
                }
            }
            Effect::Acquire { step, item, held } => {
                if let Some(gate) = self.mutex_of(run, step) {
                    self.knock(gate, Holder { run, step: Some((step, item)) }, held);
                }
            }
            Effect::Release { step, item } => {
                if let Some(gate) = self.mutex_of(run, step) {
                    self.leave(gate, Holder { run, step: Some((step, item)) });
                }
            }
            Effect::Enter { group, admitted } => {
                self.knock(Gate::Group(group), Holder { run, step: None }, admitted);
            }
            Effect::Leave { group } => self.leave(Gate::Group(group), Holder { run, step: None }),
            Effect::Execute { .. } | Effect::Stop { .. } => {}
        }
    }

    /// The run that was started under this key, in this life of the node or before.
    fn find_child(&mut self, key: &str) -> Result<Option<RunId>, Unreadable> {
        Ok(match self.ledger.look_up(CHILDREN, key)? {
            Known::InFlight(run) => Some(run),
            Known::Had(row) => row.run,
            Known::Free => None,
        })
    }

    /// Whether the inputs of a step are to be checked before its run is started. One that was started in an earlier life of
    /// the node is found again as it is.
    fn must_check(&mut self, run: RunId, (step, item): Slot, parent: &Parent) -> Result<bool, Unreadable> {
        let Some(state) = self.live.state(run) else { return Ok(false) };
        let unchecked =
            !state.plan().step(step).requires.is_empty() && self.attempts.passed(run, (step, item)).is_none();
        Ok(unchecked && self.find_child(&parent.key())?.is_none())
    }

    pub(super) fn start_child(&mut self, run: RunId, (step, item): Slot, attempt: u32, parent: Parent, now_ms: i64) {
        let key = parent.key();
        let Ok(known) = self.find_child(&key) else {
            let effect = Effect::StartChild { step, item, attempt, parent };
            return self.ledger.hold_back(Held::Child(run, effect), now_ms);
        };
        if let Some(child) = known {
            self.later(run, Command::ChildStarted { step, item, attempt, run: child });
            if !self.live.contains(child) {
                self.tell_past_end(child, &parent, now_ms);
            }
            return;
        }
        let Some(state) = self.live.state(run) else { return };
        let StepAction::Workflow(call) = &state.plan().step(step).action else { return };
        let (name, logical_time_ms) = (call.workflow.clone(), state.logical_time_ms());
        let requires = self.attempts.passed(run, (step, item)).map_or(&Value::Null, |passed| &passed.requires);
        let params = match state.input(step, item, requires) {
            Ok(Value::Object(params)) => params,
            Ok(other) => {
                let message = format!("`params` must be an object, and this is {other}");
                return self.refuse(run, (step, item), attempt, "bad-expression", &message);
            }
            Err(error) => return self.refuse(run, (step, item), attempt, "bad-expression", &error.to_string()),
        };
        let Some(plan) = self.definitions.workflow(&name).cloned() else {
            let message = format!("the project has no workflow `{name}`");
            return self.refuse(run, (step, item), attempt, "no-such-workflow", &message);
        };
        let trigger = TriggerDocument::new(&format!("{name}/workflow"), logical_time_ms, Cause::Step);
        let entry =
            LedgerEntry { trigger: CHILDREN.to_owned(), identity: key, path: String::new(), stat: String::new() };
        let mut wish = Wish::new(plan, Origin::Child(parent), trigger, logical_time_ms, Params::Given(params));
        wish.ledger.push(entry);
        if let Err(refusal) = self.accept(wish, now_ms) {
            self.refuse(run, (step, item), attempt, "bad-params", &refusal.why.to_string());
        }
    }

    fn refuse(&mut self, run: RunId, (step, item): Slot, attempt: u32, code: &str, message: &str) {
        let outcome = Outcome::Failed(StepError::fatal(code, message));
        let command = Command::Finished { step, item, attempt, outcome, chance: 0, report: None };
        self.later(run, command);
    }

    /// Tells the run that waits for this one that it is over. Told twice, the second time changes nothing.
    pub(super) fn tell_parent(&mut self, run: RunId) {
        let Some(state) = self.live.state(run) else { return };
        let (Some(parent), Phase::Ended(end, error)) = (state.parent().copied(), state.phase()) else { return };
        let past = PastEnd { end: *end, error: error.clone(), outputs: state.outputs().clone() };
        self.child_ended(run, &parent, past);
    }

    /// The same for a run that ended before the node came up.
    pub(super) fn tell_past_end(&mut self, child: RunId, parent: &Parent, now_ms: i64) {
        match self.ledger.end_of(child) {
            Ok(Some(past)) => self.child_ended(child, parent, past),
            // It is one of the runs that are still to be recovered; its end will come.
            Ok(None) => {}
            Err(Unreadable) => self.ledger.hold_back(Held::End(child, *parent), now_ms),
        }
    }

    fn child_ended(&mut self, run: RunId, parent: &Parent, past: PastEnd) {
        let PastEnd { end, error, outputs } = past;
        let Parent { step, item, attempt, .. } = *parent;
        let chance = (self.chance)();
        let command = Command::ChildEnded { step, item, attempt, run, end, error, outputs, chance };
        self.later(parent.run, command);
    }

    /// Runs whose parent was given up are wanted by nobody.
    pub(super) fn stop_orphans(&mut self) {
        if self.ledger.gave_up_none() {
            return;
        }
        let of = |state: &trackside_engine::RunState| Some((state.id(), state.parent()?.run));
        let mut orphans: Vec<(RunId, RunId)> = self.live.states().filter_map(of).collect();
        orphans.retain(|(_, parent)| self.ledger.was_given_up(*parent));
        orphans.sort();
        for (run, parent) in orphans {
            self.later(run, Command::Cancel { by: format!("run {parent}, which started it and can not be read") });
        }
    }
}

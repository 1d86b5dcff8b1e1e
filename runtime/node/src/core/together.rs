//! What runs have to do with each other: children, concurrency groups, mutexes.

use serde_json::Value;
use trackside_engine::{
    AdmissionCommand, AdmissionDecision, Command, Effect, Gate, Holder, Outcome, Parent, Phase, Request, RunId,
    StepError, concurrency_group,
};
use trackside_facts::{Cause, TriggerDocument};
use trackside_spec::{Action as StepAction, OnConflict, Plan, StepIndex};
use trackside_store::{NewRun, Write};

use super::{
    dispatch::{After, Core, Extras, Slot},
    ledger::{Held, Known, Unreadable},
    types::{Action, PastEnd},
};

/// The ledger's name for children: their identity is the key that their parent's attempt gives them.
const CHILDREN: &str = "workflow";

/// A wish of a run that was under way when the node went down.
pub(super) struct Returning {
    gate: Gate,
    holder: Holder,
    /// Whether it was in.
    had: bool,
}

impl Core {
    /// All runs that were under way have been handed to [`Core::recover`]: groups are filled again and mutexes taken, by
    /// those first that had them before.
    pub fn recovered(&mut self, now_ms: i64) -> Vec<Action> {
        let (inside, outside): (Vec<_>, Vec<_>) =
            self.returning.take().unwrap_or_default().into_iter().partition(|one| one.had);
        for Returning { gate, holder, .. } in inside {
            let decision = self.admission.handle(AdmissionCommand::Rejoin { gate, holder });
            self.admit(decision);
        }
        for Returning { gate, holder, .. } in outside {
            self.enter(gate, holder);
        }
        self.stop_orphans();
        self.give_letters(now_ms);
        self.take_actions()
    }

    /// The effects that concern other runs.
    pub(super) fn together(&mut self, run: RunId, effect: Effect, now_ms: i64) {
        match effect {
            Effect::StartChild { step, item, attempt, parent } => match self.must_check(run, (step, item), &parent) {
                Ok(true) => self.prepare(run, (step, item), attempt),
                Ok(false) => self.start_child(run, (step, item), attempt, parent, now_ms),
                Err(Unreadable) => self.hold_back(Held::Child(run, effect), now_ms),
            },
            Effect::StopChild { step, item, attempt, parent, child } => {
                self.forget_start(&parent);
                // Not found and not looked up are two things: one that goes on must not be told as stopped.
                let found = child.map_or_else(|| self.find_child(&parent.key()), |child| Ok(Some(child)));
                let Ok(child) = found else { return self.hold_back(Held::Child(run, effect), now_ms) };
                match child {
                    Some(child) if self.runs.contains_key(&child) => {
                        let by = format!("run {run}, whose step started it");
                        self.later(child, Command::Cancel { by });
                    }
                    Some(child) => self.tell_past_end(child, &parent, now_ms),
                    // Its inputs may still be looked at; what comes of that finds nobody who waits for it.
                    None => {
                        if self.running.contains_key(&(run, step, item)) {
                            self.actions.push(Action::Stop { run, step, item });
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

    fn mutex_of(&self, run: RunId, step: StepIndex) -> Option<Gate> {
        Some(Gate::Mutex(self.runs.get(&run)?.state.plan().step(step).mutex.clone()?))
    }

    /// Asks for a place, or for the one that it had; at a start only when all have asked.
    fn knock(&mut self, gate: Gate, holder: Holder, had: bool) {
        match &mut self.returning {
            Some(returning) => returning.push(Returning { gate, holder, had }),
            None => self.enter(gate, holder),
        }
    }

    /// Gives a place back, or the wish for it.
    fn leave(&mut self, gate: Gate, holder: Holder) {
        if let Some(returning) = &mut self.returning {
            returning.retain(|one| one.gate != gate || one.holder != holder);
        }
        let decision = self.admission.handle(AdmissionCommand::Leave { gate, holder });
        self.admit(decision);
    }

    fn enter(&mut self, gate: Gate, holder: Holder) {
        let Some(live) = self.runs.get(&holder.run) else { return };
        let plan = live.state.plan();
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
        let decision = self.admission.handle(AdmissionCommand::Enter(request));
        self.admit(decision);
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

    /// The run that was started under this key, in this life of the node or before.
    fn find_child(&mut self, key: &str) -> Result<Option<RunId>, Unreadable> {
        if let Some(child) = self.children.get(key) {
            return Ok(Some(*child));
        }
        Ok(match self.look_up(CHILDREN, key)? {
            Known::Had(row) => row.run,
            Known::Free | Known::InFlight => None,
        })
    }

    /// Whether the inputs of a step are to be checked before its run is started. One that was started in an earlier life of
    /// the node is found again as it is.
    fn must_check(&mut self, run: RunId, (step, item): Slot, parent: &Parent) -> Result<bool, Unreadable> {
        let Some(live) = self.runs.get(&run) else { return Ok(false) };
        let unchecked =
            !live.state.plan().step(step).requires.is_empty() && !self.passed.contains_key(&(run, step, item));
        Ok(unchecked && self.find_child(&parent.key())?.is_none())
    }

    pub(super) fn start_child(&mut self, run: RunId, (step, item): Slot, attempt: u32, parent: Parent, now_ms: i64) {
        let key = parent.key();
        let Ok(known) = self.find_child(&key) else {
            let effect = Effect::StartChild { step, item, attempt, parent };
            return self.hold_back(Held::Child(run, effect), now_ms);
        };
        if let Some(child) = known {
            self.later(run, Command::ChildStarted { step, item, attempt, run: child });
            if !self.runs.contains_key(&child) {
                self.tell_past_end(child, &parent, now_ms);
            }
            return;
        }
        let Some(live) = self.runs.get(&run) else { return };
        let state = &live.state;
        let StepAction::Workflow(call) = &state.plan().step(step).action else { return };
        let (name, logical_time_ms) = (call.workflow.clone(), state.logical_time_ms());
        let requires = self.passed.get(&(run, step, item)).map_or(&Value::Null, |passed| &passed.requires);
        let params = match state.input(step, item, requires) {
            Ok(Value::Object(params)) => params,
            Ok(other) => {
                let message = format!("`params` must be an object, and this is {other}");
                return self.refuse(run, (step, item), attempt, "bad-expression", &message);
            }
            Err(error) => return self.refuse(run, (step, item), attempt, "bad-expression", &error.to_string()),
        };
        let Some(plan) = self.workflows.get(&name).cloned() else {
            let message = format!("the project has no workflow `{name}`");
            return self.refuse(run, (step, item), attempt, "no-such-workflow", &message);
        };
        let params = match plan.bind_params(&params) {
            Ok(params) => Value::Object(params),
            Err(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return self.refuse(run, (step, item), attempt, "bad-params", &lines.join("; "));
            }
        };
        let trigger = TriggerDocument::new(&format!("{name}/workflow"), logical_time_ms, Cause::Step);
        let child = RunId::next(self.last_run, now_ms, ((self.chance)() >> 32) as u32);
        self.last_run = Some(child);
        self.children.insert(key.clone(), child);
        let ledger = Write::Ledger {
            trigger: CHILDREN.to_owned(),
            identity: key.clone(),
            run: Some(child),
            path: String::new(),
            stat: String::new(),
            at_ms: now_ms,
        };
        let new = NewRun { run: child, plan, trigger: "workflow".to_owned(), started_ms: now_ms };
        let start = Command::Start { params, trigger, logical_time_ms, parent: Some(parent) };
        // Before anything that the child has for its parent.
        self.later(run, Command::ChildStarted { step, item, attempt, run: child });
        let number = self.begin(new, start, Extras { writes: vec![ledger], ..Extras::default() });
        self.after(number, After::FreeChild(key));
    }

    fn refuse(&mut self, run: RunId, (step, item): Slot, attempt: u32, code: &str, message: &str) {
        let outcome = Outcome::Failed(StepError::fatal(code, message));
        let command = Command::Finished { step, item, attempt, outcome, chance: 0, report: None };
        self.later(run, command);
    }

    /// Tells the run that waits for this one that it is over. Told twice, the second time changes nothing.
    pub(super) fn tell_parent(&mut self, run: RunId) {
        let Some(live) = self.runs.get(&run) else { return };
        let (Some(parent), Phase::Ended(end, error)) = (live.state.parent().copied(), live.state.phase()) else {
            return;
        };
        let past = PastEnd { end: *end, error: error.clone(), outputs: live.state.outputs().clone() };
        self.child_ended(run, &parent, past);
    }

    /// The same for a run that ended before the node came up.
    pub(super) fn tell_past_end(&mut self, child: RunId, parent: &Parent, now_ms: i64) {
        if let Some(past) = self.given_up.get(&child).cloned() {
            return self.child_ended(child, parent, past);
        }
        let answer = self.history.end_of(child);
        match self.told(answer) {
            Ok(Some(past)) => self.child_ended(child, parent, past),
            // It is one of the runs that are still to be recovered; its end will come.
            Ok(None) => {}
            Err(Unreadable) => self.hold_back(Held::End(child, *parent), now_ms),
        }
    }

    fn child_ended(&mut self, run: RunId, parent: &Parent, past: PastEnd) {
        let PastEnd { end, error, outputs } = past;
        let Parent { step, item, attempt, .. } = *parent;
        let chance = (self.chance)();
        let command = Command::ChildEnded { step, item, attempt, run, end, error, outputs, chance };
        self.later(parent.run, command);
    }
}

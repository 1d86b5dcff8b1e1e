//! From a wish to a run: checks, ids, the transaction that accepts it.

use std::sync::Arc;

use trackside_engine::{Command, Repeat, RunId};
use trackside_spec::Plan;
use trackside_store::{NewRun, Write};

use super::{
    dispatch::{After, Core, Extras},
    ledger::{Known, Unreadable},
    types::{Fire, FireAnswer, LedgerEntry, Reply},
};

impl Core {
    pub(super) fn fire(&mut self, fire: Fire, reply: Reply, now_ms: i64) {
        match self.accept(fire, now_ms) {
            Ok((run, number)) => self.after(number, After::Call(Box::new(move || reply(FireAnswer::Accepted(run))))),
            Err(answer) => self.actions.push(super::Action::Call(Box::new(move || reply(answer)))),
        }
    }

    fn accept(&mut self, fire: Fire, now_ms: i64) -> Result<(RunId, u64), FireAnswer> {
        let refuse = |reason: String| FireAnswer::Refused(reason);
        let Some(plan) = self.workflows.get(&fire.workflow).cloned() else {
            let known = known_workflows(self.workflows.keys().map(String::as_str));
            return Err(refuse(format!("there is no workflow `{}`; {known}", fire.workflow)));
        };
        if self.is_full() || self.trouble.is_some() {
            return Err(FireAnswer::Busy);
        }
        if self.is_paused(&fire) {
            return Err(FireAnswer::Paused);
        }
        let params = plan.bind_params(&fire.params).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            refuse(lines.join("; "))
        })?;
        let params = serde_json::Value::Object(params);
        if let Some(reason) = self.conflict(&plan, &params, &fire.trigger) {
            return Err(FireAnswer::Skipped(reason));
        }
        let mut writes = fire.rows;
        let run = RunId::next(self.last_run, now_ms, ((self.chance)() >> 32) as u32);
        // All are asked before any is taken: a batch is accepted as a whole or not at all.
        fire.ledger.iter().try_for_each(|entry| self.check_ledger(entry))?;
        let mut identities = Vec::with_capacity(fire.ledger.len());
        for entry in fire.ledger {
            identities.push((entry.trigger.clone(), entry.identity.clone()));
            let LedgerEntry { trigger, identity, path, stat } = entry;
            writes.push(Write::Ledger { trigger, identity, run: Some(run), path, stat, at_ms: now_ms });
        }
        self.last_run = Some(run);
        let start =
            Command::Start { params, trigger: fire.trigger, logical_time_ms: fire.logical_time_ms, parent: None };
        let extras = Extras { writes, artifacts: fire.artifacts, holds: fire.hold.into_iter().collect() };
        let number = self.begin(new_run(run, &plan, fire.kind.to_owned(), now_ms), start, extras);
        for identity in identities {
            self.in_flight.insert(identity.clone());
            self.after(number, After::FreeIdentity(identity));
        }
        Ok((run, number))
    }

    /// Starts a run that repeats another one.
    pub(super) fn repeat(&mut self, plan: &Arc<Plan>, repeat: Repeat, reply: Reply, now_ms: i64) {
        let conflict = self.conflict(plan, &repeat.params, &repeat.trigger);
        let refusal = match conflict {
            Some(reason) => Some(FireAnswer::Skipped(reason)),
            None => (self.is_full() || self.trouble.is_some()).then_some(FireAnswer::Busy),
        };
        if let Some(answer) = refusal {
            self.actions.push(super::Action::Call(Box::new(move || reply(answer))));
            return;
        }
        let run = RunId::next(self.last_run, now_ms, ((self.chance)() >> 32) as u32);
        self.last_run = Some(run);
        let new = new_run(run, plan, "retry".to_owned(), now_ms);
        let number = self.begin(new, Command::StartAgain(Box::new(repeat)), Extras::default());
        self.after(number, After::Call(Box::new(move || reply(FireAnswer::Accepted(run)))));
    }

    fn check_ledger(&mut self, entry: &LedgerEntry) -> Result<(), FireAnswer> {
        match self.look_up(&entry.trigger, &entry.identity) {
            Ok(Known::Free) => Ok(()),
            Ok(Known::Had(row)) => Err(FireAnswer::Duplicate(row.path)),
            // Its twin is about to be committed; asked again, the ledger will name it.
            Ok(Known::InFlight) | Err(Unreadable) => Err(FireAnswer::Busy),
        }
    }
}

pub(super) fn new_run(run: RunId, plan: &Arc<Plan>, trigger: String, now_ms: i64) -> NewRun {
    NewRun { run, plan: plan.clone(), trigger, started_ms: now_ms }
}

/// Which workflows the project has, or how to come by one: a clause for who asked for another.
#[must_use]
pub fn known_workflows<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = names.collect();
    if known.is_empty() {
        return "the project has none: write one, workflows/NAME.yaml".to_owned();
    }
    format!("the project has: {}", known.join(", "))
}

//! From a wish to a run: checks, ids, the transaction that accepts it.

use std::sync::Arc;

use serde_json::{Map, json};
use trackside_engine::{Command, RunId};
use trackside_spec::Plan;
use trackside_store::{NewRun, Txn, Write};

use super::{
    dispatch::{After, Core, Extras},
    types::{Fire, FireAnswer, LedgerEntry, Reply},
};
use crate::time::rfc3339;

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
            return Err(refuse(unknown_workflow(&fire.workflow, self.workflows.keys())));
        };
        if self.runs.len() >= self.settings.max_runs || self.trouble.is_some() {
            return Err(FireAnswer::Busy);
        }
        let params = plan.bind_params(&fire.params).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            refuse(lines.join("; "))
        })?;
        let params = serde_json::Value::Object(params);
        if let Some(reason) = self.conflict(&plan, &params, &fire.trigger) {
            return Err(FireAnswer::Skipped(reason));
        }
        let mut writes = Vec::new();
        let run = RunId::next(self.last_run, now_ms, ((self.chance)() >> 32) as u32);
        let identity = fire.ledger.as_ref().map(|entry| (entry.trigger.clone(), entry.identity.clone()));
        if let Some(entry) = fire.ledger {
            self.check_ledger(&entry)?;
            let LedgerEntry { trigger, identity, path, stat } = entry;
            writes.push(Write::Ledger { trigger, identity, run: Some(run), path, stat, at_ms: now_ms });
        }
        self.last_run = Some(run);
        let start =
            Command::Start { params, trigger: fire.trigger, logical_time_ms: fire.logical_time_ms, parent: None };
        let extras = Extras { writes, artifacts: fire.artifacts };
        let number = self.begin(new_run(run, &plan, fire.kind, now_ms), start, extras);
        if let Some(identity) = identity {
            self.in_flight.insert(identity.clone());
            self.after(number, After::FreeIdentity(identity));
        }
        Ok((run, number))
    }

    fn check_ledger(&self, entry: &LedgerEntry) -> Result<(), FireAnswer> {
        if self.in_flight.contains(&(entry.trigger.clone(), entry.identity.clone())) {
            // Its twin is about to be committed; asked again, the ledger will name it.
            return Err(FireAnswer::Busy);
        }
        match self.history.ledger(&entry.trigger, &entry.identity) {
            Ok(None) => Ok(()),
            Ok(Some(row)) => Err(FireAnswer::Duplicate(row.path)),
            Err(error) => {
                tracing::error!(%error, "the ledger can not be read; the file is offered again");
                Err(FireAnswer::Busy)
            }
        }
    }

    /// Starts the runs whose schedule time has come and keeps the triggers' positions with them.
    pub(super) fn cron_due(&mut self, now_ms: i64) {
        // A full house delays schedule times, it does not drop them: the table is asked again at the next wake-up.
        if self.runs.len() >= self.settings.max_runs {
            return;
        }
        let due = self.cron.due(now_ms);
        let mut positions: Vec<Write> = due
            .moves
            .into_iter()
            .map(|step| {
                let trigger = self.cron_keys.get(&step.trigger_id).cloned().unwrap_or(step.trigger_id);
                Write::Position { trigger, position_ms: step.position_ms }
            })
            .collect();
        for fire in due.fires {
            let Some((workflow, _)) = fire.trigger_id.split_once('/') else { continue };
            let Some(plan) = self.workflows.get(workflow).cloned() else { continue };
            let params = match plan.bind_params(&Map::new()) {
                Ok(params) => params,
                Err(problems) => {
                    let problem = problems.first().map(ToString::to_string).unwrap_or_default();
                    tracing::error!(trigger = fire.trigger_id, problem, "a scheduled run can not start");
                    continue;
                }
            };
            let entry = self.schedule_entry(&fire.trigger_id, fire.logical_ms);
            match self.history.ledger(&entry.trigger, &entry.identity) {
                Ok(None) => {}
                // The clock was set back by days and the schedule went through this time once more.
                Ok(Some(_)) => continue,
                Err(error) => tracing::error!(%error, "the ledger can not be read; the run starts all the same"),
            }
            let when = rfc3339(fire.logical_ms);
            let trigger = json!({
                "kind": "cron",
                "id": fire.trigger_id,
                "logical_time": when,
                "logical_time_ms": fire.logical_ms,
                "scheduled": when,
                "missed": fire.missed,
            });
            let params = serde_json::Value::Object(params);
            if let Some(reason) = self.conflict(&plan, &params, &trigger) {
                tracing::info!(trigger = fire.trigger_id, when, reason, "a scheduled time is skipped");
                continue;
            }
            let run = RunId::next(self.last_run, now_ms, ((self.chance)() >> 32) as u32);
            self.last_run = Some(run);
            let start = Command::Start { params, trigger, logical_time_ms: fire.logical_ms, parent: None };
            let mut writes = std::mem::take(&mut positions);
            let LedgerEntry { trigger, identity, path, stat } = entry;
            writes.push(Write::Ledger { trigger, identity, run: Some(run), path, stat, at_ms: now_ms });
            let extras = Extras { writes, artifacts: Vec::new() };
            self.begin(new_run(run, &plan, "cron".to_owned(), now_ms), start, extras);
        }
        if !positions.is_empty() {
            self.submit(Txn { writes: positions, artifacts: Vec::new() });
        }
    }
}

impl Core {
    /// One run for each time of a schedule, whatever the clock does.
    fn schedule_entry(&self, trigger: &str, logical_ms: i64) -> LedgerEntry {
        let key = self.cron_keys.get(trigger).map_or(trigger, String::as_str);
        LedgerEntry {
            trigger: key.to_owned(),
            identity: format!("at:{logical_ms}"),
            path: rfc3339(logical_ms),
            stat: String::new(),
        }
    }
}

fn new_run(run: RunId, plan: &Arc<Plan>, trigger: String, now_ms: i64) -> NewRun {
    NewRun { run, plan: plan.clone(), trigger, started_ms: now_ms }
}

fn unknown_workflow<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    if known.is_empty() {
        return format!("there is no workflow `{name}`: the project has none; `trackside init` makes one");
    }
    format!("there is no workflow `{name}`; the project has: {}", known.join(", "))
}

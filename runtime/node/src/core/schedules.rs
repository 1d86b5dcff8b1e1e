//! Runs of schedules: what is due, what that means beside runs under way, and the record of what started nothing.

use std::collections::HashMap;

use serde_json::Map;
use trackside_engine::{Command, RunId};
use trackside_store::{DecisionRow, Txn, Write};
use trackside_triggers::cron::{CronEntry, CronFire, CronTick, Tick, TickDecision, TimeGate};

use super::{
    accept::new_run,
    dispatch::{After, Core, Extras},
    ledger::{Known, Unreadable},
    types::{Action, LedgerEntry},
};
use trackside_facts::{Cause, DecisionKind, DecisionSubject, TriggerDocument, rfc3339};

impl Core {
    /// Adds a schedule. Its position is kept under `key`, which changes with the schedule's text, so that a new
    /// schedule does not make up for times of the old one.
    pub fn add_schedule(&mut self, entry: CronEntry, key: String, position: Option<i64>, now_ms: i64) -> Vec<Action> {
        self.cron_keys.insert(entry.trigger_id.clone(), key.clone());
        if let Some(position_ms) = self.cron.insert(entry, position, now_ms) {
            self.submit(Txn::of(vec![Write::Position { trigger: key, position_ms }]));
        }
        self.take_actions()
    }

    /// The wall clock is obviously wrong: no schedule is looked at until [`Core::release_schedules`].
    pub fn hold_schedules(&mut self, gate: TimeGate) {
        self.cron.hold(gate.floor_ms());
        self.gate = Some(gate);
    }

    /// What schedules wait for, if they do.
    #[must_use]
    pub fn gate(&self) -> Option<TimeGate> {
        self.gate
    }

    /// The clock was set, or is to be taken as it is.
    pub fn release_schedules(&mut self, now_ms: i64) -> Vec<Action> {
        self.gate = None;
        let moves = self.cron.release(now_ms);
        let writes: Vec<Write> = moves.iter().map(|step| self.position(&step.trigger_id, step.position_ms)).collect();
        if !writes.is_empty() {
            self.submit(Txn::of(writes));
        }
        self.cron_due(now_ms);
        self.take_actions()
    }

    /// What a start finds, after all live runs were recovered: the times that wait, by trigger.
    pub fn restore_schedules(&mut self, queues: HashMap<String, Vec<(i64, u32)>>, now_ms: i64) -> Vec<Action> {
        let mut live: HashMap<String, u32> = HashMap::new();
        for trigger in self.cron_runs.values() {
            *live.entry(trigger.clone()).or_default() += 1;
        }
        let triggers: Vec<String> = self.cron_keys.keys().cloned().collect();
        for trigger in triggers {
            let waiting = queues.get(&trigger).into_iter().flatten();
            let waiting = waiting.map(|(logical_ms, missed)| Tick { logical_ms: *logical_ms, missed: *missed });
            let first = self.cron.restore(&trigger, live.get(&trigger).copied().unwrap_or(0), waiting);
            self.start_waiting(first, now_ms);
        }
        self.take_actions()
    }

    /// Starts the runs whose schedule time has come and keeps the triggers' positions with them.
    pub(super) fn cron_due(&mut self, now_ms: i64) {
        // A full house delays schedule times, it does not drop them: the table is asked again when there is room. So does a
        // ledger that can not be read.
        if self.is_full() || !self.held_back.is_empty() {
            return;
        }
        let due = self.cron.due(now_ms);
        if due.moves.is_empty() && due.ticks.is_empty() && due.fires.is_empty() {
            return;
        }
        // One transaction: a position that is on disk without all the runs of the times before it would lose them.
        self.as_one(|core| {
            let mut writes: Vec<Write> =
                due.moves.iter().map(|step| core.position(&step.trigger_id, step.position_ms)).collect();
            writes.extend(due.ticks.iter().flat_map(|tick| core.tick_writes(tick, now_ms)));
            for fire in due.fires {
                let more = std::mem::take(&mut writes);
                if let Err(unused) = core.start_scheduled(&fire, more, now_ms) {
                    // Before what waits for it: the rows of times that were queued just now may go again at once.
                    core.submit(Txn::of(unused));
                    let next = core.cron.ended(&fire.trigger_id);
                    core.start_waiting(next, now_ms);
                }
            }
            if !writes.is_empty() {
                core.submit(Txn::of(writes));
            }
        });
    }

    /// A run has ended: the time that waited for that goes on.
    pub(super) fn scheduled_run_ended(&mut self, run: RunId, now_ms: i64) {
        if let Some(trigger) = self.cron_runs.remove(&run) {
            let next = self.cron.ended(&trigger);
            self.start_waiting(next, now_ms);
        }
    }

    pub(super) fn start_waiting(&mut self, mut next: Option<CronFire>, now_ms: i64) {
        while let Some(fire) = next.take() {
            if let Err(writes) = self.start_scheduled(&fire, Vec::new(), now_ms) {
                // Its row goes, or it would be tried at every start.
                self.submit(Txn::of(writes));
                next = self.cron.ended(&fire.trigger_id);
            }
        }
    }

    /// Starts a run together with `writes`, or gives them back when it can not start. A time that can not be looked up waits.
    fn start_scheduled(&mut self, fire: &CronFire, mut writes: Vec<Write>, now_ms: i64) -> Result<(), Vec<Write>> {
        if fire.from_queue {
            writes.push(Write::CronDequeued { trigger: fire.trigger_id.clone(), logical_ms: fire.logical_ms });
        }
        let plan = fire.trigger_id.split_once('/').and_then(|(workflow, _)| self.workflows.get(workflow).cloned());
        let Some(plan) = plan else { return Err(writes) };
        if let Some(detail) = self.pause_of(&fire.trigger_id) {
            writes.push(decision(&fire.trigger_id, fire.logical_ms, now_ms, DecisionKind::Paused, detail));
            return Err(writes);
        }
        let params = match plan.bind_params(&Map::new()) {
            Ok(params) => params,
            Err(problems) => {
                let problem = problems.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(trigger = fire.trigger_id, problem, "a scheduled run can not start");
                writes.push(decision(&fire.trigger_id, fire.logical_ms, now_ms, DecisionKind::Blocked, problem));
                return Err(writes);
            }
        };
        let entry = self.schedule_entry(&fire.trigger_id, fire.logical_ms);
        let place = (entry.trigger.clone(), entry.identity.clone());
        let known = match self.holds_time_of(&fire.trigger_id) {
            true => Err(Unreadable),
            false => self.look_up(&entry.trigger, &entry.identity),
        };
        match known {
            Ok(Known::Free) => {}
            // The clock was set back by days and the schedule went through this time once more.
            Ok(Known::InFlight | Known::Had(_)) => {
                writes.push(decision(
                    &fire.trigger_id,
                    fire.logical_ms,
                    now_ms,
                    DecisionKind::Deduped,
                    "it has had its run".into(),
                ));
                return Err(writes);
            }
            Err(Unreadable) => {
                self.hold_time(fire, writes, now_ms);
                return Ok(());
            }
        }
        let trigger =
            TriggerDocument::new(&fire.trigger_id, fire.logical_ms, Cause::Cron { missed: fire.missed.into() });
        let params = serde_json::Value::Object(params);
        if let Some(reason) = self.conflict(&plan, &params, &trigger) {
            writes.push(decision(&fire.trigger_id, fire.logical_ms, now_ms, DecisionKind::Skipped, reason));
            return Err(writes);
        }
        if fire.cancel_previous {
            let of_trigger = |(run, trigger): (&RunId, &String)| (*trigger == fire.trigger_id).then_some(*run);
            let previous: Vec<RunId> = self.cron_runs.iter().filter_map(of_trigger).collect();
            for run in previous {
                let by = format!("{} (overlap: cancel-previous)", fire.trigger_id);
                self.command(run, Command::Cancel { by }, now_ms, Extras::default());
            }
        }
        let run = RunId::next(self.last_run, now_ms, ((self.chance)() >> 32) as u32);
        self.last_run = Some(run);
        let start = Command::Start { params, trigger, logical_time_ms: fire.logical_ms, parent: None };
        let LedgerEntry { trigger, identity, path, stat } = entry;
        writes.push(Write::Ledger { trigger, identity, run: Some(run), path, stat, at_ms: now_ms });
        self.cron_runs.insert(run, fire.trigger_id.clone());
        let new = new_run(run, &plan, "cron".to_owned(), now_ms);
        let number = self.begin(new, start, Extras { writes, ..Extras::default() });
        // Until the ledger on disk has it.
        self.in_flight.insert(place.clone());
        self.after(number, After::FreeIdentity(place));
        Ok(())
    }

    fn position(&self, trigger: &str, position_ms: i64) -> Write {
        Write::Position { trigger: self.cron_keys.get(trigger).map_or(trigger, String::as_str).to_owned(), position_ms }
    }

    fn tick_writes(&self, tick: &CronTick, now_ms: i64) -> Vec<Write> {
        let detail = match tick.decision {
            TickDecision::Misfired if tick.count > 1 => {
                format!("{} times passed from here to {}", tick.count, rfc3339(tick.to_ms))
            }
            TickDecision::Misfired => "it passed while nobody looked".to_owned(),
            TickDecision::Overlapped => "a run of this trigger was under way".to_owned(),
            TickDecision::Queued { .. } => "it waits for a run of this trigger to end".to_owned(),
        };
        let mut writes = vec![decision(&tick.trigger_id, tick.from_ms, now_ms, tick.decision.kind(), detail)];
        if let TickDecision::Queued { missed } = tick.decision {
            writes.push(Write::CronQueued { trigger: tick.trigger_id.clone(), logical_ms: tick.from_ms, missed });
        }
        writes
    }

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

pub(super) fn decision(trigger: &str, logical_ms: i64, now_ms: i64, decision: DecisionKind, detail: String) -> Write {
    let (trigger, subject) = (trigger.to_owned(), DecisionSubject::Time(logical_ms));
    Write::Decision(DecisionRow { trigger, subject, at_ms: now_ms, decision: decision.into(), detail })
}

//! Runs of schedules: what is due, what that means beside runs under way, and the record of what started nothing.

use std::collections::HashMap;

use serde_json::Map;
use trackside_engine::{Command, RunId};
use trackside_facts::{Cause, DecisionKind, DecisionSubject, TriggerDocument, rfc3339};
use trackside_store::{DecisionRow, Txn, Write};
use trackside_triggers::cron::{CronEntry, CronFire, CronTable, CronTick, Tick, TickDecision, TimeGate};

use super::{
    accept::{Denied, Origin, Params, Refusal, Wish},
    dispatch::{Core, Extras},
    types::{Action, LedgerEntry},
};

/// Schedules in use: when each is due, under which key its position is kept, and its runs under way.
pub(super) struct Schedules {
    table: CronTable,
    /// Trigger id to the key that its position is kept under. It changes with the schedule's text, so that a new schedule does
    /// not make up for times of the old one.
    keys: HashMap<String, String>,
    /// Runs under way, and their triggers.
    runs: HashMap<RunId, String>,
    /// Set while the wall clock is not believed.
    gate: Option<TimeGate>,
}

impl Schedules {
    pub(super) fn new() -> Self {
        Self { table: CronTable::new(), keys: HashMap::new(), runs: HashMap::new(), gate: None }
    }

    /// When the next time comes.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.table.next_deadline()
    }

    /// A run of this trigger is under way.
    pub(super) fn began(&mut self, run: RunId, trigger: String) {
        self.runs.insert(run, trigger);
    }

    fn runs_of(&self, trigger: &str) -> Vec<RunId> {
        self.runs.iter().filter(|(_, of)| *of == trigger).map(|(run, _)| *run).collect()
    }

    fn live_runs_of(&self, trigger: &str) -> u32 {
        u32::try_from(self.runs_of(trigger).len()).unwrap_or(u32::MAX)
    }

    fn key<'a>(&'a self, trigger: &'a str) -> &'a str {
        self.keys.get(trigger).map_or(trigger, String::as_str)
    }

    fn position(&self, trigger: &str, position_ms: i64) -> Write {
        Write::Position { trigger: self.key(trigger).to_owned(), position_ms }
    }

    /// One run for each time of a schedule, whatever the clock does.
    fn ledger_entry(&self, trigger: &str, logical_ms: i64) -> LedgerEntry {
        LedgerEntry {
            trigger: self.key(trigger).to_owned(),
            identity: format!("at:{logical_ms}"),
            path: rfc3339(logical_ms),
            stat: String::new(),
        }
    }

    /// The schedules that are not among these.
    pub(super) fn others(&self, new: &[(CronEntry, String)]) -> Vec<String> {
        let is_gone = |id: &&String| !new.iter().any(|(entry, _)| entry.trigger_id == **id);
        self.keys.keys().filter(is_gone).cloned().collect()
    }

    /// Takes a schedule out of use; gives its times that waited for a run of it to end.
    pub(super) fn remove(&mut self, trigger: &str) -> Vec<i64> {
        self.keys.remove(trigger);
        self.table.remove(trigger).into_iter().map(|tick| tick.logical_ms).collect()
    }

    /// Takes a schedule into use beside those that are, or instead of one of the same id. Gives what is written with that.
    pub(super) fn change(&mut self, entry: CronEntry, key: String, now_ms: i64) -> Vec<Write> {
        let id = entry.trigger_id.clone();
        let before = self.keys.insert(id.clone(), key.clone());
        let mut writes = Vec::new();
        let fresh = match before {
            Some(before) => self.table.replace(entry, before == key, now_ms),
            None => {
                writes.push(Write::CronCleared { trigger: id.clone() });
                let fresh = self.table.insert(entry, None, now_ms);
                // Runs of a trigger that was taken out and came back are its runs.
                let live = self.live_runs_of(&id);
                self.table.restore(&id, live, []);
                fresh
            }
        };
        writes.extend(fresh.map(|position_ms| Write::Position { trigger: key, position_ms }));
        writes
    }

    /// How many runs are under way.
    #[cfg(test)]
    pub(super) fn left_over(&self) -> usize {
        self.runs.len()
    }
}

impl Core {
    /// Adds a schedule. Its position is kept under `key`.
    pub fn add_schedule(&mut self, entry: CronEntry, key: String, position: Option<i64>, now_ms: i64) -> Vec<Action> {
        self.schedules.keys.insert(entry.trigger_id.clone(), key.clone());
        if let Some(position_ms) = self.schedules.table.insert(entry, position, now_ms) {
            self.commits.submit(Txn::of(vec![Write::Position { trigger: key, position_ms }]));
        }
        self.commits.take_actions()
    }

    /// The wall clock is obviously wrong: no schedule is looked at until [`Core::release_schedules`].
    pub fn hold_schedules(&mut self, gate: TimeGate) {
        self.schedules.table.hold(gate.floor_ms());
        self.schedules.gate = Some(gate);
    }

    /// What schedules wait for, if they do.
    #[must_use]
    pub fn gate(&self) -> Option<TimeGate> {
        self.schedules.gate
    }

    /// The clock was set, or is to be taken as it is.
    pub fn release_schedules(&mut self, now_ms: i64) -> Vec<Action> {
        self.schedules.gate = None;
        let moves = self.schedules.table.release(now_ms);
        let position =
            |step: &trackside_triggers::cron::CronMove| self.schedules.position(&step.trigger_id, step.position_ms);
        let writes: Vec<Write> = moves.iter().map(position).collect();
        if !writes.is_empty() {
            self.commits.submit(Txn::of(writes));
        }
        self.cron_due(now_ms);
        self.commits.take_actions()
    }

    /// What a start finds, after all live runs were recovered: the times that wait, by trigger.
    pub fn restore_schedules(&mut self, queues: HashMap<String, Vec<(i64, u32)>>, now_ms: i64) -> Vec<Action> {
        let triggers: Vec<String> = self.schedules.keys.keys().cloned().collect();
        for trigger in triggers {
            let waiting = queues.get(&trigger).into_iter().flatten();
            let waiting = waiting.map(|(logical_ms, missed)| Tick { logical_ms: *logical_ms, missed: *missed });
            let live = self.schedules.live_runs_of(&trigger);
            let first = self.schedules.table.restore(&trigger, live, waiting);
            self.start_waiting(first, now_ms);
        }
        self.commits.take_actions()
    }

    /// Starts the runs whose schedule time has come and keeps the triggers' positions with them.
    pub(super) fn cron_due(&mut self, now_ms: i64) {
        // A full house delays schedule times, it does not drop them: the table is asked again when there is room. So does a
        // ledger that can not be read.
        if self.is_full() || self.ledger.holds_back() {
            return;
        }
        let due = self.schedules.table.due(now_ms);
        if due.moves.is_empty() && due.ticks.is_empty() && due.fires.is_empty() {
            return;
        }
        // One transaction: a position that is on disk without all the runs of the times before it would lose them.
        self.as_one(|core| {
            let schedules = &core.schedules;
            let mut writes: Vec<Write> =
                due.moves.iter().map(|step| schedules.position(&step.trigger_id, step.position_ms)).collect();
            writes.extend(due.ticks.iter().flat_map(|tick| tick_writes(tick, now_ms)));
            for fire in due.fires {
                let more = std::mem::take(&mut writes);
                if let Err(unused) = core.start_scheduled(&fire, more, now_ms) {
                    // Before what waits for it: the rows of times that were queued just now may go again at once.
                    core.commits.submit(Txn::of(unused));
                    let next = core.schedules.table.ended(&fire.trigger_id);
                    core.start_waiting(next, now_ms);
                }
            }
            if !writes.is_empty() {
                core.commits.submit(Txn::of(writes));
            }
        });
    }

    /// A run has ended: the time that waited for that goes on.
    pub(super) fn scheduled_run_ended(&mut self, run: RunId, now_ms: i64) {
        if let Some(trigger) = self.schedules.runs.remove(&run) {
            let next = self.schedules.table.ended(&trigger);
            self.start_waiting(next, now_ms);
        }
    }

    pub(super) fn start_waiting(&mut self, mut next: Option<CronFire>, now_ms: i64) {
        while let Some(fire) = next.take() {
            if let Err(writes) = self.start_scheduled(&fire, Vec::new(), now_ms) {
                // Its row goes, or it would be tried at every start.
                self.commits.submit(Txn::of(writes));
                next = self.schedules.table.ended(&fire.trigger_id);
            }
        }
    }

    /// Stops the runs of a schedule that are under way.
    pub(super) fn cancel_runs_of(&mut self, trigger: &str, now_ms: i64) {
        for run in self.schedules.runs_of(trigger) {
            let by = format!("{trigger} (overlap: cancel-previous)");
            self.command(run, Command::Cancel { by }, now_ms, Extras::default());
        }
    }

    /// Starts a run together with `writes`, or gives them back when it can not start. A time that can not be looked up waits.
    fn start_scheduled(&mut self, fire: &CronFire, mut writes: Vec<Write>, now_ms: i64) -> Result<(), Vec<Write>> {
        let CronFire { trigger_id, logical_ms, .. } = fire;
        if fire.from_queue {
            writes.push(Write::CronDequeued { trigger: trigger_id.clone(), logical_ms: *logical_ms });
        }
        if self.ledger.holds_time_of(trigger_id) {
            self.hold_time(fire, writes, now_ms);
            return Ok(());
        }
        let name = trigger_id.split_once('/').map_or("", |(workflow, _)| workflow);
        let Some(plan) = self.definitions.workflow(name).cloned() else { return Err(writes) };
        let document = TriggerDocument::new(trigger_id, *logical_ms, Cause::Cron { missed: fire.missed.into() });
        let origin = Origin::Schedule { trigger: trigger_id.clone(), cancel_previous: fire.cancel_previous };
        let mut wish = Wish::new(plan, origin, document, *logical_ms, Params::Given(Map::new()));
        wish.ledger.push(self.schedules.ledger_entry(trigger_id, *logical_ms));
        wish.writes = writes;
        let Err(Refusal { why, mut writes }) = self.accept(wish, now_ms) else { return Ok(()) };
        let (kind, detail) = match why {
            Denied::Unreadable => {
                self.hold_time(fire, writes, now_ms);
                return Ok(());
            }
            Denied::Params(problem) => {
                tracing::error!(trigger = trigger_id, problem, "a scheduled run can not start");
                (DecisionKind::Blocked, problem)
            }
            other => (other.decision(), other.to_string()),
        };
        writes.push(decision(trigger_id, *logical_ms, now_ms, kind, detail));
        Err(writes)
    }
}

fn tick_writes(tick: &CronTick, now_ms: i64) -> Vec<Write> {
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

pub(super) fn decision(trigger: &str, logical_ms: i64, now_ms: i64, decision: DecisionKind, detail: String) -> Write {
    let (trigger, subject) = (trigger.to_owned(), DecisionSubject::Time(logical_ms));
    Write::Decision(DecisionRow { trigger, subject, at_ms: now_ms, decision: decision.into(), detail })
}

//! What is due, what was missed, and from which time on to look next.

use std::collections::BTreeMap;

use trackside_facts::DecisionKind;
use trackside_spec::{CronTrigger, Misfire, Overlap};

use super::{
    error::CronError,
    jitter::jitter_offset,
    overlap::{Admission, Lane, Tick},
    times::Times,
};

/// Times no older than this are due work even if the table was asked late; with any older one, all are a misfire.
pub const DUE_WORK_MS: i64 = 60_000;

/// A clock further than this behind a position makes the table forget the position: see [`MoveCause::Reanchored`].
pub const REANCHOR_MS: i64 = 86_400_000;

/// [`CronFire::missed`] and [`CronTick::count`] stop counting here.
pub const MISSED_CAP: u32 = 1000;

/// One cron trigger.
#[derive(Clone, Debug)]
pub struct CronEntry {
    /// The trigger's id.
    pub trigger_id: String,
    /// When it comes.
    pub times: Times,
    /// What to do about times that passed while nobody looked.
    pub misfire: Misfire,
    /// Missed times that are older are not made up for.
    pub misfire_window_ms: Option<i64>,
    /// How many [`Misfire::All`] makes up for.
    pub misfire_max: u32,
    /// Runs start so much later than their time.
    pub offset_ms: i64,
    /// What to do about times that come while a run is under way.
    pub overlap: Overlap,
}

impl CronEntry {
    /// The entry of a workflow's trigger on the box with this id.
    ///
    /// # Errors
    /// [`CronError`] when the schedule or its zone is none.
    pub fn new(trigger_id: &str, trigger: &CronTrigger, box_id: &str) -> Result<Self, CronError> {
        let window = |window: trackside_spec::Duration| i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            trigger_id: trigger_id.to_owned(),
            times: Times::parse(&trigger.times)?,
            misfire: trigger.misfire,
            misfire_window_ms: trigger.misfire_window.map(window),
            misfire_max: trigger.misfire_max,
            offset_ms: jitter_offset(box_id, trigger_id, trigger.jitter),
            overlap: trigger.overlap,
        })
    }
}

/// A run to start. It is the recorded decision about its time, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronFire {
    /// The trigger's id.
    pub trigger_id: String,
    /// The time of the schedule that the run stands for, in milliseconds since 1970. With the trigger's id it is the
    /// run's idempotency key.
    pub logical_ms: i64,
    /// How many earlier times this run makes up for; [`MISSED_CAP`] means that many or more.
    pub missed: u32,
    /// The trigger's runs that are under way are to be cancelled first.
    pub cancel_previous: bool,
    /// It waited in the queue, and its row there goes in the transaction that starts the run.
    pub from_queue: bool,
}

/// The decision about times that start nothing (now).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronTick {
    /// The trigger's id.
    pub trigger_id: String,
    /// The earliest of the times.
    pub from_ms: i64,
    /// The latest; the same for one time.
    pub to_ms: i64,
    /// How many there are; [`MISSED_CAP`] means that many or more.
    pub count: u32,
    /// What was decided.
    pub decision: TickDecision,
}

/// What was decided about times that start nothing (now).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickDecision {
    /// They passed while nobody looked and are not made up for.
    Misfired,
    /// A run of the trigger was under way.
    Overlapped,
    /// A run of the trigger is under way; this time's run starts afterwards. To be stored in the same transaction as the
    /// position. `missed` belongs to the run.
    Queued {
        /// How many earlier times the run will make up for.
        missed: u32,
    },
}

impl TickDecision {
    /// As `explain` and the decisions' table have it.
    #[must_use]
    pub const fn kind(&self) -> DecisionKind {
        match self {
            Self::Misfired => DecisionKind::Misfired,
            Self::Overlapped => DecisionKind::Overlapped,
            Self::Queued { .. } => DecisionKind::Queued,
        }
    }
}

/// A trigger's new position, to be stored together with the runs it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronMove {
    /// The trigger's id.
    pub trigger_id: String,
    /// The last time of the schedule that is dealt with.
    pub position_ms: i64,
    /// Why it moved.
    pub cause: MoveCause,
}

/// Why a position moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveCause {
    /// The trigger is new and starts now.
    New,
    /// Times have come; runs were started, or a [`CronTick`] says why not.
    Passed,
    /// The clock was set back by more than [`REANCHOR_MS`], or is right again after the trigger was new at a time that was
    /// wrong: schedules go on from the new time. Worth a warning. Should the clock return, times up to the old position
    /// still do not run again (as long as the process lives; across restarts the idempotency key of the run must see to
    /// that).
    Reanchored {
        /// The position given up.
        from_ms: i64,
    },
}

/// The answer of [`CronTable::due`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CronDue {
    /// Runs to start, each trigger's in the order of their times.
    pub fires: Vec<CronFire>,
    /// Decisions about times that start nothing, in order.
    pub ticks: Vec<CronTick>,
    /// At most one new position for each trigger.
    pub moves: Vec<CronMove>,
}

/// All cron triggers of a node. Pure: the caller brings the wall clock.
///
/// Ask [`CronTable::due`] at start, at [`CronTable::next_deadline`], and whenever the wall clock was set. A position is a
/// high-water mark, so a clock that goes back makes nothing run twice. Tell [`CronTable::ended`] of every run that was
/// started, and of those that could not be.
#[derive(Debug, Default)]
pub struct CronTable {
    rows: BTreeMap<String, Row>,
    held: bool,
    floor_ms: Option<i64>,
}

#[derive(Debug)]
struct Row {
    entry: CronEntry,
    lane: Lane,
    position: i64,
    /// `times.next_after(position)`.
    next: Option<i64>,
    /// The position given up when the clock went far back; times up to it have had their run.
    given_up: Option<i64>,
    /// The trigger was new while the clock was obviously wrong.
    dubious: bool,
}

impl CronTable {
    /// A table without triggers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing is due until [`CronTable::release`]: the wall clock shows less than `floor_ms`, which is obviously wrong.
    pub fn hold(&mut self, floor_ms: i64) {
        self.held = true;
        self.floor_ms = Some(floor_ms);
    }

    /// The clock was set, or is to be taken as it is. Triggers that are new start now; their positions are to be stored.
    pub fn release(&mut self, now_ms: i64) -> Vec<CronMove> {
        if !std::mem::take(&mut self.held) {
            return Vec::new();
        }
        let wrong = self.floor_ms.is_some_and(|floor| now_ms < floor);
        let mut moves = Vec::new();
        for (trigger_id, row) in self.rows.iter_mut().filter(|(_, row)| row.dubious) {
            row.dubious = wrong;
            row.stand_at(now_ms);
            moves.push(CronMove { trigger_id: trigger_id.clone(), position_ms: now_ms, cause: MoveCause::New });
        }
        moves
    }

    /// Whether schedules wait for the clock.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Adds a trigger or replaces the one with its id. `position` is what was stored for it; `None` for a trigger that
    /// is new or whose schedule has changed, which then starts at `now_ms`. Returns the position to store, if it is new.
    pub fn insert(&mut self, entry: CronEntry, position: Option<i64>, now_ms: i64) -> Option<i64> {
        let at = position.unwrap_or(now_ms);
        let fresh = position.is_none();
        let row = Row {
            lane: Lane::new(entry.overlap),
            next: entry.times.next_after(at),
            position: at,
            given_up: None,
            dubious: fresh && self.held,
            entry,
        };
        self.rows.insert(row.entry.trigger_id.clone(), row);
        (fresh && !self.held).then_some(at)
    }

    /// Replaces the settings of the trigger with this id; times that wait for its runs go on waiting. `same_times`: its
    /// schedule is the same as before, so it goes on where it is. Otherwise it starts at `now_ms`, and the position to
    /// store is returned.
    pub fn replace(&mut self, entry: CronEntry, same_times: bool, now_ms: i64) -> Option<i64> {
        let before = self.rows.remove(&entry.trigger_id);
        let id = entry.trigger_id.clone();
        let position = before.as_ref().filter(|_| same_times).map(|row| row.position);
        let fresh = self.insert(entry, position, now_ms);
        if let (Some(before), Some(row)) = (before, self.rows.get_mut(&id)) {
            (row.lane.live, row.lane.queue) = (before.lane.live, before.lane.queue);
            if same_times {
                (row.given_up, row.dubious) = (before.given_up, before.dubious);
            }
        }
        fresh
    }

    /// Removes a trigger. Gives the times that waited for its runs; none when it was not there.
    pub fn remove(&mut self, trigger_id: &str) -> Vec<Tick> {
        self.rows.remove(trigger_id).map_or_else(Vec::new, |row| row.lane.queue.into())
    }

    /// The instant at which one trigger's next run starts.
    #[must_use]
    pub fn next_for(&self, trigger_id: &str) -> Option<i64> {
        self.rows.get(trigger_id)?.deadline()
    }

    /// The wall-clock time at which something is due; `None` when nothing ever is.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        if self.held {
            return None;
        }
        self.rows.values().filter_map(Row::deadline).min()
    }

    /// What is due at `now_ms`, and the positions after it. Every due time is reported once: the caller starts the runs
    /// and stores the positions in one transaction.
    pub fn due(&mut self, now_ms: i64) -> CronDue {
        let mut due = CronDue::default();
        if self.held {
            return due;
        }
        let floor = self.floor_ms.unwrap_or(i64::MIN);
        for (trigger_id, row) in &mut self.rows {
            if let Some(cause) = row.advance(now_ms, floor, &mut due) {
                due.moves.push(CronMove { trigger_id: trigger_id.clone(), position_ms: row.position, cause });
            }
        }
        due
    }

    /// What a start finds: how many runs of the trigger are under way, and the times that wait for them. Gives the run to
    /// start if nothing is under way any more.
    pub fn restore(&mut self, trigger_id: &str, live: u32, queue: impl IntoIterator<Item = Tick>) -> Option<CronFire> {
        let row = self.rows.get_mut(trigger_id)?;
        row.lane.live = live;
        row.lane.queue = queue.into_iter().collect();
        row.start_waiting()
    }

    /// A run of the trigger has ended or could not start. Gives the run that waited for that.
    pub fn ended(&mut self, trigger_id: &str) -> Option<CronFire> {
        let row = self.rows.get_mut(trigger_id)?;
        row.lane.live = row.lane.live.saturating_sub(1);
        row.start_waiting()
    }
}

impl Row {
    fn deadline(&self) -> Option<i64> {
        self.next.map(|next| next.saturating_add(self.entry.offset_ms))
    }

    fn start_waiting(&mut self) -> Option<CronFire> {
        let Tick { logical_ms, missed } = self.lane.next()?;
        let trigger_id = self.entry.trigger_id.clone();
        Some(CronFire { trigger_id, logical_ms, missed, cancel_previous: false, from_queue: true })
    }

    fn advance(&mut self, now_ms: i64, floor_ms: i64, due: &mut CronDue) -> Option<MoveCause> {
        if let Some(high_water) = self.given_up.filter(|high_water| *high_water <= now_ms) {
            // The clock is back where it was: what ran before it went back does not run again.
            self.given_up = None;
            if high_water > self.position {
                self.stand_at(high_water);
            }
        }
        let from_ms = self.position;
        if self.dubious && now_ms >= floor_ms {
            // What passed since then, passed before the trigger was there.
            self.dubious = false;
            self.stand_at(now_ms);
            return Some(MoveCause::Reanchored { from_ms });
        }
        if from_ms.saturating_sub(now_ms) > REANCHOR_MS {
            self.given_up = self.given_up.max(Some(from_ms));
            self.stand_at(now_ms);
            return Some(MoveCause::Reanchored { from_ms });
        }
        let now_ms = now_ms.saturating_sub(self.entry.offset_ms);
        let first = self.next.filter(|first| *first <= now_ms)?;
        let (latest, count) = self.entry.times.latest_between(self.position, now_ms, MISSED_CAP)?;
        let ticks = self.choose(first, (latest, count), now_ms, due);
        self.start(&ticks, due);
        self.stand_at(latest);
        Some(MoveCause::Passed)
    }

    /// Which of the times that have come are to run; the others are told as misfired.
    fn choose(&self, first: i64, (latest, count): (i64, u32), now_ms: i64, due: &mut CronDue) -> Vec<Tick> {
        let single = |logical_ms| Tick { logical_ms, missed: 0 };
        if now_ms.saturating_sub(first) <= DUE_WORK_MS {
            // At most 61 times, one for each second.
            let times = std::iter::successors(Some(first), |time| self.entry.times.next_after(*time));
            return times.take_while(|time| *time <= now_ms).map(single).collect();
        }
        // What is due anyway is not too old for any window.
        let window = self.entry.misfire_window_ms.map(|window| window.max(DUE_WORK_MS));
        let oldest = window.map_or(i64::MIN, |window| now_ms.saturating_sub(window));
        let ticks = match self.entry.misfire {
            Misfire::Latest if latest >= oldest => vec![Tick { logical_ms: latest, missed: count - 1 }],
            Misfire::Latest | Misfire::Skip => Vec::new(),
            Misfire::All => {
                let max = self.entry.misfire_max.clamp(1, MISSED_CAP);
                let times = self.entry.times.last_between(self.position, now_ms, oldest, max);
                times.into_iter().map(single).collect()
            }
        };
        let made_up_for = ticks.first().map_or(latest + 1, |tick| tick.logical_ms);
        if let Some((to_ms, count)) = self.entry.times.latest_between(self.position, made_up_for - 1, MISSED_CAP) {
            let trigger_id = self.entry.trigger_id.clone();
            due.ticks.push(CronTick { trigger_id, from_ms: first, to_ms, count, decision: TickDecision::Misfired });
        }
        ticks
    }

    /// Starts what the runs under way allow.
    fn start(&mut self, ticks: &[Tick], due: &mut CronDue) {
        for (index, tick) in ticks.iter().enumerate() {
            let Tick { logical_ms, missed } = *tick;
            let trigger_id = self.entry.trigger_id.clone();
            let decision = match self.lane.admit(*tick, index + 1 == ticks.len()) {
                Admission::Start { cancel_previous } => {
                    due.fires.push(CronFire { trigger_id, logical_ms, missed, cancel_previous, from_queue: false });
                    continue;
                }
                Admission::Queued => TickDecision::Queued { missed },
                Admission::Overlapped => TickDecision::Overlapped,
            };
            due.ticks.push(CronTick { trigger_id, from_ms: logical_ms, to_ms: logical_ms, count: 1, decision });
        }
    }

    fn stand_at(&mut self, position: i64) {
        self.position = position;
        self.next = self.entry.times.next_after(position);
    }
}

#[cfg(test)]
mod tests;

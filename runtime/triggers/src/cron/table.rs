//! What is due, what was missed, and from which time on to look next.

use std::collections::BTreeMap;

use trackside_spec::Misfire;

use super::schedule::CronSchedule;

/// Times no older than this are due work even if the table was asked late; with any older one, all are a misfire.
pub const DUE_WORK_MS: i64 = 60_000;

/// A clock further than this behind a position makes the table forget the position: see [`MoveCause::Reanchored`].
pub const REANCHOR_MS: i64 = 86_400_000;

/// [`CronFire::missed`] and [`MoveCause::Skipped`] stop counting here.
pub const MISSED_CAP: u32 = 1000;

/// One cron trigger.
#[derive(Clone, Debug)]
pub struct CronEntry {
    /// The trigger's id.
    pub trigger_id: String,
    /// When it comes.
    pub schedule: CronSchedule,
    /// What to do about times that passed while nobody looked.
    pub misfire: Misfire,
}

/// A run to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronFire {
    /// The trigger's id.
    pub trigger_id: String,
    /// The time of the schedule that the run stands for, in milliseconds since 1970. With the trigger's id it is the
    /// run's idempotency key.
    pub logical_ms: i64,
    /// How many earlier times this run makes up for; [`MISSED_CAP`] means that many or more.
    pub missed: u32,
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
    /// Runs were started.
    Fired,
    /// Times were missed and the trigger's policy is to skip them.
    Skipped {
        /// How many; [`MISSED_CAP`] means that many or more.
        missed: u32,
    },
    /// The clock was set back by more than [`REANCHOR_MS`]: schedules go on from the new time. Worth a warning. Should
    /// the clock return, times up to the old position still do not run again (as long as the process lives; across
    /// restarts the idempotency key of the run must see to that).
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
    /// At most one new position for each trigger.
    pub moves: Vec<CronMove>,
}

/// All cron triggers of a node. Pure: the caller brings the wall clock.
///
/// Ask [`CronTable::due`] at start, at [`CronTable::next_deadline`], and whenever the wall clock was set. A position is a
/// high-water mark, so a clock that goes back makes nothing run twice.
#[derive(Debug, Default)]
pub struct CronTable {
    rows: BTreeMap<String, Row>,
}

#[derive(Debug)]
struct Row {
    schedule: CronSchedule,
    misfire: Misfire,
    position: i64,
    /// `schedule.next_after(position)`.
    next: Option<i64>,
    /// The position given up when the clock went far back; times up to it have had their run.
    given_up: Option<i64>,
}

impl CronTable {
    /// A table without triggers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a trigger or replaces the one with its id. `position` is what was stored for it; `None` for a trigger that
    /// is new or whose schedule has changed, which then starts at `now_ms`. Returns the position in force, to be stored
    /// if there was none.
    pub fn insert(&mut self, entry: CronEntry, position: Option<i64>, now_ms: i64) -> i64 {
        let position = position.unwrap_or(now_ms);
        let next = entry.schedule.next_after(position);
        let row = Row { schedule: entry.schedule, misfire: entry.misfire, position, next, given_up: None };
        self.rows.insert(entry.trigger_id, row);
        position
    }

    /// Removes a trigger; whether it was there.
    pub fn remove(&mut self, trigger_id: &str) -> bool {
        self.rows.remove(trigger_id).is_some()
    }

    /// The next time of one trigger.
    #[must_use]
    pub fn next_for(&self, trigger_id: &str) -> Option<i64> {
        self.rows.get(trigger_id)?.next
    }

    /// The wall-clock time at which something is due; `None` when nothing ever is.
    #[must_use]
    pub fn next_deadline(&self) -> Option<i64> {
        self.rows.values().filter_map(|row| row.next).min()
    }

    /// What is due at `now_ms`, and the positions after it. Every due time is reported once: the caller starts the runs
    /// and stores the positions in one transaction.
    pub fn due(&mut self, now_ms: i64) -> CronDue {
        let mut due = CronDue::default();
        for (trigger_id, row) in &mut self.rows {
            if let Some(cause) = row.advance(trigger_id, now_ms, &mut due.fires) {
                due.moves.push(CronMove { trigger_id: trigger_id.clone(), position_ms: row.position, cause });
            }
        }
        due
    }
}

impl Row {
    fn advance(&mut self, trigger_id: &str, now_ms: i64, fires: &mut Vec<CronFire>) -> Option<MoveCause> {
        if let Some(high_water) = self.given_up.filter(|high_water| *high_water <= now_ms) {
            // The clock is back where it was: what ran before it went back does not run again.
            self.given_up = None;
            if high_water > self.position {
                self.stand_at(high_water);
            }
        }
        if self.position.saturating_sub(now_ms) > REANCHOR_MS {
            let from_ms = self.position;
            self.given_up = self.given_up.max(Some(from_ms));
            self.stand_at(now_ms);
            return Some(MoveCause::Reanchored { from_ms });
        }
        let first = self.next.filter(|first| *first <= now_ms)?;
        let (latest, count) = self.schedule.latest_between(self.position, now_ms, MISSED_CAP)?;
        let fire = |logical_ms, missed| CronFire { trigger_id: trigger_id.to_owned(), logical_ms, missed };
        let cause = if now_ms.saturating_sub(first) <= DUE_WORK_MS {
            // At most 61 times, one for each second.
            let times = std::iter::successors(Some(first), |time| self.schedule.next_after(*time));
            fires.extend(times.take_while(|time| *time <= now_ms).map(|time| fire(time, 0)));
            MoveCause::Fired
        } else if self.misfire == Misfire::Latest {
            fires.push(fire(latest, count - 1));
            MoveCause::Fired
        } else {
            MoveCause::Skipped { missed: count }
        };
        self.stand_at(latest);
        Some(cause)
    }

    fn stand_at(&mut self, position: i64) {
        self.position = position;
        self.next = self.schedule.next_after(position);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    /// 2026-01-01T00:00:00Z
    const START: i64 = 1_767_225_600_000;

    fn table(schedule: &str, misfire: Misfire, position: Option<i64>, now: i64) -> CronTable {
        let mut table = CronTable::new();
        let schedule = CronSchedule::parse(schedule, "UTC").unwrap();
        table.insert(CronEntry { trigger_id: "w/cron-0".into(), schedule, misfire }, position, now);
        table
    }

    fn times(due: &CronDue) -> Vec<(i64, u32)> {
        due.fires.iter().map(|fire| (fire.logical_ms, fire.missed)).collect()
    }

    #[test]
    fn a_new_trigger_starts_now() {
        let mut table = table("@hourly", Misfire::Latest, None, START + 1);
        assert_eq!(table.next_deadline(), Some(START + HOUR));
        assert_eq!(table.due(START + HOUR - 1), CronDue::default());
        let due = table.due(START + HOUR);
        assert_eq!(times(&due), [(START + HOUR, 0)]);
        assert_eq!(due.moves[0].position_ms, START + HOUR);
        assert_eq!(table.due(START + HOUR), CronDue::default());
        assert_eq!(table.next_for("w/cron-0"), Some(START + 2 * HOUR));
    }

    #[test]
    fn times_within_a_minute_are_due_work_each() {
        let mut table = table("*/20 * * * * *", Misfire::Skip, Some(START), START);
        assert_eq!(times(&table.due(START + MINUTE)), [(START + 20_000, 0), (START + 40_000, 0), (START + MINUTE, 0)]);
    }

    #[test]
    fn downtime_with_latest_is_one_run_for_the_latest_time() {
        let mut table = table("@hourly", Misfire::Latest, Some(START), START);
        let due = table.due(START + 5 * HOUR + MINUTE * 10);
        assert_eq!(times(&due), [(START + 5 * HOUR, 4)]);
        assert_eq!(due.moves[0].position_ms, START + 5 * HOUR);
    }

    #[test]
    fn downtime_with_skip_is_no_run() {
        let mut table = table("@hourly", Misfire::Skip, Some(START), START);
        let due = table.due(START + 5 * HOUR + MINUTE * 10);
        assert!(due.fires.is_empty());
        assert_eq!(due.moves[0].cause, MoveCause::Skipped { missed: 5 });
        assert_eq!(times(&table.due(START + 6 * HOUR)), [(START + 6 * HOUR, 0)]);
    }

    #[test]
    fn years_of_missed_seconds_are_counted_up_to_the_cap() {
        let mut table = table("* * * * * *", Misfire::Latest, Some(0), START);
        assert_eq!(times(&table.due(START)), [(START, MISSED_CAP - 1)]);
    }

    #[test]
    fn a_clock_set_back_runs_nothing_twice() {
        let mut table = table("@hourly", Misfire::Latest, Some(START), START);
        assert_eq!(table.due(START + 2 * HOUR).fires.len(), 1);
        for hour in 0..=2 {
            assert_eq!(table.due(START + hour * HOUR), CronDue::default());
        }
        assert_eq!(times(&table.due(START + 3 * HOUR)), [(START + 3 * HOUR, 0)]);
    }

    #[test]
    fn a_clock_set_far_back_and_forth_runs_nothing_twice() {
        let mut table = table("@daily", Misfire::Latest, Some(START), START);
        let past = START - 1000 * DAY;
        let due = table.due(past + 1);
        assert_eq!(due.moves[0].cause, MoveCause::Reanchored { from_ms: START });
        assert_eq!(times(&table.due(past + DAY)), [(past + DAY, 0)]);
        // The clock is set right: START has had its run, the day after it has not.
        assert_eq!(table.due(START + HOUR), CronDue::default());
        assert_eq!(times(&table.due(START + DAY)), [(START + DAY, 0)]);
    }

    #[test]
    fn a_bogus_future_position_is_given_up_for_good() {
        let mut table = table("@daily", Misfire::Latest, Some(START + 9000 * DAY), START);
        assert_eq!(table.due(START + 1).moves.len(), 1);
        assert_eq!(times(&table.due(START + DAY)), [(START + DAY, 0)]);
        assert_eq!(times(&table.due(START + 2 * DAY)), [(START + 2 * DAY, 0)]);
    }

    #[test]
    fn a_removed_trigger_is_never_due() {
        let mut table = table("@hourly", Misfire::Latest, Some(START), START);
        assert!(table.remove("w/cron-0"));
        assert!(!table.remove("w/cron-0"));
        assert_eq!((table.next_deadline(), table.due(START + DAY)), (None, CronDue::default()));
    }
}

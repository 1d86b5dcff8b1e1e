//! The table on a virtual clock.

use trackside_spec::CronTimes;

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-01-01T00:00:00Z
const START: i64 = 1_767_225_600_000;

fn entry(schedule: &str, misfire: Misfire) -> CronEntry {
    let times = CronTimes::Schedule { text: schedule.into(), timezone: "UTC".into() };
    CronEntry {
        trigger_id: "w/cron-0".into(),
        times: Times::parse(&times).unwrap(),
        misfire,
        misfire_window_ms: None,
        misfire_max: 100,
        offset_ms: 0,
        overlap: Overlap::Allow,
    }
}

fn with(position: Option<i64>, now: i64, entry: CronEntry) -> CronTable {
    let mut table = CronTable::new();
    table.insert(entry, position, now);
    table
}

fn told(due: &CronDue) -> Vec<(i64, i64, u32, &'static str)> {
    due.ticks.iter().map(|tick| (tick.from_ms, tick.to_ms, tick.count, tick.decision.kind().name())).collect()
}

fn table(schedule: &str, misfire: Misfire, position: Option<i64>, now: i64) -> CronTable {
    with(position, now, entry(schedule, misfire))
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
    assert_eq!(told(&due), [(START + HOUR, START + 5 * HOUR, 5, "misfired")]);
    assert_eq!(due.moves[0].cause, MoveCause::Passed);
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
    assert!(table.remove("w/cron-0").is_empty());
    assert_eq!((table.next_deadline(), table.due(START + DAY)), (None, CronDue::default()));
}

#[test]
fn a_changed_schedule_starts_now_and_other_changed_settings_move_nothing() {
    let mut table = table("@hourly", Misfire::Latest, Some(START), START);
    assert_eq!(table.replace(entry("@hourly", Misfire::Skip), true, START + 5 * MINUTE), None);
    assert_eq!(times(&table.due(START + HOUR)), [(START + HOUR, 0)]);
    // Two hours have passed that nobody looked at: they are the old schedule's, and it is gone.
    let now = START + 3 * HOUR + MINUTE;
    assert_eq!(table.replace(entry("30 * * * *", Misfire::All), false, now), Some(now));
    assert_eq!(table.due(now), CronDue::default());
    assert_eq!(table.next_deadline(), Some(START + 3 * HOUR + 30 * MINUTE));
}

#[test]
fn times_that_wait_go_on_waiting_under_changed_settings_and_are_told_when_the_trigger_goes() {
    let queue = || CronEntry { overlap: Overlap::Queue, ..entry("@hourly", Misfire::Latest) };
    let mut table = with(Some(START), START, queue());
    assert_eq!(times(&table.due(START + HOUR)), [(START + HOUR, 0)]);
    table.due(START + 2 * HOUR);
    table.replace(CronEntry { overlap: Overlap::Skip, ..queue() }, true, START + 2 * HOUR);
    assert_eq!(table.ended("w/cron-0").map(|fire| fire.logical_ms), Some(START + 2 * HOUR));
    table.replace(queue(), true, START + 2 * HOUR);
    table.due(START + 3 * HOUR);
    let waited: Vec<i64> = table.remove("w/cron-0").into_iter().map(|tick| tick.logical_ms).collect();
    assert_eq!(waited, [START + 3 * HOUR]);
}

#[test]
fn all_makes_up_for_the_latest_up_to_its_maximum_and_tells_the_rest() {
    let mut table = with(Some(START), START, CronEntry { misfire_max: 3, ..entry("@hourly", Misfire::All) });
    let due = table.due(START + 10 * HOUR + 5 * MINUTE);
    assert_eq!(times(&due), [(START + 8 * HOUR, 0), (START + 9 * HOUR, 0), (START + 10 * HOUR, 0)]);
    assert_eq!(told(&due), [(START + HOUR, START + 7 * HOUR, 7, "misfired")]);
    assert_eq!(table.due(START + 10 * HOUR + 6 * MINUTE), CronDue::default());
}

#[test]
fn what_is_older_than_the_window_is_not_made_up_for() {
    let window = |misfire| CronEntry { misfire_window_ms: Some(2 * HOUR), ..entry("@hourly", misfire) };
    let mut all = with(Some(START), START, window(Misfire::All));
    let due = all.due(START + 10 * HOUR + 30 * MINUTE);
    assert_eq!(times(&due), [(START + 9 * HOUR, 0), (START + 10 * HOUR, 0)]);
    assert_eq!(told(&due), [(START + HOUR, START + 8 * HOUR, 8, "misfired")]);
    let daily = CronEntry { misfire_window_ms: Some(2 * HOUR), ..entry("@daily", Misfire::Latest) };
    let mut late = with(Some(START), START, daily.clone());
    let due = late.due(START + DAY + 3 * HOUR);
    assert!(due.fires.is_empty());
    assert_eq!(told(&due), [(START + DAY, START + DAY, 1, "misfired")]);
    let mut soon = with(Some(START), START, daily);
    assert_eq!(times(&soon.due(START + DAY + HOUR)), [(START + DAY, 0)]);
}

#[test]
fn jitter_moves_the_start_and_not_the_time() {
    let shifted = CronEntry { offset_ms: 7 * MINUTE, ..entry("@hourly", Misfire::Latest) };
    let mut table = with(Some(START), START, shifted);
    assert_eq!(table.next_deadline(), Some(START + HOUR + 7 * MINUTE));
    assert_eq!(table.due(START + HOUR + 7 * MINUTE - 1), CronDue::default());
    assert_eq!(times(&table.due(START + HOUR + 7 * MINUTE)), [(START + HOUR, 0)]);
}

#[test]
fn an_interval_does_not_drift_and_makes_up_like_a_schedule() {
    let every = Times::Every { period_ms: 90_000 };
    let mut table = with(None, START + 7, CronEntry { times: every, ..entry("@hourly", Misfire::Latest) });
    for number in 1..=5 {
        let at = START + 7 + number * 90_000;
        assert_eq!(table.next_deadline(), Some(at));
        // Asked late, the next time is none the later.
        assert_eq!(times(&table.due(at + 1234)), [(at, 0)]);
    }
    let due = table.due(START + 7 + HOUR + 10);
    assert_eq!(times(&due), [(START + 7 + HOUR, 34)]);
}

#[test]
fn times_that_come_during_a_run_are_let_through_skipped_or_queued() {
    let runs = |overlap| {
        let mut table = with(Some(START), START, CronEntry { overlap, ..entry("* * * * *", Misfire::Latest) });
        let due: Vec<CronDue> = (1..=3).map(|minute| table.due(START + minute * MINUTE)).collect();
        (table, due.iter().map(|due| due.fires.len()).collect::<Vec<_>>(), due[1].ticks.first().map(|t| t.decision))
    };
    assert_eq!(runs(Overlap::Allow).1, [1, 1, 1]);
    let (mut table, fires, decision) = runs(Overlap::Skip);
    assert_eq!((fires, decision), (vec![1, 0, 0], Some(TickDecision::Overlapped)));
    assert_eq!(table.ended("w/cron-0"), None);
    assert_eq!(table.due(START + 4 * MINUTE).fires.len(), 1);
    let (mut table, fires, decision) = runs(Overlap::Queue);
    assert_eq!((fires, decision), (vec![1, 0, 0], Some(TickDecision::Queued { missed: 0 })));
    let next = table.ended("w/cron-0").unwrap();
    assert_eq!((next.logical_ms, next.from_queue), (START + 2 * MINUTE, true));
    // In line behind those that wait.
    assert!(table.due(START + 4 * MINUTE).fires.is_empty());
    let rest: Vec<i64> = std::iter::from_fn(|| table.ended("w/cron-0")).map(|fire| fire.logical_ms).collect();
    assert_eq!(rest, [START + 3 * MINUTE, START + 4 * MINUTE]);
}

#[test]
fn a_new_time_cancels_the_run_before_it_and_of_several_only_the_last_starts() {
    let overlap = Overlap::CancelPrevious;
    let mut table = with(Some(START), START, CronEntry { overlap, ..entry("*/20 * * * * *", Misfire::Latest) });
    let due = table.due(START + MINUTE);
    assert_eq!(times(&due), [(START + MINUTE, 0)]);
    assert!(!due.fires[0].cancel_previous);
    assert_eq!(due.ticks.len(), 2);
    assert!(table.due(START + MINUTE + 20_000).fires[0].cancel_previous);
}

#[test]
fn a_full_queue_overlaps_and_a_restart_goes_on_with_it() {
    let queue = CronEntry { overlap: Overlap::Queue, ..entry("* * * * *", Misfire::Latest) };
    let mut table = with(Some(START), START, queue.clone());
    let waiting: Vec<Tick> = (1..=100).map(|n| Tick { logical_ms: START - n, missed: 0 }).collect();
    assert_eq!(table.restore("w/cron-0", 1, waiting), None);
    assert_eq!(told(&table.due(START + MINUTE)), [(START + MINUTE, START + MINUTE, 1, "overlapped")]);
    let mut table = with(Some(START), START, queue);
    let fire = table.restore("w/cron-0", 0, [Tick { logical_ms: START - 5, missed: 2 }]).unwrap();
    assert_eq!((fire.logical_ms, fire.missed, fire.from_queue), (START - 5, 2, true));
}

#[test]
fn nothing_is_due_while_the_clock_is_not_believed() {
    let mut table = CronTable::new();
    table.hold(START);
    assert_eq!(table.insert(entry("@hourly", Misfire::Latest), None, 5_000), None);
    assert_eq!((table.next_deadline(), table.due(9 * HOUR)), (None, CronDue::default()));
    let moves = table.release(START + 5 * MINUTE);
    assert_eq!((moves[0].position_ms, moves[0].cause), (START + 5 * MINUTE, MoveCause::New));
    assert_eq!(times(&table.due(START + HOUR)), [(START + HOUR, 0)]);
    assert!(table.release(START + HOUR).is_empty());
}

#[test]
fn a_trigger_that_was_new_in_a_wrong_year_makes_up_for_nothing_when_the_clock_is_right() {
    let mut table = CronTable::new();
    table.hold(START);
    table.insert(entry("@hourly", Misfire::Latest), None, 5_000);
    table.release(600_000);
    assert_eq!(times(&table.due(HOUR)), [(HOUR, 0)]);
    let due = table.due(START + 30 * MINUTE);
    assert!(due.fires.is_empty() && due.ticks.is_empty());
    assert_eq!(due.moves[0].cause, MoveCause::Reanchored { from_ms: HOUR });
    assert_eq!(times(&table.due(START + HOUR)), [(START + HOUR, 0)]);
}

//! Clocks that lie and jump: which runs there are in the end, exactly. The lists are those of the page on triggers.

use std::time::Duration;

use trackside_spec::{CronTimes, CronTrigger, Misfire, Overlap};
use trackside_triggers::cron::{CronDue, CronEntry, CronTable, GateState, TimeGate};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// 2026-11-22T06:00:00Z, a Sunday.
const SUNDAY: i64 = 1_795_327_200_000;

fn schedule(text: &str, misfire: Misfire) -> CronTrigger {
    CronTrigger {
        times: CronTimes::Schedule { text: text.into(), timezone: "UTC".into() },
        misfire,
        misfire_window: None,
        misfire_max: 100,
        jitter: trackside_spec::Duration::default(),
        overlap: Overlap::Allow,
    }
}

fn every(period_ms: u64, misfire: Misfire) -> CronTrigger {
    let times = CronTimes::Every(trackside_spec::Duration::from_millis(period_ms));
    CronTrigger { times, ..schedule("", misfire) }
}

/// A box: it sleeps until its next deadline by a monotonic clock, is woken when the wall clock is set, and keeps the
/// position as a database would.
struct Node {
    wall: i64,
    /// What a clock that nobody sets has counted since the start.
    uptime: Duration,
    table: CronTable,
    gate: Option<TimeGate>,
    trigger: CronTrigger,
    position: Option<i64>,
    runs: Vec<i64>,
    wakeups: u32,
}

impl Node {
    fn new(wall: i64, trigger: CronTrigger) -> Self {
        let table = CronTable::new();
        let mut node = Self {
            wall,
            uptime: Duration::ZERO,
            table,
            gate: None,
            trigger,
            position: None,
            runs: Vec::new(),
            wakeups: 0,
        };
        node.start();
        node
    }

    /// Starts, or starts again with what the database holds.
    fn start(&mut self) {
        self.table = CronTable::new();
        self.uptime = Duration::ZERO;
        let gate = TimeGate::new(self.runs.iter().max().copied());
        self.gate = Some(gate);
        self.table.hold(gate.floor_ms());
        let entry = CronEntry::new("w/cron-0", &self.trigger, "box").unwrap();
        if let Some(position) = self.table.insert(entry, self.position, self.wall) {
            self.position = Some(position);
        }
        self.wake();
    }

    /// What the node does when it is woken; gives how long it sleeps then.
    fn wake(&mut self) -> Option<i64> {
        self.wakeups += 1;
        if let Some(gate) = self.gate {
            match gate.state(self.wall, self.uptime) {
                GateState::Wait(left) => return Some(i64::try_from(left.as_millis()).unwrap()),
                GateState::Open | GateState::GivenUp => {
                    self.gate = None;
                    self.table.release(self.wall).iter().for_each(|step| self.position = Some(step.position_ms));
                }
            }
        }
        let CronDue { fires, moves, .. } = self.table.due(self.wall);
        for fire in fires {
            // The ledger of the node: one run for each time, whatever the clock does.
            if !self.runs.contains(&fire.logical_ms) {
                self.runs.push(fire.logical_ms);
            }
            assert_eq!(self.table.ended("w/cron-0"), None);
        }
        moves.iter().for_each(|step| self.position = Some(step.position_ms));
        self.table.next_deadline().map(|at| (at - self.wall).max(0))
    }

    /// Lets time go by as it should.
    fn pass(&mut self, mut ms: i64) {
        loop {
            let sleep = self.wake().unwrap_or(i64::MAX).max(1);
            let step = sleep.min(ms);
            self.wall += step;
            self.uptime += Duration::from_millis(step.unsigned_abs());
            ms -= step;
            if ms == 0 {
                self.wake();
                return;
            }
        }
    }

    /// Somebody sets the clock; the node is woken.
    fn set(&mut self, wall: i64) {
        self.wall = wall;
        self.wake();
    }

    /// The box sleeps: the wall clock goes on, the monotonic one does not.
    fn suspend(&mut self, ms: i64) {
        self.set(self.wall + ms);
    }

    /// The runs as distance from `SUNDAY` in minutes.
    fn minutes(&self) -> Vec<i64> {
        self.runs.iter().map(|at| (at - SUNDAY) / MINUTE).collect()
    }
}

#[test]
fn a_board_that_boots_in_1970_starts_nothing_before_it_knows_the_time() {
    let mut node = Node::new(5 * SECOND, schedule("@hourly", Misfire::Latest));
    node.pass(3 * MINUTE);
    assert_eq!((node.runs.len(), node.position), (0, None));
    node.set(SUNDAY + 10 * MINUTE);
    node.pass(2 * HOUR);
    assert_eq!(node.minutes(), [60, 120]);
}

#[test]
fn a_board_that_ran_before_and_boots_in_1970_makes_up_as_after_any_downtime() {
    for (misfire, expected) in [
        (Misfire::Latest, vec![60, 360, 420]),
        (Misfire::All, vec![60, 120, 180, 240, 300, 360, 420]),
        (Misfire::Skip, vec![60, 420]),
    ] {
        let mut node = Node::new(SUNDAY + MINUTE, schedule("@hourly", misfire));
        node.pass(HOUR);
        // The power is off from 7:01 to 12:10.
        node.wall = 5 * SECOND;
        node.start();
        node.pass(MINUTE);
        assert_eq!(node.minutes(), [60], "{misfire:?}");
        node.set(SUNDAY + 6 * HOUR + 10 * MINUTE);
        node.pass(HOUR);
        assert_eq!(node.minutes(), expected, "{misfire:?}");
    }
}

#[test]
fn a_board_that_never_hears_the_time_works_with_the_one_it_has_and_repeats_nothing_when_it_hears_it_after_all() {
    let mut node = Node::new(5 * SECOND, schedule("@hourly", Misfire::Latest));
    node.pass(2 * HOUR);
    assert_eq!(node.runs, [HOUR, 2 * HOUR]);
    node.set(SUNDAY + 10 * MINUTE);
    node.pass(HOUR);
    assert_eq!(node.runs, [HOUR, 2 * HOUR, SUNDAY + HOUR]);
}

#[test]
fn a_clock_set_back_two_hours_runs_nothing_twice_and_goes_on_where_it_was() {
    let mut node = Node::new(SUNDAY + MINUTE, schedule("@hourly", Misfire::Latest));
    node.pass(3 * HOUR);
    assert_eq!(node.minutes(), [60, 120, 180]);
    node.set(SUNDAY + HOUR + MINUTE);
    node.pass(4 * HOUR);
    assert_eq!(node.minutes(), [60, 120, 180, 240, 300]);
}

#[test]
fn eight_hours_of_suspend_are_one_misfire() {
    for (misfire, expected) in [
        (Misfire::Latest, vec![60, 540, 600]),
        (Misfire::Skip, vec![60, 600]),
        (Misfire::All, vec![60, 120, 180, 240, 300, 360, 420, 480, 540, 600]),
    ] {
        let mut node = Node::new(SUNDAY + MINUTE, schedule("@hourly", misfire));
        node.pass(HOUR + 4 * MINUTE);
        node.suspend(8 * HOUR);
        node.pass(HOUR);
        assert_eq!(node.minutes(), expected, "{misfire:?}");
    }
}

#[test]
fn an_interval_keeps_its_pace_over_restarts_suspends_and_two_hours_back() {
    let mut node = Node::new(SUNDAY, every(90_000, Misfire::Latest));
    node.pass(5 * MINUTE);
    assert_eq!(node.runs, [90, 180, 270].map(|s| SUNDAY + s * SECOND));
    node.wall += 10 * SECOND;
    node.start();
    node.pass(60 * SECOND);
    assert_eq!(node.runs.last(), Some(&(SUNDAY + 360 * SECOND)));
    node.suspend(8 * HOUR);
    let woken = node.wall;
    let latest = *node.runs.last().unwrap();
    assert!(woken - latest < 90 * SECOND && (latest - SUNDAY) % (90 * SECOND) == 0);
    let before = node.runs.len();
    node.set(woken - 2 * HOUR);
    node.pass(2 * HOUR - SECOND);
    assert_eq!(node.runs.len(), before);
    node.pass(2 * MINUTE);
    assert_eq!(node.runs[before], latest + 90 * SECOND);
}

#[test]
fn a_clock_that_shows_a_wrong_year_for_a_while_repeats_nothing() {
    let mut node = Node::new(SUNDAY + MINUTE, schedule("@hourly", Misfire::Latest));
    node.pass(2 * HOUR);
    node.set(SUNDAY + 400 * 24 * HOUR + 30 * MINUTE);
    node.set(SUNDAY + 2 * HOUR + 2 * MINUTE);
    node.pass(2 * HOUR);
    let expected = [60, 120, 400 * 24 * 60, 180, 240];
    assert_eq!(node.minutes(), expected);
}

#[test]
fn an_idle_node_sleeps_from_time_to_time_and_does_not_tick() {
    let mut node = Node::new(SUNDAY, schedule("30 2 * * *", Misfire::Latest));
    let before = node.wakeups;
    node.pass(10 * 24 * HOUR);
    assert_eq!(node.runs.len(), 10);
    assert!(node.wakeups - before <= 22, "{}", node.wakeups - before);
}

//! The way of rows from requests to alarms, with made-up clocks and seeded rows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use trackside_serving::{
    Clock, ModelSettings, Request, Serving, ServingSettings,
    drift::{AlarmRule, Board, DriftSettings, DriftState, Due, Held, Key, KeyKind, Kind, Saved, Says, WatchedColumn},
};
use trackside_spec::{ModelVersion, Tensor};

use crate::support::{Bench, adds};

/// Clocks that tests turn.
#[derive(Default)]
pub struct Hands {
    running: AtomicU64,
    wall_ms: AtomicI64,
}

impl Hands {
    fn on(&self, by: Duration) {
        self.running.fetch_add(u64::try_from(by.as_millis()).unwrap(), Relaxed);
        self.wall_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Relaxed);
    }
}

impl Clock for Hands {
    fn running(&self) -> Duration {
        Duration::from_millis(self.running.load(Relaxed))
    }

    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Relaxed).cast_unsigned()
    }
}

/// xorshift64*: tests need chance that is the same each time.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let value = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64;
        value / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A box whose disk is in memory.
struct Desk {
    bench: Bench,
    hands: Arc<Hands>,
    /// What is on disk.
    disk: Vec<(Key, Saved)>,
    /// All that was kept, in order.
    kept: Vec<Due>,
}

impl Desk {
    fn new(drift: DriftSettings) -> Self {
        let bench = Bench::new();
        let hands = Arc::new(Hands::default());
        hands.on(Duration::from_secs(1_000_000));
        let mut desk = Self { bench, hands, disk: Vec::new(), kept: Vec::new() };
        desk.bench.say("pump", ModelSettings { drift, ..ModelSettings::default() });
        desk.bench.add("pump", 1, &adds(1.0));
        desk.start();
        desk
    }

    /// Another process on the same disk.
    fn start(&mut self) {
        let (said, engines) = (self.bench.said.clone(), Arc::new(self.bench.lab.engines()));
        self.bench.serving = Serving::new(said, engines, ServingSettings::default(), self.hands.clone());
    }

    fn board(&self) -> Arc<Board> {
        self.bench.serving.board().clone()
    }

    /// One request with rows of two.
    fn ask(&self, rows: &[[f32; 2]]) {
        let served = self.bench.serving.open_here("pump", &ModelVersion::Unsaid, None).unwrap();
        let tensor = Tensor::from_f32(vec![u32::try_from(rows.len()).unwrap(), 2], rows.as_flattened()).unwrap();
        let request = Request { inputs: vec![("x".to_owned(), tensor)], ..Request::default() };
        served.predict_here(request).unwrap();
    }

    /// What the node does when the bell rings.
    fn keep(&mut self, last: bool) -> Option<Duration> {
        let board = self.board();
        for key in board.wanted() {
            let saved = self.disk.iter().find(|(known, _)| known.name == key.name && known.version == key.version);
            board.load(&key, saved.map(|(_, saved)| saved));
        }
        let (due, sleep) = board.due(last);
        for due in due {
            self.disk.retain(|(known, _)| *known != due.key);
            let saved = Saved { content: due.key.content.clone(), state: due.state.clone(), drift: due.drift };
            self.disk.push((due.key.clone(), saved));
            board.kept(&due);
            self.kept.push(due);
        }
        sleep
    }

    /// So many rows, each as `row` makes it, kept as they come.
    fn rows(&mut self, rows: usize, mut row: impl FnMut(usize) -> [f32; 2]) {
        for at in 0..rows {
            self.ask(&[row(at)]);
            self.hands.on(Duration::from_secs(2));
            if at % 25 == 24 {
                self.keep(false);
            }
        }
        self.hands.on(Duration::from_secs(61));
        self.keep(false);
    }

    fn state(&self) -> DriftState {
        self.bench.serving.drift_state("pump")
    }

    fn turns(&self) -> Vec<(bool, u64, String)> {
        let turns = self.kept.iter().flat_map(|due| &due.turns);
        turns.map(|turn| (turn.raised, turn.window, turn.words.clone())).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "inputs are single floats")]
fn normal(chance: &mut Chance, mean: f64, deviation: f64) -> f32 {
    (mean + deviation * chance.normal()) as f32
}

fn watched() -> DriftSettings {
    DriftSettings { rows: 100, reference: 2_000, ..DriftSettings::default() }
}

#[test]
fn what_moves_raises_an_alarm_that_says_from_what_to_what_and_ends_when_it_is_back() {
    let mut desk = Desk::new(watched());
    let mut chance = Chance::new(1);
    desk.rows(2_000, |_| [normal(&mut chance, 20.1, 1.0), normal(&mut chance, 0.0, 1.0)]);
    let reference = desk.kept.iter().rev().find_map(|due| due.reference.clone()).unwrap();
    assert!(reference.complete && reference.rows == 2_000 && reference.windows == 20, "{reference:?}");
    let names: Vec<&str> = reference.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["x[0]", "x[1]", "y[0]", "y[1]"]);
    assert_eq!(desk.state(), DriftState::Unknown);
    desk.rows(1_000, |_| [normal(&mut chance, 20.1, 1.0), normal(&mut chance, 0.0, 1.0)]);
    assert_eq!((desk.state(), desk.turns()), (DriftState::None, vec![]));
    desk.rows(300, |_| [normal(&mut chance, 24.9, 1.0), normal(&mut chance, 0.0, 1.0)]);
    assert_eq!(desk.state(), DriftState::Alarm);
    let turns = desk.turns();
    let [(true, 12, words)] = &turns[..] else { panic!("{turns:?}") };
    assert!(words.starts_with("x[0]: median from 20.") && words.contains(" to 24."), "{words}");
    assert!(words.contains("% above everything in the reference") && !words.contains("x[1]"), "{words}");
    desk.rows(1_500, |_| [normal(&mut chance, 20.1, 1.0), normal(&mut chance, 0.0, 1.0)]);
    assert_eq!(desk.state(), DriftState::None);
    assert!(matches!(&desk.turns()[..], [_, (false, ..)]), "{:?}", desk.turns());
}

#[test]
fn a_reference_of_three_rows_says_so_instead_of_answering() {
    let mut desk = Desk::new(DriftSettings { rows: 20, reference: 3, ..DriftSettings::default() });
    desk.rows(20, |at| [f32::from(u16::try_from(at).unwrap()), 0.0]);
    desk.rows(200, |_| [1e6, -1e6]);
    let window = desk.kept.iter().rev().find_map(|due| due.windows.last()).unwrap();
    assert_eq!(window.says, Says::Nothing);
    assert_eq!(window.note.as_deref(), Some("the reference has 20 rows, and 50 are needed to compare with"));
    assert_eq!((desk.state(), desk.turns()), (DriftState::Unknown, vec![]));
}

#[test]
fn a_slow_shift_is_told_by_the_sum_over_windows() {
    let mut desk = Desk::new(DriftSettings { rows: 100, reference: 4_000, ..DriftSettings::default() });
    let mut chance = Chance::new(5);
    desk.rows(4_000, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    desk.rows(3_000, |_| [normal(&mut chance, 0.3, 1.0), normal(&mut chance, 0.0, 1.0)]);
    assert_eq!(desk.state(), DriftState::Alarm);
    let found = desk.kept.iter().flat_map(|due| &due.windows).flat_map(|window| &window.columns[0].found);
    assert!(found.clone().any(|found| found.signal == "shift" && found.p.is_none()), "{:?}", found.collect::<Vec<_>>());
}

#[test]
fn nan_infinities_and_a_constant_that_leaves_its_value_are_told() {
    let mut desk = Desk::new(watched());
    let mut chance = Chance::new(2);
    desk.rows(2_000, |_| [normal(&mut chance, 0.0, 1.0), 7.0]);
    desk.rows(500, |_| [normal(&mut chance, 0.0, 1.0), 7.0]);
    assert_eq!((desk.state(), desk.turns()), (DriftState::None, vec![]));
    desk.rows(200, |at| {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.1];
        [odd[at % 4], if at % 2 == 0 { 7.0 } else { 7.5 }]
    });
    assert_eq!(desk.state(), DriftState::Alarm);
    let window = desk.kept.iter().rev().find_map(|due| due.windows.last()).unwrap();
    assert_eq!((window.columns[0].counted.nan, window.columns[0].counted.infinite), (25, 50));
    assert_eq!(window.columns[1].counted.outside, 50);
    let words: Vec<&str> = window.columns.iter().filter_map(|column| column.words.as_deref()).collect();
    assert!(
        words.iter().any(|words| words.starts_with("x[0]: ") && words.contains("NaN or infinite from 0 % to 75 %")),
        "{words:?}"
    );
    assert!(
        words.iter().any(|words| words.starts_with("x[1]: ") && words.contains("50 % above everything")),
        "{words:?}"
    );
}

#[test]
fn a_sensor_that_is_stuck_is_told() {
    let mut desk = Desk::new(watched());
    let mut chance = Chance::new(3);
    desk.rows(2_000, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    desk.rows(200, |_| [normal(&mut chance, 0.0, 1.0), 0.05]);
    assert_eq!(desk.state(), DriftState::Alarm);
    let window = desk.kept.iter().rev().find_map(|due| due.windows.last()).unwrap();
    assert!(window.columns[1].words.as_ref().unwrap().contains("the same value 100 times in a row"), "{window:?}");
}

#[test]
fn a_restart_goes_on_with_reference_alarm_and_open_window_and_a_crash_loses_only_that() {
    let mut desk = Desk::new(watched());
    let mut chance = Chance::new(4);
    // In the middle of the reference, in the rows that are kept as they come.
    desk.rows(1_030, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    desk.keep(true);
    desk.start();
    desk.rows(970, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    let reference = desk.kept.iter().rev().find_map(|due| due.reference.clone()).unwrap();
    assert!(reference.complete && reference.rows == 2_000, "{reference:?}");
    // In the middle of a window, cleanly.
    desk.rows(140, |_| [normal(&mut chance, 3.0, 1.0), 0.1]);
    desk.keep(true);
    desk.start();
    desk.rows(60, |_| [normal(&mut chance, 3.0, 1.0), 0.1]);
    assert_eq!(desk.state(), DriftState::Alarm);
    assert_eq!(desk.turns().len(), 1);
    let before = desk.kept.iter().rev().find_map(|due| due.windows.last()).unwrap().number;
    assert_eq!(before, 2);
    // In a crash: 40 rows are lost, the alarm is not, and nothing is raised twice.
    desk.ask(&[[3.0, 0.1]; 1]);
    for _ in 0..39 {
        desk.ask(&[[3.0, 0.1]]);
    }
    desk.start();
    assert_eq!(desk.state(), DriftState::Unknown, "what is on disk is not there yet");
    desk.rows(100, |_| [normal(&mut chance, 3.0, 1.0), 0.1]);
    assert_eq!(desk.state(), DriftState::Alarm);
    let window = desk.kept.iter().rev().find_map(|due| due.windows.last()).unwrap();
    assert_eq!((window.number, window.rows), (3, 100));
    assert_eq!(desk.turns().len(), 1);
}

#[test]
fn traffic_that_stops_for_a_week_and_clocks_that_jump_raise_nothing() {
    let mut desk = Desk::new(watched());
    let mut chance = Chance::new(6);
    desk.rows(2_000, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    // Too few rows to be compared: the window goes on after the week.
    desk.rows(30, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    desk.hands.on(Duration::from_secs(7 * 86_400));
    assert_eq!(desk.keep(false), None, "an idle box sleeps");
    desk.rows(70, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    let window = desk.kept.iter().rev().find_map(|due| due.windows.last()).unwrap().clone();
    // At its 50th row it is a week old: it is closed with those.
    assert_eq!(window.rows, 50, "{window:?}");
    assert!(window.to_ms - window.from_ms > 7 * 86_400_000);
    // The clock on the wall is set back by a year, and on by ten.
    desk.hands.wall_ms.fetch_add(-365 * 86_400_000, Relaxed);
    desk.rows(200, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    desk.hands.wall_ms.fetch_add(3_650 * 86_400_000, Relaxed);
    desk.rows(200, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    for window in desk.kept.iter().flat_map(|due| &due.windows) {
        assert!(window.to_ms >= window.from_ms, "{window:?}");
        assert!(window.says == Says::Calm, "{window:?}");
    }
    assert_eq!((desk.state(), desk.turns()), (DriftState::None, vec![]));
}

#[test]
fn a_window_that_is_old_is_closed_by_whoever_keeps_it_also_when_nobody_asks() {
    let mut desk = Desk::new(DriftSettings { time: Duration::from_secs(3_600), ..watched() });
    let mut chance = Chance::new(7);
    desk.rows(2_000, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    desk.rows(60, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    let sleep = desk.keep(false).unwrap();
    assert!(sleep < Duration::from_secs(3_600), "{sleep:?}");
    desk.hands.on(sleep);
    desk.keep(false);
    let window = desk.kept.iter().rev().find_map(|due| due.windows.last()).unwrap();
    assert_eq!((window.number, window.rows), (1, 60));
}

#[test]
fn a_busy_model_is_kept_once_a_minute_and_an_alarm_at_once() {
    let mut desk = Desk::new(DriftSettings { alarm: AlarmRule { of: 1, raise: 1, clear: 1 }, ..watched() });
    let mut chance = Chance::new(8);
    desk.rows(2_000, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    desk.keep(false);
    let before = desk.kept.len();
    for _ in 0..1_000 {
        desk.ask(&[[normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]]);
        desk.hands.on(Duration::from_millis(10));
        desk.keep(false);
    }
    assert!(desk.kept.len() - before <= 1, "ten windows in ten seconds: {}", desk.kept.len() - before);
    for _ in 0..100 {
        desk.ask(&[[9.0, normal(&mut chance, 0.0, 1.0)]]);
        desk.keep(false);
    }
    let due = desk.kept.last().unwrap();
    assert!(due.turns.len() == 1 && due.turns[0].raised, "{due:?}");
    let since = desk.kept[before..].iter().flat_map(|due| &due.windows);
    assert_eq!(since.map(|window| window.windows).sum::<u64>(), 11);
    assert_eq!(desk.state(), DriftState::Alarm);
}

#[test]
fn what_was_kept_and_is_damaged_is_no_panic_and_another_reference_is_made() {
    let mut desk = Desk::new(watched());
    let mut chance = Chance::new(9);
    desk.rows(2_100, |_| [normal(&mut chance, 0.0, 1.0), normal(&mut chance, 0.0, 1.0)]);
    let whole = desk.disk[0].1.state.clone();
    for cut in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        let mut state = whole.clone();
        if cut % 2 == 0 {
            state.truncate(cut);
        } else {
            state[cut] ^= 0xff;
        }
        desk.disk[0].1.state = state;
        desk.start();
        desk.ask(&[[0.0, 0.0]]);
        desk.keep(false);
    }
}

#[test]
fn where_it_stood_is_known_before_anybody_asks_and_of_no_use_when_it_is_turned_off() {
    let desk = Desk::new(watched());
    assert_eq!(desk.state(), DriftState::Unknown);
    desk.board().stood(KeyKind::Model, "pump", 1, DriftState::Alarm);
    assert_eq!(desk.state(), DriftState::Alarm);
    desk.bench.change("pump", |entry| entry.settings.drift.enabled = false);
    desk.bench.serving.refresh(Some("pump")).unwrap();
    assert_eq!(desk.state(), DriftState::Unknown);
}

#[test]
fn one_that_is_off_is_not_watched_and_no_refused_request_counts() {
    let desk = Desk::new(DriftSettings { enabled: false, ..watched() });
    desk.ask(&[[0.0, 0.0]]);
    assert!(desk.board().wanted().is_empty());
    let mut desk = Desk::new(watched());
    desk.ask(&[[0.0, 0.0]]);
    let served = desk.bench.serving.open_here("pump", &ModelVersion::Unsaid, None).unwrap();
    let wrong = Tensor::from_f32(vec![1, 3], &[0.0; 3]).unwrap();
    let request = Request { inputs: vec![("x".to_owned(), wrong)], ..Request::default() };
    served.predict_here(request).unwrap_err();
    desk.keep(true);
    assert_eq!(desk.kept[0].reference.as_ref().unwrap().rows, 1);
}

/// Windows of rows that do not move, through all of the way: reference, windows, tests, correction, effects, sums.
fn false_windows(seed: u64, memory: f64, models: usize) -> (usize, usize, usize) {
    let (mut windows, mut drifted, mut alarms) = (0, 0, 0);
    for model in 0..models {
        let clock = Arc::new(Hands::default());
        clock.on(Duration::from_secs(1_000_000));
        let lab = Bench::new();
        let serving =
            Serving::new(lab.said.clone(), Arc::new(lab.lab.engines()), ServingSettings::default(), clock.clone());
        let board = serving.board();
        let key = Key { kind: KeyKind::Model, name: "twenty".to_owned(), version: 0, content: String::new() };
        let columns = (0..20).map(|at| WatchedColumn { name: format!("c{at}"), kind: Kind::Number });
        let settings = DriftSettings { rows: 200, reference: 5_000, ..DriftSettings::default() };
        let ward = board.watch(key.clone(), columns.collect(), 0, settings);
        board.load(&key, None);
        let mut chance = Chance::new(seed + model as u64);
        let mut state = [0.0_f64; 20];
        for row in 0..5_000 + 50 * 200 {
            for value in &mut state {
                *value = memory * *value + (1.0 - memory * memory).sqrt() * chance.normal();
            }
            board.rows(&ward, state.iter().map(|value| Held::Number(*value)).collect());
            if row % 200 == 199 {
                clock.on(Duration::from_secs(61));
                for due in board.due(false).0 {
                    board.kept(&due);
                    windows += due.windows.len();
                    drifted += due.windows.iter().filter(|window| window.says == Says::Drift).count();
                    alarms += due.turns.iter().filter(|turn| turn.raised).count();
                }
            }
        }
    }
    (windows, drifted, alarms)
}

#[test]
fn what_does_not_move_drifts_in_at_most_five_windows_of_a_hundred() {
    for memory in [0.0, 0.5, 0.9] {
        let (windows, drifted, alarms) = false_windows(100, memory, 8);
        println!("seed 100, rows hang together by {memory}: {drifted} of {windows} windows drift, {alarms} alarms");
        assert_eq!(windows, 8 * 50);
        assert!(drifted * 20 <= windows, "{memory}: {drifted} of {windows}");
        assert!(alarms <= 1, "{memory}: {alarms}");
    }
}

/// One column of a table, a row every minute, by a swing of a day.
struct Sensor {
    board: Board,
    hands: Arc<Hands>,
    chance: Chance,
    ward: Arc<trackside_serving::drift::Ward>,
    minute: u64,
    says: Vec<Says>,
    turns: Vec<bool>,
}

impl Sensor {
    fn new(season: bool) -> Self {
        let hands = Arc::new(Hands::default());
        let board = Board::alone(hands.clone());
        let key = Key { kind: KeyKind::Model, name: "sensor".to_owned(), version: 1, content: String::new() };
        let column = WatchedColumn { name: "t".to_owned(), kind: Kind::Number };
        let ward = board.watch(key.clone(), vec![column], 0, DriftSettings { season, ..DriftSettings::USUAL });
        board.load(&key, None);
        Self { board, hands, chance: Chance::new(21), ward, minute: 0, says: Vec::new(), turns: Vec::new() }
    }

    fn days(&mut self, days: u64, shift: f64) {
        for _ in 0..days * 1_440 {
            #[expect(clippy::cast_precision_loss, reason = "minutes of a few weeks")]
            let swing = (self.minute as f64 / 1_440.0 * std::f64::consts::TAU).sin();
            let value = swing + shift + 0.5 * self.chance.normal();
            self.board.rows(&self.ward, vec![Held::Number(value)]);
            self.hands.on(Duration::from_secs(60));
            self.minute += 1;
            if self.minute.is_multiple_of(60) {
                for due in self.board.due(false).0 {
                    self.board.kept(&due);
                    self.says.extend(due.windows.iter().map(|window| window.says));
                    self.turns.extend(due.turns.iter().map(|turn| turn.raised));
                }
            }
        }
    }
}

#[test]
fn by_the_hour_of_the_week_a_swing_is_no_drift_and_a_shift_within_it_is() {
    let mut blind = Sensor::new(false);
    blind.days(7, 0.0);
    assert!(blind.says.contains(&Says::Calm), "four days of a swing are a reference that knows it");
    let mut sensor = Sensor::new(true);
    sensor.days(21, 0.0);
    assert!(sensor.says.is_empty(), "three weeks are the reference");
    sensor.days(7, 0.0);
    let drifted = sensor.says.iter().filter(|says| **says == Says::Drift).count();
    println!("a week of hours with a daily swing: {drifted} of {} windows drift", sensor.says.len());
    assert!(sensor.says.len() > 140 && drifted * 20 <= sensor.says.len() && sensor.turns.is_empty());
    // One deviation of the swing: no value that would be strange at another hour.
    sensor.days(1, 1.0);
    assert!(sensor.turns.contains(&true));
}

/// Windows of 200 rows until a shift of one of 20 columns raises the alarm, by deviations.
fn windows_until(shift: f64) -> Vec<usize> {
    (0..8)
        .map(|seed| {
            let hands = Arc::new(Hands::default());
            let board = Board::alone(hands.clone());
            let key = Key { kind: KeyKind::Model, name: "twenty".to_owned(), version: 1, content: String::new() };
            let columns = (0..20).map(|at| WatchedColumn { name: format!("c{at}"), kind: Kind::Number });
            let ward = board.watch(key.clone(), columns.collect(), 0, DriftSettings::USUAL);
            board.load(&key, None);
            let mut chance = Chance::new(300 + seed);
            let mut window = |shift: f64| {
                for _ in 0..200 {
                    let row = (0..20).map(|at| Held::Number(chance.normal() + if at == 7 { shift } else { 0.0 }));
                    board.rows(&ward, row.collect());
                }
                hands.on(Duration::from_secs(61));
                let due = board.due(false).0;
                due.iter().for_each(|due| board.kept(due));
                due.iter().flat_map(|due| &due.turns).any(|turn| turn.raised)
            };
            assert!((0..25 + 10).all(|_| !window(0.0)), "nothing has moved");
            1 + (0..200).take_while(|_| !window(shift)).count()
        })
        .collect()
}

#[test]
fn a_shift_of_one_of_twenty_columns_is_seen_in_time() {
    for (shift, most) in [(0.25, 60), (0.5, 12), (1.0, 4)] {
        let mut windows = windows_until(shift);
        windows.sort_unstable();
        println!("seeds 300 to 307, a shift of {shift} deviations: alarm after {windows:?} windows of 200 rows");
        assert!(windows.iter().all(|windows| *windows <= most), "{shift}: {windows:?}");
    }
}

//! Drift tests: how often they alarm where nothing has moved, what they find where something has, and what they say where they can not say.

use trackside_stats::Level;
use trackside_stats::drift::rates::{Hits, compare};
use trackside_stats::drift::{
    Adwin, Alarm, AlarmRule, AlarmState, BlockDesign, Change, Cusum, CusumRule, Order, Outcome, SeasonalReference,
    Shift, Signal, Unsaid, Used, hour_of_week, ks, ks_sketches, psi, screen,
};
use trackside_stats::multiplicity::{self, benjamini_hochberg};
use trackside_stats::sketch::{Edges, Histogram, Quantiles};

use crate::support::{Chance, allowed};

pub const FEATURES: usize = 20;

/// A sensor: what it shows next.
pub struct Sensor {
    memory: f64,
    daily: f64,
    state: f64,
    at: u64,
}

impl Sensor {
    /// `memory`: how much of the last value is in the next one. `daily`: how far the mean swings in a day of 1,440 rows.
    pub fn new(memory: f64, daily: f64, chance: &mut Chance) -> Self {
        Self { memory, daily, state: chance.normal(), at: 0 }
    }

    pub fn next(&mut self, chance: &mut Chance) -> f64 {
        self.state = self.memory * self.state + (1.0 - self.memory * self.memory).sqrt() * chance.normal();
        self.at += 1;
        self.state + self.daily * (std::f64::consts::TAU * self.at as f64 / 1440.0).sin()
    }
}

pub fn histogram(edges: &Edges, sensor: &mut Sensor, chance: &mut Chance, rows: u64) -> Histogram {
    let mut into = Histogram::new(edges.clone());
    (0..rows).for_each(|_| into.observe(sensor.next(chance)));
    into
}

/// A reference of `blocks` windows of `rows` rows: its histogram, and how its windows vary.
pub fn reference(sensor: &mut Sensor, chance: &mut Chance, rows: u64, blocks: u64) -> (Histogram, BlockDesign) {
    let first: Vec<f64> = (0..rows * blocks).map(|_| sensor.next(chance)).collect();
    let edges = Edges::of_values(&first, 10).unwrap();
    let mut all = Histogram::new(edges.clone());
    let mut design = BlockDesign::new(edges.cells()).unwrap();
    for block in first.chunks(rows as usize) {
        let mut window = Histogram::new(edges.clone());
        block.iter().for_each(|value| window.observe(*value));
        design.add(window.cells()).unwrap();
        all.merge(&window).unwrap();
    }
    (all, design)
}

/// How many of `windows` windows raise any alarm over 20 features, after correction: PSI, KS.
pub fn false_alarms(
    seed: u64,
    (memory, daily): (f64, f64),
    (rows, blocks): (u64, u64),
    windows: usize,
    with_design: bool,
) -> (usize, usize) {
    let mut chance = Chance::new(seed);
    let mut features: Vec<_> = (0..FEATURES)
        .map(|_| {
            let mut sensor = Sensor::new(memory, daily, &mut chance);
            let (all, design) = reference(&mut sensor, &mut chance, rows, blocks);
            (sensor, all, design)
        })
        .collect();
    let (mut by_psi, mut by_ks) = (0, 0);
    for _ in 0..windows {
        let (mut p, mut q) = (Vec::new(), Vec::new());
        for (sensor, all, design) in &mut features {
            let window = histogram(all.edges(), sensor, &mut chance, rows);
            let design = with_design.then_some(&*design);
            p.push(psi(all.cells(), window.cells(), Order::Ordered, design).unwrap().p());
            q.push(ks(all, &window, design).unwrap().p());
        }
        by_psi += usize::from(benjamini_hochberg(&p, Level::FIVE_PERCENT).contains(&true));
        by_ks += usize::from(benjamini_hochberg(&q, Level::FIVE_PERCENT).contains(&true));
    }
    (by_psi, by_ks)
}

/// Windows of one reference share its luck: many references with few windows each.
fn many(seeds: std::ops::Range<u64>, kind: (f64, f64), size: (u64, u64), with_design: bool) -> (usize, usize, usize) {
    const WINDOWS: usize = 10;
    let runs = (seeds.end - seeds.start) as usize * WINDOWS;
    let (mut by_psi, mut by_ks) = (0, 0);
    for seed in seeds {
        let (a, b) = false_alarms(seed, kind, size, WINDOWS, with_design);
        by_psi += a;
        by_ks += b;
    }
    (by_psi, by_ks, runs)
}

#[test]
fn independent_rows_raise_at_most_five_false_alarms_in_a_hundred_windows_of_twenty_features() {
    for (rows, blocks) in [(50, 40), (200, 25), (1000, 10)] {
        let (by_psi, by_ks, runs) = many(0..40, (0.0, 0.0), (rows, blocks), false);
        let most = allowed(0.05, runs);
        assert!(by_psi <= most && by_ks <= most, "seeds 0 to 39, {rows} rows: PSI {by_psi}, KS {by_ks} of {runs}");
    }
}

/// Values that hang together by 0.9 from row to row: without the reference's own variation every window alarms, with it five in a hundred.
#[test]
fn rows_that_hang_together_need_a_design_and_hold_with_it() {
    for (rows, blocks) in [(200, 40), (500, 40)] {
        let (by_psi, by_ks, runs) = many(40..70, (0.9, 0.0), (rows, blocks), true);
        let most = allowed(0.05, runs);
        assert!(by_psi <= most && by_ks <= most, "seeds 40 to 69, {rows} rows: PSI {by_psi}, KS {by_ks} of {runs}");
    }
    let (by_psi, by_ks, runs) = many(70..75, (0.9, 0.0), (500, 40), false);
    assert!(by_psi > runs / 2 && by_ks > runs / 2, "the test shows nothing: {by_psi}, {by_ks} of {runs}");
}

/// Scores of a candidate against the stable version's, looked at after 100 rows of each, 200, 400 and so on to 12,800.
#[test]
fn looks_at_scores_share_one_level() {
    let edges = Edges::new((1..10).map(|edge| f64::from(edge) / 10.0).collect()).unwrap();
    let (mut alarms, mut plain) = (0, 0);
    for seed in 0..300 {
        let mut chance = Chance::new(3000 + seed);
        let (mut stable, mut candidate) = (Histogram::new(edges.clone()), Histogram::new(edges.clone()));
        let (mut alarm, mut any) = (false, false);
        for look in 1..=8 {
            let rows = 100 << look.max(2) >> 2;
            (0..rows).for_each(|_| {
                stable.observe(chance.unit());
                candidate.observe(chance.unit());
            });
            let p = psi(stable.cells(), candidate.cells(), Order::Ordered, None).unwrap().p();
            alarm |= p < multiplicity::look(Level::FIVE_PERCENT, look).get();
            any |= p < 0.05;
        }
        alarms += usize::from(alarm);
        plain += usize::from(any);
    }
    assert!(alarms <= allowed(0.05, 300), "seeds 3000 to 3299: {alarms} of 300");
    assert!(plain > allowed(0.05, 300), "eight looks at 5 % each err more often: {plain} of 300");
}

/// What a design costs: a shift of one deviation is still seen in a window that is worth fifty rows, on the hardest of twenty bars.
#[test]
fn a_design_still_sees_a_shift() {
    let mut found = 0;
    for seed in 240..290 {
        let mut chance = Chance::new(seed);
        let mut sensor = Sensor::new(0.9, 0.0, &mut chance);
        let (all, design) = reference(&mut sensor, &mut chance, 1000, 40);
        let mut window = all.emptied();
        (0..1000).for_each(|_| window.observe(sensor.next(&mut chance) + 1.0));
        let p = psi(all.cells(), window.cells(), Order::Ordered, Some(&design)).unwrap().p();
        found += u32::from(p < 0.05 / FEATURES as f64);
    }
    assert!(found >= 45, "seeds 240 to 289: {found} of 50");
}

/// A mean that swings by one deviation in a day, watched hour by hour: a plain reference alarms nearly always. Windows of whole days
/// hold by themselves; windows of hours with a design, with the hour of the week as reference, or both where rows hang together, too.
#[test]
fn a_daily_swing_needs_whole_days_a_design_or_the_hour_of_the_week() {
    let (plain, _, runs) = many(80..85, (0.0, 1.0), (60, 120), false);
    assert!(plain > runs / 2, "the test shows nothing: {plain} of {runs}");
    for (kind, size, design) in
        [((0.0, 1.0), (1440, 10), false), ((0.0, 1.0), (60, 240), true), ((0.9, 1.0), (1440, 30), true)]
    {
        let (by_psi, by_ks, runs) = many(85..100, kind, size, design);
        let most = allowed(0.05, runs);
        assert!(
            by_psi <= most && by_ks <= most,
            "seeds 85 to 99, {kind:?}, {size:?}: PSI {by_psi}, KS {by_ks} of {runs}"
        );
    }
}

#[test]
fn the_hour_of_the_week_is_compared_with_itself() {
    let (mut by_psi, mut windows, mut found) = (0, 0, 0);
    for seed in 100..104 {
        let mut chance = Chance::new(seed);
        let mut features: Vec<(Sensor, SeasonalReference)> = (0..FEATURES)
            .map(|_| {
                let mut sensor = Sensor::new(0.0, 2.0, &mut chance);
                let day: Vec<f64> = (0..1440).map(|_| sensor.next(&mut chance)).collect();
                let mut reference = SeasonalReference::new(Edges::of_values(&day, 20).unwrap(), 3).unwrap();
                for minute in 0..4 * 7 * 1440_i64 {
                    reference.observe(minute * 60, 0, sensor.next(&mut chance));
                }
                (sensor, reference)
            })
            .collect();
        for hour in 0..48_i64 {
            let at = (4 * 7 * 24 + hour) * 3600;
            let (mut still, mut moved) = (Vec::new(), Vec::new());
            for (sensor, reference) in &mut features {
                let used = reference.at(at, 0);
                assert!(matches!(used, Used::HourOfWeek(_)));
                let before = used.histogram();
                let window: Vec<f64> = (0..60).map(|_| sensor.next(&mut chance)).collect();
                let put = |by: f64| {
                    let mut into = before.emptied();
                    window.iter().for_each(|value| into.observe(value + by));
                    psi(before.cells(), into.cells(), Order::Ordered, None).unwrap().p()
                };
                still.push(put(0.0));
                moved.push(put(1.0));
            }
            windows += 1;
            by_psi += usize::from(benjamini_hochberg(&still, Level::FIVE_PERCENT).contains(&true));
            found += benjamini_hochberg(&moved, Level::FIVE_PERCENT).iter().filter(|found| **found).count();
        }
    }
    assert!(by_psi <= allowed(0.05, windows), "seeds 100 to 103: {by_psi} of {windows}");
    assert!(found > windows * FEATURES * 9 / 10, "a shift of one deviation is seen in an hour: {found}");
}

#[test]
fn an_hour_without_enough_weeks_says_with_what_it_is_compared() {
    let mut reference = SeasonalReference::new(Edges::new(vec![0.0]).unwrap(), 3).unwrap();
    assert!(matches!(reference.at(0, 0), Used::All(_)));
    for minute in 0..7 * 1440_i64 {
        reference.observe(minute * 60, 0, 1.0);
    }
    assert!(matches!(reference.at(7 * 86_400, 0), Used::HourOfDay(_)), "one week is no season");
    // 1970-01-05 was a Monday.
    assert_eq!(hour_of_week(4 * 86_400, 0), 0);
    assert_eq!(hour_of_week(4 * 86_400 - 1, 0), 167);
    assert_eq!(hour_of_week(4 * 86_400 - 1, 3600), 0);
    assert!(hour_of_week(i64::MIN, -3600) < 168 && hour_of_week(i64::MAX, 3600) < 168);
}

/// How many windows of 200 rows it takes to see a shift, at a rule of 2 of 3 windows.
#[test]
fn shifts_are_seen_in_time() {
    for (shift, most) in [(0.25, 20.0), (0.5, 3.0), (1.0, 2.0)] {
        let mut total = 0;
        for seed in 200..230 {
            let mut chance = Chance::new(seed);
            let mut sensor = Sensor::new(0.0, 0.0, &mut chance);
            let (all, _) = reference(&mut sensor, &mut chance, 200, 25);
            let mut alarm = Alarm::new(AlarmRule { of: 3, raise: 2, clear: 3 }).unwrap();
            let mut windows = 0;
            while alarm.state() != AlarmState::Alarmed && windows < 50 {
                let mut window = all.emptied();
                (0..200).for_each(|_| window.observe(sensor.next(&mut chance) + shift));
                // One of 20 features that moves: it must pass the hardest of the correction's bars.
                let p = psi(all.cells(), window.cells(), Order::Ordered, None).unwrap().p();
                alarm.window(Some(p < 0.05 / FEATURES as f64));
                windows += 1;
            }
            total += windows;
        }
        let mean = f64::from(total) / 30.0;
        assert!(mean <= most, "seeds 200 to 229: a shift of {shift} took {mean} windows");
    }
}

#[test]
fn a_slow_shift_is_seen_by_the_sum_of_block_means() {
    let rule = CusumRule { mean: 0.0, deviation: 1.0, shift: 1.0, between_alarms: 1000.0 };
    let mut chance = Chance::new(300);
    let (mut values, mut alarms) = (0_u32, 0_u32);
    let mut still = Cusum::new(rule).unwrap();
    while values < 200_000 {
        values += 1;
        alarms += u32::from(still.observe(chance.normal()).unwrap().is_some());
    }
    let between = f64::from(values) / f64::from(alarms);
    assert!((800.0..1250.0).contains(&between), "seed 300: an alarm every {between}");
    // The mean of a reference of 100 values is off by a tenth of a deviation.
    let (mut values, mut alarms) = (0_u32, 0_u32);
    for _ in 0..200 {
        let mut test = Cusum::new(CusumRule { mean: 0.1 * chance.normal(), ..rule }).unwrap();
        values += 2000;
        alarms += (0..2000).map(|_| u32::from(test.observe(chance.normal()).unwrap().is_some())).sum::<u32>();
    }
    let between = f64::from(values) / f64::from(alarms);
    assert!((500.0..900.0).contains(&between), "seed 300: an alarm every {between} with a measured mean");
    let mut total = 0.0;
    for _ in 0..200 {
        let mut test = Cusum::new(rule).unwrap();
        let mut n = 1.0;
        while test.observe(chance.normal() - 1.0).unwrap() != Some(Shift::Down) {
            n += 1.0;
        }
        total += n;
    }
    let expected = still.delay(1.0);
    assert!((total / 200.0 / expected - 1.0).abs() < 0.15, "seed 300: {} values, {expected} expected", total / 200.0);
}

#[test]
fn adwin_keeps_the_newer_side_and_is_quiet_where_nothing_moves() {
    let mut chance = Chance::new(400);
    let mut alarms = 0;
    for _ in 0..50 {
        let mut adwin = Adwin::new(Level::new(0.002).unwrap());
        alarms += (0..4000).filter(|_| adwin.observe(f64::from(u8::from(chance.happens(0.1)))).unwrap()).count();
    }
    assert!(alarms <= 5, "seed 400: {alarms} false cuts in 200,000 values");
    let mut adwin = Adwin::new(Level::new(0.002).unwrap());
    for n in 0..4000 {
        let _ = adwin.observe(f64::from(u8::from(chance.happens(if n < 3000 { 0.1 } else { 0.4 })))).unwrap();
    }
    assert!(
        (adwin.mean().unwrap() - 0.4).abs() < 0.08 && adwin.width() < 1500,
        "{:?} of {}",
        adwin.mean(),
        adwin.width()
    );
    assert!(adwin.observe(f64::NAN).is_err() && adwin.observe(1.5).is_err());
}

#[test]
fn significance_alone_and_effect_alone_raise_nothing() {
    let reference = [100_000_u64; 10];
    let mut trifle = [10_000_u64; 10];
    trifle[0] += 400;
    trifle[9] -= 400;
    let small = psi(&reference, &trifle, Order::Ordered, None).unwrap();
    let noise = psi(&reference, &[4, 8, 3, 6, 5, 2, 6, 4, 7, 5], Order::Ordered, None).unwrap();
    let told = screen(&[(Signal::Distribution, small), (Signal::Distribution, noise)], Level::FIVE_PERCENT);
    assert!(told[0].significant && !told[0].alarm, "{told:?}");
    assert!(noise.tested().unwrap().effect > 0.1 && !told[1].significant && !told[1].alarm, "{told:?}");
}

#[test]
fn sketches_are_compared_within_their_own_errors() {
    let mut chance = Chance::new(700);
    let mut fill = |rows: u32, shift: f64| {
        let mut sketch = Quantiles::new().unwrap();
        (0..rows).for_each(|_| sketch.observe(chance.normal() + shift).unwrap());
        sketch
    };
    let reference = fill(20_000, 0.0);
    let alarmed = (0..40).filter(|_| ks_sketches(&reference, &fill(2000, 0.0)).p() < 0.05).count();
    assert!(alarmed <= 2, "seed 700: {alarmed} of 40");
    let moved = ks_sketches(&reference, &fill(2000, 0.5));
    assert!(moved.p() < 1e-6, "{moved:?}");
    assert!(matches!(ks_sketches(&reference, &fill(3, 0.0)), Outcome::Unsaid(Unsaid::TooFewRows { have: 3, .. })));
}

#[test]
fn an_alarm_neither_flutters_nor_forgets() {
    let mut alarm = Alarm::new(AlarmRule { of: 4, raise: 3, clear: 2 }).unwrap();
    let told: Vec<_> =
        [1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1].iter().map(|drift| alarm.window(Some(*drift == 1))).collect();
    assert_eq!(told[5], Some(Change::Raised), "three of the last four");
    assert_eq!(told[9], Some(Change::Cleared), "two quiet ones in a row");
    assert_eq!(told.iter().flatten().count(), 2, "{told:?}");
    assert_eq!(alarm.state(), AlarmState::Suspicious);
    assert!(Alarm::new(AlarmRule { of: 3, raise: 4, clear: 1 }).is_err());
    // What raised one alarm does not raise the next.
    let mut alarm = Alarm::new(AlarmRule { of: 4, raise: 3, clear: 1 }).unwrap();
    let told: Vec<_> = [1, 1, 1, 0, 1, 1, 1].iter().map(|drift| alarm.window(Some(*drift == 1))).collect();
    assert_eq!((told[2], told[3], told[4]), (Some(Change::Raised), Some(Change::Cleared), None));
    assert_eq!(told[6], Some(Change::Raised));
}

#[test]
fn rates_of_nothing_are_told_apart_from_rates_of_zero() {
    let none = Hits { hits: 0, rows: 0 };
    let some = Hits { hits: 0, rows: 50 };
    assert!(matches!(compare(none, some), Ok(Outcome::Unsaid(Unsaid::TooFewReference { .. }))));
    assert!(matches!(compare(some, none), Ok(Outcome::Unsaid(Unsaid::TooFewRows { .. }))));
    assert_eq!(compare(some, some).unwrap().p(), 1.0);
    assert!(compare(Hits { hits: 2, rows: 1 }, some).is_err());
    // Large counts are as quick and as right: a millionth more of a million.
    let many = compare(Hits { hits: 500_000, rows: 10_000_000 }, Hits { hits: 50_300, rows: 1_000_000 }).unwrap();
    assert!((0.1..0.3).contains(&many.p()), "{many:?}");
    // Counts that never come are answered at once, too, or refused.
    let huge = Hits { hits: 1 << 51, rows: 1 << 53 };
    assert!(compare(huge, huge).unwrap().p() > 0.99);
    assert!(compare(huge, Hits { hits: (1 << 51) + (1 << 28), rows: 1 << 53 }).unwrap().p() < 0.01);
    assert!(compare(huge, Hits { hits: 0, rows: u64::MAX }).is_err());
    let psi = psi(&[u64::MAX, u64::MAX], &[u64::MAX, 5], Order::Ordered, None).unwrap();
    assert!(psi.tested().unwrap().effect > 1.0, "{psi:?}");
    BlockDesign::new(2).unwrap().add(&[u64::MAX, u64::MAX]).unwrap();
}

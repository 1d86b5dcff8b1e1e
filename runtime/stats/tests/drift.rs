//! Drift tests: how often they alarm where nothing has moved, what they find where something has, and what they say where they can not say.

use trackside_stats::Level;
use trackside_stats::drift::rates::{Hits, compare};
use trackside_stats::drift::{
    Adwin, Alarm, AlarmRule, AlarmState, BlockDesign, Change, Cusum, CusumRule, Order, Outcome, SeasonalReference, Shift,
    Signal, Unsaid, Used, categorical, hour_of_week, ks, ks_sketches, numeric, psi, screen, stuck::stuck,
};
use trackside_stats::multiplicity::benjamini_hochberg;
use trackside_stats::sketch::{
    CategoryColumn, CategoryList, Cell, Edges, Histogram, NumericColumn, Quantiles, RunLength,
};

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
        println!("rows {rows} psi {by_psi} ks {by_ks} of {runs}");
        assert!(by_psi <= most && by_ks <= most, "seeds 0 to 39, {rows} rows: PSI {by_psi}, KS {by_ks} of {runs}");
    }
}

#[test]
fn explore_design() {
    for (kind, size) in [((0.9, 0.0), (500, 40)), ((0.9, 0.0), (200, 40)),((0.9,0.0),(1000,100)), ((0.0, 1.0), (60, 240)), ((0.9,1.0),(60,240)), ((0.0,1.0),(1440,30)), ((0.9,1.0),(1440,30))] {
        for d in [false, true] {
            let (p, k, n) = many(0..10, kind, size, d);
            println!("{kind:?} {size:?} design {d}: psi {p} ks {k} of {n}");
        }
    }
}

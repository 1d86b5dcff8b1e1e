//! Larger simulations, printed: `TRACKSIDE_STATS_TABLES=1 cargo test --release --test room_stats tables -- --nocapture`. They take minutes.
//!
//! The same streams go through the rules of the field, with the numbers of their own documentation:
//! - Flagger: five checks of success ≥ 99 % promote (stepWeight 10, maxWeight 50), five failed ones roll back (threshold 5);
//! - Argo Rollouts: success ≥ 95 %, more than three failed of ten measurements abort (failureLimit 3);
//! - the one that a summary of both would give: success ≥ 95 %, two failed of ten roll back;
//! - drift: "PSI > 0.1", "PSI > 0.25".

use trackside_stats::drift::{Alarm, AlarmRule, BlockDesign, Cusum, CusumRule, Order, psi};
use trackside_stats::multiplicity::benjamini_hochberg;
use trackside_stats::sequential::plan::{self, Plan, Trial};
use trackside_stats::sequential::{Arm, TwoArms};
use trackside_stats::sketch::Histogram;
use trackside_stats::{Level, Verdict};

use crate::drift::{FEATURES, Sensor, false_alarms, reference};
use crate::gates::{HORIZONS, errors, pairs, race, shadow, split};
use crate::support::Chance;

const NAMES: [&str; 5] = ["Flagger", "Argo Rollouts", "95 %, 2 of 10", "ours", "ours, 5 x"];

fn wanted() -> bool {
    std::env::var_os("TRACKSIDE_STATS_TABLES").is_some()
}

/// A rule of checks: the success that a check needs, how many failed ones roll back, how many good ones promote, how many there are at
/// most.
struct Checks {
    success: f64,
    rollback: u32,
    promote: u32,
    most: u32,
}

/// In the order of [`NAMES`].
const RULES: [Checks; 3] = [
    Checks { success: 0.99, rollback: 5, promote: 5, most: 10 },
    Checks { success: 0.95, rollback: 4, promote: u32::MAX, most: 10 },
    Checks { success: 0.95, rollback: 2, promote: u32::MAX, most: 10 },
];

impl Checks {
    /// What it makes of the candidate's outcomes, a check's worth after another.
    fn verdict(&self, per_check: usize, candidate: &[bool]) -> Verdict {
        let (mut good, mut bad) = (0, 0);
        for check in candidate.chunks(per_check).take(self.most as usize) {
            let errors = check.iter().filter(|error| **error).count() as f64;
            if 1.0 - errors / check.len() as f64 >= self.success {
                good += 1
            } else {
                bad += 1
            }
            if bad >= self.rollback {
                return Verdict::Fail;
            }
            if good >= self.promote {
                return Verdict::Pass;
            }
        }
        Verdict::Pass
    }
}

#[test]
fn rollouts() {
    if !wanted() {
        return;
    }
    const RUNS: usize = 2000;
    println!(
        "\nRollouts: half of the traffic each, {RUNS} streams a row, seeds 1 to {RUNS}; per cent of streams. The candidate is as good"
    );
    println!(
        "as the stable version (0), or errs on so much more. Wrong: rolled back though as good, promoted though 4 points worse."
    );
    println!(
        "Ours has the same traffic and time; where it is undecided then, it holds and says so. `5 x` is ours with five times the time.\n"
    );
    let mut wrong = [[0.0; 3]; 5];
    println!("| stable errs | worse by | requests a check | rule | rolled back | promoted | undecided |");
    println!("|---|---|---|---|---|---|---|");
    for stable in [0.005, 0.02] {
        for worse in [0.0, 0.04, 0.08] {
            for per_check in [10_usize, 30, 100, 300] {
                // Rolled back, promoted, undecided: three rules, ours, ours with five times the time.
                let mut counts = [[0_usize; 3]; 5];
                for seed in 1..=RUNS as u64 {
                    let mut chance = Chance::new(seed * 7919);
                    let mut candidate = Vec::with_capacity(per_check * 10);
                    let mut test = TwoArms::new(errors()).unwrap();
                    let mut ours = None;
                    let mut seen = 0;
                    // Turn by turn, so that all see the very same candidate requests.
                    while seen < per_check * 50 {
                        let error = chance.happens(stable + worse);
                        test.observe(Arm::Stable, chance.happens(stable));
                        test.observe(Arm::Candidate, error);
                        if candidate.len() < per_check * 10 {
                            candidate.push(error);
                        }
                        seen += 1;
                        if seen == per_check * 10 {
                            ours = Some(test.verdict());
                        }
                        if candidate.len() == per_check * 10 && test.verdict() != Verdict::Inconclusive {
                            break;
                        }
                    }
                    let verdicts = RULES.iter().map(|rule| rule.verdict(per_check, &candidate));
                    for (count, verdict) in counts.iter_mut().zip(verdicts.chain([ours.unwrap(), test.verdict()])) {
                        count[match verdict {
                            Verdict::Fail => 0,
                            Verdict::Pass => 1,
                            Verdict::Inconclusive => 2,
                        }] += 1;
                    }
                }
                for ((name, count), wrong) in NAMES.iter().zip(counts).zip(&mut wrong) {
                    let [back, on, open] = count.map(|count| 100.0 * count as f64 / RUNS as f64);
                    let share = if worse == 0.0 { back } else { on };
                    wrong[usize::from(worse > 0.0)] = f64::max(wrong[usize::from(worse > 0.0)], share);
                    wrong[2] += share / 24.0;
                    println!(
                        "| {:.1} % | {:.0} | {per_check} | {name} | {back:.1} | {on:.1} | {open:.1} |",
                        stable * 100.0,
                        worse * 100.0
                    );
                }
            }
        }
    }
    println!("\n| rule | rolled back at worst, though as good | promoted at worst, though worse | wrong on average |");
    println!("|---|---|---|---|");
    for (name, [back, on, mean]) in NAMES.iter().zip(wrong) {
        println!("| {name} | {back:.1} | {on:.1} | {mean:.2} |");
    }
}

/// What the gates say at four horizons, and what a plan of other chance promises.
#[test]
fn gates_at_four_horizons() {
    if !wanted() {
        return;
    }
    const RUNS: usize = 2000;
    println!(
        "\nGates, looked at after every request; per cent of {RUNS} streams that have passed / failed after so many. Margins: errors 4 points,"
    );
    println!(
        "accuracy in shadow 3 points; 5 % for each error. In brackets what a plan with another seed promises (its lower end) for the verdict that"
    );
    println!("is right: pass where the candidate is as good, fail where it is beyond the margin.\n");
    println!("| gate | truth | 30 | 100 | 300 | 3000 |");
    println!("|---|---|---|---|---|---|");
    let row = |gate: &str, truth: &str, good: bool, seen: [(usize, usize); 4], promised: [Plan; 4]| {
        let cells: Vec<String> = seen
            .iter()
            .zip(promised)
            .map(|((pass, fail), plan)| {
                let share = |count: &usize| 100.0 * *count as f64 / RUNS as f64;
                let least = 100.0 * if good { plan.pass_at_least } else { plan.fail_at_least };
                format!("{:.1} / {:.1} ({least:.0})", share(pass), share(fail))
            })
            .collect();
        println!("| {gate} | {truth} | {} |", cells.join(" | "));
    };
    let trial = |horizon| Trial { horizon, runs: 1000, seed: 4711 };
    for (share, name) in [(0.5, "errors, half of the traffic"), (0.1, "errors, a tenth of it")] {
        for worse in [0.0, 0.04, 0.08, 0.2, 0.5] {
            let rates = (0.02, 0.02 + worse);
            let seen = race(RUNS, 11_000, split(errors(), share, rates));
            let promised = HORIZONS.map(|horizon| plan::errors(errors(), share, rates, trial(horizon)).unwrap());
            row(name, &format!("2 % and {:.0} %", 100.0 * rates.1), worse == 0.0, seen, promised);
        }
    }
    for only in [(0.02, 0.02), (0.1, 0.1), (0.05, 0.02), (0.1, 0.02), (0.3, 0.1)] {
        let seen = race(RUNS, 12_000, shadow(pairs(), only));
        let promised = HORIZONS.map(|horizon| plan::paired(pairs(), only, trial(horizon)).unwrap());
        let truth = format!("{:.0} and {:.0} % only right", 100.0 * only.0, 100.0 * only.1);
        row("accuracy in shadow", &truth, only.0 == only.1, seen, promised);
    }
}

/// What breaks the error gate: subjects that stick to an arm, each with an error rate of its own.
#[test]
fn sticky_subjects() {
    if !wanted() {
        return;
    }
    println!(
        "\nSubjects stick to an arm (half of them to each), err at rates of their own (exponential, 2 % on average) and ask equally often. Per"
    );
    println!(
        "cent of 1,000 streams of 3,000 requests that are rolled back, though the versions are the same; by requests, and by subjects (each"
    );
    println!("counted once, by whether its first 20 requests had an error).\n");
    println!("| subjects | by requests | by subjects |");
    println!("|---|---|---|");
    for subjects in [10_usize, 30, 100, 1000] {
        let mut back = [0_u32; 2];
        for seed in 0..1000 {
            let mut chance = Chance::new(30_000 + seed);
            let rates: Vec<f64> = (0..subjects).map(|_| (-0.02 * (1.0 - chance.unit()).ln()).min(1.0)).collect();
            let mut order: Vec<usize> = (0..subjects).collect();
            for at in (1..subjects).rev() {
                order.swap(at, (chance.next() % (at as u64 + 1)) as usize);
            }
            let mut candidate = vec![false; subjects];
            order[..subjects / 2].iter().for_each(|subject| candidate[*subject] = true);
            let arm = |subject: usize| if candidate[subject] { Arm::Candidate } else { Arm::Stable };
            let (mut requests, mut once) = (TwoArms::new(errors()).unwrap(), TwoArms::new(errors()).unwrap());
            let mut seen = vec![(0_u32, false); subjects];
            for _ in 0..3000 {
                let subject = (chance.next() % subjects as u64) as usize;
                let error = chance.happens(rates[subject]);
                requests.observe(arm(subject), error);
                seen[subject].0 += 1;
                seen[subject].1 |= error;
                if seen[subject].0 == 20 {
                    once.observe(arm(subject), seen[subject].1);
                }
            }
            back[0] += u32::from(requests.verdict() == Verdict::Fail);
            back[1] += u32::from(once.verdict() == Verdict::Fail);
        }
        let [requests, once] = back.map(|count| f64::from(count) / 10.0);
        println!("| {subjects} | {requests:.1} | {once:.1} |");
    }
}

#[test]
fn false_drift_alarms() {
    if !wanted() {
        return;
    }
    println!(
        "\nFalse drift alarms: {FEATURES} features that do not move, per cent of windows with any alarm after correction (Benjamini-Hochberg at"
    );
    println!(
        "5 %). 1,000 windows a row, 10 for each of 100 references. `design`: scaled by how the reference's own windows vary.\n"
    );
    println!("| rows hang together by | daily swing | rows a window | windows of the reference | design | PSI | KS |");
    println!("|---|---|---|---|---|---|---|");
    for (kind, size) in [
        ((0.0, 0.0), (50, 20)),
        ((0.0, 0.0), (50, 100)),
        ((0.0, 0.0), (100, 50)),
        ((0.0, 0.0), (200, 25)),
        ((0.0, 0.0), (1000, 20)),
        ((0.5, 0.0), (200, 40)),
        ((0.9, 0.0), (200, 40)),
        ((0.9, 0.0), (500, 40)),
        ((0.9, 0.0), (500, 100)),
        ((0.9, 0.0), (1000, 40)),
        ((0.99, 0.0), (5000, 40)),
        ((0.0, 1.0), (60, 240)),
        ((0.0, 1.0), (1440, 30)),
        ((0.9, 1.0), (60, 240)),
        ((0.9, 1.0), (1440, 30)),
    ] {
        for with_design in [false, true] {
            let (mut by_psi, mut by_ks) = (0, 0);
            for seed in 0..100 {
                let (a, b) = false_alarms(5000 + seed, kind, size, 10, with_design);
                by_psi += a;
                by_ks += b;
            }
            let [a, b] = [by_psi, by_ks].map(|count| count as f64 / 10.0);
            println!(
                "| {} | {} | {} | {} | {} | {a:.1} | {b:.1} |",
                kind.0,
                kind.1,
                size.0,
                size.1,
                if with_design { "yes" } else { "no" }
            );
        }
    }
}

#[test]
fn drift_against_fixed_thresholds() {
    if !wanted() {
        return;
    }
    println!(
        "\nDrift: 20 features, independent rows, reference of 5,000. Per cent of windows with a false alarm where nothing moves, and of windows in which"
    );
    println!(
        "the one feature that moves by so many deviations is found. 1,000 windows a cell, 10 for each of 100 references. Ours: scaled PSI,"
    );
    println!("Benjamini-Hochberg at 5 %, effect of 0.1 or more. `found`: significant, whatever the effect.\n");
    println!("| rows | rule | false alarm | 0.25 | 0.5 | 1 |");
    println!("|---|---|---|---|---|---|");
    for rows in [50_u64, 100, 200, 1000] {
        let mut counts = [[0_usize; 4]; 4];
        for seed in 0..100 {
            let mut chance = Chance::new(9000 + seed);
            let features: Vec<(Histogram, BlockDesign)> = (0..FEATURES)
                .map(|_| reference(&mut Sensor::new(0.0, 0.0, &mut chance), &mut chance, 100, 50))
                .collect();
            for _ in 0..10 {
                for (at, shift) in [0.0, 0.25, 0.5, 1.0].into_iter().enumerate() {
                    let tests: Vec<(f64, f64)> = features
                        .iter()
                        .enumerate()
                        .map(|(feature, (all, _))| {
                            let mut window = all.emptied();
                            (0..rows)
                                .for_each(|_| window.observe(chance.normal() + if feature == 0 { shift } else { 0.0 }));
                            let tested =
                                *psi(all.cells(), window.cells(), Order::Ordered, None).unwrap().tested().unwrap();
                            (tested.effect, tested.p)
                        })
                        .collect();
                    let p: Vec<f64> = tests.iter().map(|(_, p)| *p).collect();
                    let significant = benjamini_hochberg(&p, Level::FIVE_PERCENT);
                    let rules: [&dyn Fn(usize) -> bool; 4] = [
                        &|feature| significant[feature] && tests[feature].0 >= 0.1,
                        &|feature| significant[feature],
                        &|feature| tests[feature].0 > 0.1,
                        &|feature| tests[feature].0 > 0.25,
                    ];
                    for (count, rule) in counts.iter_mut().zip(rules) {
                        count[at] += usize::from(if at == 0 { (0..FEATURES).any(rule) } else { rule(0) });
                    }
                }
            }
        }
        for (name, count) in ["ours", "ours, found", "PSI > 0.1", "PSI > 0.25"].into_iter().zip(counts) {
            let [still, a, b, c] = count.map(|count| count as f64 / 10.0);
            println!("| {rows} | {name} | {still:.1} | {a:.1} | {b:.1} | {c:.1} |");
        }
    }
}

#[test]
fn time_to_detection() {
    if !wanted() {
        return;
    }
    println!(
        "\nTime to detection, in rows, mean (and ninth of ten) of 200 streams: one of 20 features moves by so many deviations. PSI: windows, an alarm at 2 of"
    );
    println!(
        "the last 3, each on the hardest of twenty bars (Bonferroni) and with an effect of 0.1 or more. Sum: CUSUM of window means, a false alarm every"
    );
    println!("1,000 windows.\n");
    println!("| rows a window | test | 0.25 | 0.5 | 1 |");
    println!("|---|---|---|---|---|");
    for rows in [50_u64, 200, 1000] {
        for name in ["PSI", "sum"] {
            let cells: Vec<String> = [0.25, 0.5, 1.0]
                .into_iter()
                .map(|shift| {
                    let mut times: Vec<u64> = (0..200).map(|seed| detection(name, rows, shift, seed)).collect();
                    times.sort_unstable();
                    let mean = times.iter().sum::<u64>() as f64 / 200.0;
                    format!("{mean:.0} ({})", times[179])
                })
                .collect();
            println!("| {rows} | {name} | {} |", cells.join(" | "));
        }
    }
}

/// Rows until an alarm, 1,000 windows at most.
fn detection(name: &str, rows: u64, shift: f64, seed: u64) -> u64 {
    let mut chance = Chance::new(20_000 + seed);
    let mut sensor = Sensor::new(0.0, 0.0, &mut chance);
    let (all, _) = reference(&mut sensor, &mut chance, 100, 50);
    let mut alarm = Alarm::new(AlarmRule { of: 3, raise: 2, clear: 3 }).unwrap();
    let deviation = 1.0 / (rows as f64).sqrt();
    let mut sum = Cusum::new(CusumRule { mean: 0.0, deviation, shift: 1.0, between_alarms: 1000.0 }).unwrap();
    for window in 1..=1000 {
        let values: Vec<f64> = (0..rows).map(|_| sensor.next(&mut chance) + shift).collect();
        let found = if name == "PSI" {
            let mut into = all.emptied();
            values.iter().for_each(|value| into.observe(*value));
            let tested = *psi(all.cells(), into.cells(), Order::Ordered, None).unwrap().tested().unwrap();
            alarm.window(Some(tested.p < 0.05 / FEATURES as f64 && tested.effect >= 0.1)).is_some()
        } else {
            sum.observe(values.iter().sum::<f64>() / rows as f64).unwrap().is_some()
        };
        if found {
            return window * rows;
        }
    }
    1000 * rows
}

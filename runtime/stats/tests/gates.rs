//! Gates looked at after every observation: how often they are wrong, and whether they keep what a plan promises.

use trackside_stats::sequential::plan::{self, Trial};
use trackside_stats::sequential::{
    Arm, ErrorGate, LatencyGate, LatencyTest, Margin, MeanGate, MeanSequence, Pair, Paired, PairedGate, Quantile, Sprt,
    SprtRates, TwoArms, proportion_band, quantile_band,
};
use trackside_stats::sketch::{Edges, Histogram};
use trackside_stats::{Level, Missing, Verdict};

use crate::support::{Chance, allowed};

pub const HORIZONS: [u64; 4] = [30, 100, 300, 3000];

pub fn errors() -> ErrorGate {
    ErrorGate {
        alpha: Level::FIVE_PERCENT,
        beta: Level::FIVE_PERCENT,
        tolerated: Margin::NONE,
        margin: Margin { ratio: 1.0, extra: 0.04 },
        expected: 0.02,
    }
}

pub fn pairs() -> PairedGate {
    PairedGate { alpha: Level::FIVE_PERCENT, beta: Level::FIVE_PERCENT, tolerated: 0.0, margin: 0.03 }
}

/// Verdicts at each horizon: passes, fails.
pub fn race(runs: usize, seed: u64, mut run: impl FnMut(&mut Chance, u64) -> (Verdict, u64)) -> [(usize, usize); 4] {
    let mut chance = Chance::new(seed);
    let mut counts = [(0, 0); 4];
    for _ in 0..runs {
        let (verdict, at) = run(&mut chance, HORIZONS[3]);
        for (count, horizon) in counts.iter_mut().zip(HORIZONS) {
            if at <= horizon {
                count.0 += usize::from(verdict == Verdict::Pass);
                count.1 += usize::from(verdict == Verdict::Fail);
            }
        }
    }
    counts
}

pub fn split(gate: ErrorGate, share: f64, rates: (f64, f64)) -> impl FnMut(&mut Chance, u64) -> (Verdict, u64) {
    move |chance, horizon| {
        let mut test = TwoArms::new(gate).unwrap();
        for at in 1..=horizon {
            let candidate = chance.happens(share);
            let error = chance.happens(if candidate { rates.1 } else { rates.0 });
            test.observe(if candidate { Arm::Candidate } else { Arm::Stable }, error);
            if test.verdict() != Verdict::Inconclusive {
                return (test.verdict(), at);
            }
        }
        (Verdict::Inconclusive, horizon)
    }
}

pub fn shadow(gate: PairedGate, only: (f64, f64)) -> impl FnMut(&mut Chance, u64) -> (Verdict, u64) {
    move |chance, horizon| {
        let mut test = Paired::new(gate).unwrap();
        for at in 1..=horizon {
            let drawn = chance.unit();
            test.observe(if drawn < only.0 {
                Pair::OnlyStable
            } else if drawn < only.0 + only.1 {
                Pair::OnlyCandidate
            } else {
                Pair::Alike
            });
            if test.verdict() != Verdict::Inconclusive {
                return (test.verdict(), at);
            }
        }
        (Verdict::Inconclusive, horizon)
    }
}

const RUNS: usize = 500;

#[test]
fn an_equal_candidate_is_rolled_back_at_most_five_times_in_a_hundred() {
    for (seed, (share, rate)) in
        [(0.5, 0.02), (0.1, 0.02), (0.5, 0.2), (0.3, 0.001), (0.5, 0.6)].into_iter().enumerate()
    {
        let seen = race(RUNS, 100 + seed as u64, split(errors(), share, (rate, rate)));
        for (horizon, (_, fails)) in HORIZONS.iter().zip(seen) {
            assert!(
                fails <= allowed(0.05, RUNS),
                "seed {}: {fails} of {RUNS} at {horizon}, share {share}, rate {rate}",
                100 + seed
            );
        }
    }
}

#[test]
fn a_candidate_at_the_margin_is_passed_at_most_five_times_in_a_hundred() {
    for (seed, (share, rate)) in [(0.5, 0.02), (0.1, 0.05), (0.5, 0.3)].into_iter().enumerate() {
        let seen = race(RUNS, 200 + seed as u64, split(errors(), share, (rate, rate + 0.04)));
        let passes = seen[3].0;
        assert!(passes <= allowed(0.05, RUNS), "seed {}: {passes} of {RUNS}, share {share}, rate {rate}", 200 + seed);
    }
}

/// The candidate's share grows from one in a hundred to a half: what it gets is no matter of the test.
#[test]
fn a_growing_share_changes_no_error() {
    let run = |worse: f64| {
        move |chance: &mut Chance, horizon: u64| {
            let mut test = TwoArms::new(errors()).unwrap();
            for at in 1..=horizon {
                let candidate = chance.happens(0.01 + 0.49 * at as f64 / horizon as f64);
                let error = chance.happens(if candidate { 0.02 + worse } else { 0.02 });
                test.observe(if candidate { Arm::Candidate } else { Arm::Stable }, error);
                if test.verdict() != Verdict::Inconclusive {
                    return (test.verdict(), at);
                }
            }
            (Verdict::Inconclusive, horizon)
        }
    };
    let fails = race(RUNS, 310, run(0.0))[3].1;
    assert!(fails <= allowed(0.05, RUNS), "seed 310: {fails} of {RUNS}");
    let passes = race(RUNS, 311, run(0.04))[3].0;
    assert!(passes <= allowed(0.05, RUNS), "seed 311: {passes} of {RUNS}");
}

/// The rate of both arms moves together (a bad hour): what moves both alike is no reason to roll back.
#[test]
fn a_bad_hour_of_both_arms_rolls_nothing_back() {
    let fails = race(RUNS, 300, |chance, horizon| {
        let mut test = TwoArms::new(errors()).unwrap();
        for at in 1..=horizon {
            let rate = if (at / 200) % 2 == 0 { 0.01 } else { 0.15 };
            let arm = if chance.happens(0.3) { Arm::Candidate } else { Arm::Stable };
            test.observe(arm, chance.happens(rate));
            if test.verdict() == Verdict::Fail {
                return (Verdict::Fail, at);
            }
        }
        (Verdict::Inconclusive, horizon)
    })[3]
        .1;
    assert!(fails <= allowed(0.05, RUNS), "seed 300: {fails} of {RUNS}");
}

#[test]
fn equal_versions_in_shadow_fail_at_most_five_times_in_a_hundred() {
    for (seed, only) in [(0.1, 0.1), (0.02, 0.02), (0.4, 0.4)].into_iter().enumerate() {
        let seen = race(RUNS, 400 + seed as u64, shadow(pairs(), only));
        for (horizon, (_, fails)) in HORIZONS.iter().zip(seen) {
            assert!(fails <= allowed(0.05, RUNS), "seed {}: {fails} of {RUNS} at {horizon}", 400 + seed);
        }
        let at_margin = race(RUNS, 450 + seed as u64, shadow(pairs(), (only.0 + 0.03, only.1)));
        assert!(at_margin[3].0 <= allowed(0.05, RUNS), "seed {}: {:?}", 450 + seed, at_margin);
    }
}

#[test]
fn an_accuracy_at_its_target_fails_at_most_five_times_in_a_hundred() {
    let run = |truth: f64| {
        move |chance: &mut Chance, horizon: u64| {
            let mut gate = MeanGate::new(0.9, 0.05, Level::FIVE_PERCENT, Level::FIVE_PERCENT).unwrap();
            for at in 1..=horizon {
                gate.observe(f64::from(u8::from(chance.happens(truth)))).unwrap();
                if gate.verdict() != Verdict::Inconclusive {
                    return (gate.verdict(), at);
                }
            }
            (Verdict::Inconclusive, horizon)
        }
    };
    for (horizon, (_, fails)) in HORIZONS.iter().zip(race(RUNS, 500, run(0.9))) {
        assert!(fails <= allowed(0.05, RUNS), "seed 500: {fails} of {RUNS} at {horizon}");
    }
    let passes = race(RUNS, 501, run(0.85))[3].0;
    assert!(passes <= allowed(0.05, RUNS), "seed 501: {passes} of {RUNS}");
    let detected = race(RUNS, 502, run(0.75))[2].1;
    assert!(detected >= RUNS * 9 / 10, "seed 502: {detected} of {RUNS} noticed in 300");
}

#[test]
fn bands_hold_at_all_times_together() {
    let mut missed = [0; 2];
    let mut chance = Chance::new(600);
    for _ in 0..RUNS {
        let mut sequence = MeanSequence::new(0.0, 2.0, Level::FIVE_PERCENT).unwrap();
        let (mut successes, mut out) = (0, [false; 2]);
        for n in 1..=1000_u64 {
            let value = 2.0 * chance.unit() * chance.unit();
            sequence.observe(value).unwrap();
            let band = sequence.band();
            out[0] |= band.low > 0.5 || band.high < 0.5;
            successes += u64::from(chance.happens(0.03));
            // As often as it costs little: the band's own looks are what it must hold at.
            if n < 50 || n % 10 == 0 {
                let band = proportion_band(successes, n, Level::FIVE_PERCENT).unwrap();
                out[1] |= band.low > 0.03 || band.high < 0.03;
            }
        }
        missed[0] += usize::from(out[0]);
        missed[1] += usize::from(out[1]);
    }
    assert!(missed.iter().all(|missed| *missed <= allowed(0.05, RUNS)), "seed 600: {missed:?} of {RUNS}");
}

#[test]
fn quantile_bands_hold_at_all_times_together() {
    let edges = Edges::geometric(1e-3, 10.0, 1.05).unwrap();
    let mut chance = Chance::new(700);
    for (quantile, truth) in [(0.5, std::f64::consts::LN_2), (0.95, 2.995_732), (0.99, 4.605_170)] {
        let q = Quantile::new(quantile).unwrap();
        let mut missed = 0;
        for _ in 0..RUNS {
            let mut seen = Histogram::new(edges.clone());
            let mut out = false;
            for n in 1..=1000_u32 {
                seen.observe(-(1.0 - chance.unit()).ln());
                if n % 5 == 0 {
                    let band = quantile_band(&seen, q, Level::FIVE_PERCENT);
                    out |= band.low.is_some_and(|low| low > truth) || band.high.is_some_and(|high| high < truth);
                }
            }
            missed += usize::from(out);
        }
        assert!(missed <= allowed(0.05, RUNS), "seed 700: {missed} of {RUNS} at {quantile}");
    }
}

fn latency_gate() -> LatencyGate {
    LatencyGate {
        alpha: Level::FIVE_PERCENT,
        beta: Level::FIVE_PERCENT,
        quantile: Quantile::new(0.9).unwrap(),
        tolerated: 1.0,
        margin: 1.5,
    }
}

pub fn timed(factor: f64) -> impl FnMut(&mut Chance, u64) -> (Verdict, u64) {
    move |chance, horizon| {
        let mut test = LatencyTest::new(latency_gate()).unwrap();
        for at in 1..=horizon {
            let arm = if chance.happens(0.5) { Arm::Candidate } else { Arm::Stable };
            let seconds = 0.01 * (0.5 * chance.normal()).exp() * if arm == Arm::Candidate { factor } else { 1.0 };
            test.observe(arm, seconds).unwrap();
            if at % 20 == 0 && test.verdict_now() != Verdict::Inconclusive {
                // A verdict follows from bands that do not touch, or from one that lies within the margin.
                let [stable, candidate] = test.bands();
                match test.verdict_now() {
                    Verdict::Fail => assert!(candidate.low > stable.high, "{stable:?}, {candidate:?}"),
                    _ => assert!(candidate.high.unwrap() <= 1.5 * stable.low.unwrap(), "{stable:?}, {candidate:?}"),
                }
                return (test.verdict_now(), at);
            }
        }
        (Verdict::Inconclusive, horizon)
    }
}

#[test]
fn latency_verdicts_are_wrong_at_most_five_times_in_a_hundred() {
    let equal = race(100, 800, timed(1.0));
    assert!(equal[3].1 <= allowed(0.05, 100), "seed 800: {equal:?}");
    assert!(equal[3].0 >= 90, "an equal candidate passes: {equal:?}");
    let slow = race(100, 801, timed(1.5));
    assert!(slow[3].0 <= allowed(0.05, 100), "seed 801: {slow:?}");
    let slower = race(100, 802, timed(2.0));
    assert!(slower[3].1 >= 95, "seed 802: a candidate that takes twice as long fails: {slower:?}");
}

/// A plan promises a power; other chance than the plan's own keeps it.
#[test]
fn promised_power_is_kept() {
    let trial = Trial { horizon: 3000, runs: 500, seed: 1 };
    let promised = plan::errors(errors(), 0.5, (0.02, 0.06), trial).unwrap();
    let kept = race(RUNS, 900, split(errors(), 0.5, (0.02, 0.06)))[3].1 as f64 / RUNS as f64;
    assert!(promised.fail_at_least > 0.85, "{promised:?}");
    assert!(kept >= promised.fail_at_least - 0.02, "seed 900: {kept} of {promised:?}");

    for (horizon, at) in HORIZONS.into_iter().zip(0..) {
        let trial = Trial { horizon, runs: 500, seed: 2 };
        let promised = plan::errors(errors(), 0.5, (0.02, 0.3), trial).unwrap();
        let kept = race(RUNS, 901, split(errors(), 0.5, (0.02, 0.3)))[at].1 as f64 / RUNS as f64;
        assert!(kept >= promised.fail_at_least - 0.03, "seed 901: {kept} of {promised:?} at {horizon}");
    }

    let promised = plan::paired(pairs(), (0.1, 0.02), trial).unwrap();
    let kept = race(RUNS, 902, shadow(pairs(), (0.1, 0.02)))[3].1 as f64 / RUNS as f64;
    assert!(promised.fail_at_least > 0.95 && kept >= promised.fail_at_least - 0.02, "seed 902: {kept} of {promised:?}");

    let mut seen = Histogram::new(Edges::geometric(1e-4, 1.0, 1.05).unwrap());
    let mut chance = Chance::new(903);
    (0..5000).for_each(|_| seen.observe(0.01 * (0.5 * chance.normal()).exp()));
    let promised = plan::latency(latency_gate(), 0.5, &seen, 2.0, Trial { horizon: 2000, runs: 100, seed: 3 }).unwrap();
    assert!(promised.fail_at_least > 0.9, "{promised:?}");
}

/// "About 900 more" means that: the median of what it then takes is within a factor of two.
#[test]
fn what_is_missing_is_about_what_it_takes() {
    let mut chance = Chance::new(1000);
    let mut ratios: Vec<f64> = Vec::new();
    for _ in 0..200 {
        let mut test = TwoArms::new(errors()).unwrap();
        let mut more = |test: &mut TwoArms| {
            let candidate = chance.happens(0.5);
            let error = chance.happens(if candidate { 0.08 } else { 0.02 });
            test.observe(if candidate { Arm::Candidate } else { Arm::Stable }, error);
        };
        (0..150).for_each(|_| more(&mut test));
        let Missing::About(told) = test.decision().missing else { continue };
        let mut took = 0_u64;
        while test.verdict() == Verdict::Inconclusive && took < 20_000 {
            more(&mut test);
            took += 1;
        }
        ratios.push(took as f64 / told as f64);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    assert!(ratios.len() > 100 && (0.5..=2.0).contains(&median), "seed 1000: {median} of {}", ratios.len());
}

/// The figures of Wald's test of 2 % against 6 %, and that it is faster than any test that must learn the rate first.
#[test]
fn walds_test_keeps_its_errors() {
    let rates = SprtRates { good: 0.02, bad: 0.06 };
    let ten = Level::new(0.1).unwrap();
    let run = |truth: f64| {
        move |chance: &mut Chance, horizon: u64| {
            let mut test = Sprt::new(rates, Level::FIVE_PERCENT, ten).unwrap();
            for at in 1..=horizon {
                test.observe(chance.happens(truth));
                let verdict = test.decision().verdict;
                if verdict != Verdict::Inconclusive {
                    return (verdict, at);
                }
            }
            (Verdict::Inconclusive, horizon)
        }
    };
    let good = race(2000, 1100, run(0.02))[3].1;
    assert!(good <= allowed(0.05, 2000), "seed 1100: {good}");
    let missed = race(2000, 1101, run(0.06))[3].0;
    assert!(missed <= allowed(0.1, 2000), "seed 1101: {missed}");
    let mut total = 0;
    let _ = race(2000, 1102, |chance, horizon| {
        let (verdict, at) = run(0.06)(chance, horizon);
        total += at;
        (verdict, at)
    });
    let expected = Sprt::new(rates, Level::FIVE_PERCENT, ten).unwrap().expected(0.06).unwrap();
    let mean = total as f64 / 2000.0;
    assert!((mean / expected - 1.0).abs() < 0.3, "seed 1102: {mean} on average, {expected} expected");
}

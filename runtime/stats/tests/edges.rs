//! What gates, bands, plans, multiplicity and estimates say of input that says nothing.

use trackside_stats::estimate::{AccuracyEstimate, Calibration};
use trackside_stats::multiplicity::{benjamini_hochberg, e_average, e_holm, spend};
use trackside_stats::sequential::plan::{self, Trial, duration};
use trackside_stats::sequential::{
    Arm, Bets, ErrorGate, LatencyGate, LatencyTest, Margin, MeanGate, MeanSequence, Pair, Paired, PairedGate, Quantile,
    Sprt, SprtRates, TwoArms, proportion_band, quantile_band, trials_for_width,
};
use trackside_stats::sketch::{Edges, Histogram};
use trackside_stats::{Level, Missing, StatsError, Verdict};

use crate::gates::errors;
use crate::support::Chance;

const FIVE: Level = Level::FIVE_PERCENT;

#[test]
fn no_traffic_is_inconclusive_and_says_that_nothing_is_known() {
    let mut latency = LatencyTest::new(LatencyGate {
        alpha: FIVE,
        beta: FIVE,
        quantile: Quantile::new(0.99).unwrap(),
        tolerated: 1.0,
        margin: 1.2,
    })
    .unwrap();
    let paired = Paired::new(PairedGate { alpha: FIVE, beta: FIVE, tolerated: 0.0, margin: 0.02 }).unwrap();
    for decision in [
        TwoArms::new(errors()).unwrap().decision(),
        paired.decision(),
        MeanGate::new(0.9, 0.05, FIVE, FIVE).unwrap().decision(),
        Sprt::new(SprtRates { good: 0.01, bad: 0.1 }, FIVE, FIVE).unwrap().decision(),
        latency.look(),
    ] {
        assert_eq!(
            (decision.verdict, decision.missing, decision.observations),
            (Verdict::Inconclusive, Missing::Unknown, 0)
        );
    }
    assert_eq!(paired.difference(), None);
    let band = proportion_band(0, 0, FIVE).unwrap();
    assert!(band.low == 0.0 && band.high == 1.0 && band.estimate.is_nan());
    let empty = Histogram::new(Edges::new(vec![1.0]).unwrap());
    let band = quantile_band(&empty, Quantile::new(0.5).unwrap(), FIVE);
    assert_eq!((band.low, band.high, band.observations), (None, None, 0));
    assert_eq!(duration(100, 0.0), f64::INFINITY);
}

#[test]
fn traffic_of_one_arm_alone_decides_nothing() {
    let mut test = TwoArms::new(errors()).unwrap();
    (0..10_000).for_each(|_| test.observe(Arm::Candidate, true));
    let decision = test.decision();
    assert_eq!(
        (decision.verdict, decision.missing, decision.observations),
        (Verdict::Inconclusive, Missing::Unknown, 10_000)
    );
    assert_eq!(test.seen(), [(0, 0), (10_000, 10_000)]);
    // Then the other comes, and what was held back counts: all of the candidate's failed.
    (0..2).for_each(|_| test.observe(Arm::Stable, false));
    assert_eq!(test.verdict(), Verdict::Inconclusive, "two requests of the stable version are little");
    (0..60).for_each(|n| test.observe(if n % 2 == 0 { Arm::Stable } else { Arm::Candidate }, n % 2 == 1));
    assert_eq!(test.verdict(), Verdict::Fail);
}

#[test]
fn a_gate_that_nothing_can_decide_says_never() {
    // Exactly between what is tolerated and the margin, neither side gains.
    let mut test = MeanGate::new(0.5, 0.002, Level::new(1e-9).unwrap(), Level::new(1e-9).unwrap()).unwrap();
    (0..20_000_u32).for_each(|n| test.observe(if n * 499 % 1000 < 499 { 1.0 } else { 0.0 }).unwrap());
    assert_eq!(test.decision().missing, Missing::Never, "{:?}", test.decision());
    // Latency of one value on both arms, with a margin that is met: it will be decided, and says when.
    let gate =
        LatencyGate { alpha: FIVE, beta: FIVE, quantile: Quantile::new(0.99).unwrap(), tolerated: 1.0, margin: 1.2 };
    let mut latency = LatencyTest::new(gate).unwrap();
    (0..20).for_each(|n| latency.observe(if n % 2 == 0 { Arm::Stable } else { Arm::Candidate }, 0.1).unwrap());
    let Missing::About(more) = latency.look().missing else { panic!("{:?}", latency.look()) };
    assert!((800..2000).contains(&more), "p99 takes some 580 on each arm: {more}");
    // Beyond the last edge there is no end of the band, ever.
    let mut slow = LatencyTest::new(gate).unwrap();
    (0..2000).for_each(|n| slow.observe(if n % 2 == 0 { Arm::Stable } else { Arm::Candidate }, 1e9).unwrap());
    assert_eq!(slow.look().missing, Missing::Never);
}

#[test]
fn the_first_verdict_stays() {
    let mut test = MeanGate::new(0.5, 0.1, FIVE, FIVE).unwrap();
    while test.verdict() == Verdict::Inconclusive {
        test.observe(1.0).unwrap();
    }
    (0..1000).for_each(|_| test.observe(0.0).unwrap());
    let decision = test.decision();
    assert_eq!((decision.verdict, decision.missing), (Verdict::Pass, Missing::Nothing));
    assert!(decision.fail > decision.fail_bar, "the other evidence is still told: {decision:?}");
}

#[test]
fn values_that_are_none_are_refused_and_not_counted() {
    let mut gate = MeanGate::new(0.9, 0.05, FIVE, FIVE).unwrap();
    let mut sequence = MeanSequence::new(-1.0, 1.0, FIVE).unwrap();
    let mut bets = Bets::new(1.0).unwrap();
    let mut estimate = AccuracyEstimate::default();
    let mut table = Calibration::default();
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.5] {
        assert!(gate.observe(odd).is_err() && sequence.observe(odd).is_err() && bets.observe(odd).is_err(), "{odd}");
        assert!(
            estimate.observe(odd).is_err() && table.observe(odd, true).is_err() && table.calibrated(odd).is_err(),
            "{odd}"
        );
    }
    assert_eq!((gate.decision().observations, sequence.seen(), bets.log_e()), (0, 0, 0.0));
    let mut latency = LatencyTest::new(LatencyGate {
        alpha: FIVE,
        beta: FIVE,
        quantile: Quantile::new(0.5).unwrap(),
        tolerated: 1.0,
        margin: 1.1,
    })
    .unwrap();
    assert!(latency.observe(Arm::Stable, f64::NAN).is_err() && latency.observe(Arm::Stable, -1.0).is_err());
    // What never answered is slower than everything.
    (0..200).for_each(|_| {
        latency.observe(Arm::Stable, 0.1).unwrap();
        latency.observe(Arm::Candidate, f64::INFINITY).unwrap();
    });
    assert_eq!(latency.look().verdict, Verdict::Fail);
}

#[test]
fn settings_that_say_nothing_are_refused_with_a_sentence() {
    let told = |error: StatsError| error.to_string();
    assert_eq!(told(Level::new(0.7).unwrap_err()), "a level must lie between 0.000000000001 and 0.5, and is 0.7");
    assert_eq!(told(Quantile::new(f64::NAN).unwrap_err()), "a quantile is not a finite number");
    let no_margin = ErrorGate { margin: Margin::NONE, ..errors() };
    assert!(told(TwoArms::new(no_margin).unwrap_err()).contains("no worse at all can not be shown"));
    assert!(TwoArms::new(ErrorGate { tolerated: Margin { ratio: 1.0, extra: 0.1 }, ..errors() }).is_err());
    assert!(TwoArms::new(ErrorGate { expected: 0.0, ..errors() }).is_err());
    assert!(Paired::new(PairedGate { alpha: FIVE, beta: FIVE, tolerated: 0.0, margin: 0.0 }).is_err());
    assert!(MeanGate::new(1.0, 0.1, FIVE, FIVE).is_err() && MeanGate::new(0.1, 0.1, FIVE, FIVE).is_err());
    assert!(Sprt::new(SprtRates { good: 0.1, bad: 0.1 }, FIVE, FIVE).is_err());
    assert!(proportion_band(2, 1, FIVE).is_err());
    assert!(MeanSequence::new(1.0, 1.0, FIVE).is_err());
}

#[test]
fn a_margin_at_the_end_of_the_scale_is_no_trouble() {
    for (ratio, extra, rate) in
        [(1000.0, 0.0, 0.9), (1.0, 0.9, 0.99), (3.0, 0.5, 1.0), (1.0, 1e-6, 0.0), (2.0, 0.0, 0.0)]
    {
        let mut test = TwoArms::new(ErrorGate { margin: Margin { ratio, extra }, ..errors() }).unwrap();
        let mut chance = Chance::new(1);
        for n in 0..4000 {
            test.observe(if n % 2 == 0 { Arm::Stable } else { Arm::Candidate }, chance.happens(rate));
        }
        let decision = test.decision();
        assert!(decision.fail.is_finite() && decision.pass.is_finite(), "{ratio}, {extra}, {rate}: {decision:?}");
        assert_ne!(decision.verdict, Verdict::Fail, "{ratio}, {extra}, {rate}");
    }
}

#[test]
fn everything_failing_on_the_candidate_is_noticed_within_thirty_requests() {
    let mut test = TwoArms::new(errors()).unwrap();
    let mut n = 0;
    while test.verdict() == Verdict::Inconclusive {
        test.observe(if n % 2 == 0 { Arm::Stable } else { Arm::Candidate }, n % 2 == 1);
        n += 1;
    }
    assert!(test.verdict() == Verdict::Fail && n <= 20, "{n}");
    // Even where the candidate gets one request in ten: eight of its own.
    let mut test = TwoArms::new(errors()).unwrap();
    let mut n = 0;
    while test.verdict() == Verdict::Inconclusive {
        test.observe(if n % 10 == 9 { Arm::Candidate } else { Arm::Stable }, n % 10 == 9);
        n += 1;
    }
    assert!(test.verdict() == Verdict::Fail && n <= 80, "{n}");
}

#[test]
fn plans_that_would_take_for_ever_are_refused() {
    let trial = Trial { horizon: 1_000_000, runs: 1000, seed: 1 };
    assert!(matches!(plan::errors(errors(), 0.5, (0.1, 0.1), trial), Err(StatsError::TooMany { .. })));
    let empty = Histogram::new(Edges::new(vec![1.0]).unwrap());
    let gate =
        LatencyGate { alpha: FIVE, beta: FIVE, quantile: Quantile::new(0.9).unwrap(), tolerated: 1.0, margin: 1.5 };
    let small = Trial { horizon: 100, runs: 10, seed: 1 };
    assert!(matches!(plan::latency(gate, 0.5, &empty, 1.0, small), Err(StatsError::TooFew { .. })));
    assert!(plan::errors(errors(), 0.5, (0.1, 0.1), Trial { runs: 0, ..small }).is_err());
    // The same seed says the same.
    let plan = || plan::errors(errors(), 0.2, (0.02, 0.2), Trial { horizon: 500, runs: 50, seed: 9 }).unwrap();
    assert_eq!(plan(), plan());
    assert!((plan().pass + plan().fail + plan().undecided - 1.0).abs() < 1e-12);
}

#[test]
fn labels_for_a_width_are_those_that_give_it() {
    // A band for one look takes (2 x 1.96 / 0.04)^2 x 0.09 = 864; that it may be looked at for ever costs a factor of four.
    let needed = trials_for_width(0.9, 0.04, FIVE).unwrap().unwrap();
    let width = |trials: u64| {
        let band = proportion_band((0.9 * trials as f64).round() as u64, trials, FIVE).unwrap();
        band.high - band.low
    };
    assert!((2500..4000).contains(&needed), "{needed}");
    assert!(width(needed) <= 0.04 && width(needed * 9 / 10) > 0.04, "{needed}");
    assert_eq!(trials_for_width(0.5, 1e-5, FIVE), Ok(None));
    assert!(trials_for_width(f64::NAN, 0.1, FIVE).is_err() && trials_for_width(0.5, 1.0, FIVE).is_err());
}

#[test]
fn levels_are_shared_out_and_evidence_is_averaged() {
    let shares = spend(FIVE, &[3.0, 1.0, 1.0]).unwrap();
    assert!(
        (shares[0].get() - 0.03).abs() < 1e-15
            && (shares.iter().map(|each| each.get()).sum::<f64>() - 0.05).abs() < 1e-15
    );
    assert!(spend(FIVE, &[]).is_err() && spend(FIVE, &[1.0, 0.0]).is_err() && spend(FIVE, &[f64::NAN]).is_err());
    // One of four at 4/level: the average is at 1/level.
    assert!(
        (e_average(&[(4.0_f64 / 0.05).ln(), f64::NEG_INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY]) - FIVE.bar())
            .abs()
            < 1e-12
    );
    assert_eq!((e_average(&[]), e_average(&[f64::NAN, 1e6])), (0.0, 0.0));
    assert_eq!(e_holm(&[f64::NAN, 10.0, 0.1], FIVE), [false, true, false]);
    assert_eq!(benjamini_hochberg(&[f64::NAN, 1e-9, f64::NAN], FIVE), [false, true, false]);
    assert_eq!(benjamini_hochberg(&[f64::NAN], FIVE), [false]);
    assert_eq!(benjamini_hochberg(&[], FIVE), Vec::<bool>::new());
}

#[test]
fn accuracy_without_labels_follows_calibrated_confidence_and_labels_contradict_it() {
    let mut chance = Chance::new(3);
    let mut table = Calibration::default();
    // A model that is surer than it is right: right two thirds as far above a half as it says.
    let truth = |confidence: f64| 0.5 + (confidence - 0.5) * 0.66;
    for _ in 0..20_000 {
        let confidence = 0.5 + 0.5 * chance.unit();
        table.observe(confidence, chance.happens(truth(confidence))).unwrap();
    }
    let (mut raw, mut estimate, mut right, mut changed) =
        (AccuracyEstimate::default(), AccuracyEstimate::default(), 0, 0);
    assert_eq!(raw.band(FIVE), None);
    assert_eq!(raw.contradicted(0, 0, FIVE), Ok(None));
    const N: u64 = 5000;
    for _ in 0..N {
        // Inputs have moved towards what the model is unsure of.
        let confidence = 0.5 + 0.3 * chance.unit();
        raw.observe(confidence).unwrap();
        estimate.observe(table.calibrated(confidence).unwrap()).unwrap();
        right += u64::from(chance.happens(truth(confidence)));
        changed += u64::from(chance.happens(0.45));
    }
    let (band, raw) = (estimate.band(FIVE).unwrap(), raw.band(FIVE).unwrap());
    let accuracy = right as f64 / N as f64;
    assert!((band.estimate - accuracy).abs() < 0.02, "{band:?}, {accuracy}");
    assert!((raw.estimate - accuracy).abs() > 0.03, "without calibration it is off: {raw:?}");
    assert_eq!(estimate.contradicted(right, N, FIVE), Ok(Some(false)));
    assert_eq!(estimate.contradicted(changed, N, FIVE), Ok(Some(true)), "what is right has changed: labels say so");
    let mut empty = Calibration::default();
    assert!((empty.calibrated(0.93).unwrap() - 0.925).abs() < 1e-12, "the model is taken at its word");
    empty.observe(1.0, true).unwrap();
    assert_eq!(empty.counts().1[19], 1);
}

/// A pair that both get wrong, and both get right, are alike.
#[test]
fn pairs_that_agree_pass_in_time_and_never_fail() {
    let mut test = Paired::new(PairedGate { alpha: FIVE, beta: FIVE, tolerated: 0.0, margin: 0.02 }).unwrap();
    let mut n = 0;
    while test.verdict() == Verdict::Inconclusive {
        test.observe(Pair::Alike);
        n += 1;
    }
    assert!(test.verdict() == Verdict::Pass && (100..400).contains(&n), "{n}");
    assert_eq!(test.difference(), Some(0.0));
    let decision = test.decision();
    assert_eq!((decision.missing, decision.observations), (Missing::Nothing, n));
}

//! One gate: the test that decides it, what it is told, and how it stands.

use serde::{Deserialize, Serialize};
use trackside_spec::{Gate, RolloutMode};
use trackside_stats::{
    Decision, Level, Missing, StatsError, Verdict,
    sequential::{
        Arm, ErrorGate, LatencyGate, LatencyTest, Margin, MeanGate, Pair, Paired, PairedGate, Quantile, TwoArms,
        proportion_band,
    },
};

use super::{
    kept::{Bytes, bytes},
    scores::Scores,
    subjects::Subjects,
    told::{GateReport, Told},
};

/// What the rate of errors is thought to be before anything is seen.
const EXPECTED: f64 = 0.02;
/// Latencies are looked at after so many: a look costs more than an observation.
const LATENCY_EVERY: u64 = 16;
/// The least rate that a candidate is compared with where the version in service never failed.
const LEAST_RATE: f64 = 0.001;

/// A gate and its test.
#[derive(Debug, Clone)]
pub(super) struct Gated {
    gate: Gate,
    test: Test,
    levels: (Level, Level),
}

#[derive(Debug, Clone)]
enum Test {
    /// Two arms at the same time. `subjects`: each who asks counted once, as long as there are few of them.
    Arms {
        all: Box<TwoArms>,
        subjects: Box<TwoArms>,
        is_of_truth: bool,
    },
    /// The same requests.
    Paired {
        test: Box<Paired>,
        is_of_truth: bool,
    },
    /// One after the other: what the first did is a band by then. One test says whether the candidate is worse than all of the band,
    /// one whether it is within the margin of its better end.
    After {
        before: [u64; 2],
        margin: Margin,
        tests: Option<Box<[MeanGate; 2]>>,
        seen: [u64; 2],
        is_of_truth: bool,
    },
    Latency(Box<LatencyTest>),
    /// Agreement in shadow, or the candidate's accuracy against a number.
    Least {
        test: MeanGate,
        sum: f64,
        seen: u64,
        is_of_truth: bool,
    },
    Scores(Box<Scores>),
}

impl Gated {
    /// A gate that has seen nothing. `alpha`: how often it may fail a candidate that is as good, `beta`: how often it may pass one at
    /// the margin.
    ///
    /// # Errors
    /// A gate that can not be.
    pub(super) fn new(gate: Gate, mode: RolloutMode, alpha: Level, beta: Level) -> Result<Self, StatsError> {
        let two_arms =
            |margin| TwoArms::new(ErrorGate { alpha, beta, tolerated: Margin::NONE, margin, expected: EXPECTED });
        let paired = |margin| Paired::new(PairedGate { alpha, beta, tolerated: 0.0, margin });
        let arms = |margin: Margin, is_of_truth| {
            Ok::<_, StatsError>(match mode {
                RolloutMode::Shadow => Test::Paired { test: Box::new(paired(margin.extra.max(0.001))?), is_of_truth },
                RolloutMode::BlueGreen => {
                    Test::After { before: [0; 2], margin, tests: None, seen: [0; 2], is_of_truth }
                }
                RolloutMode::Canary | RolloutMode::Ab => {
                    Test::Arms { all: Box::new(two_arms(margin)?), subjects: Box::new(two_arms(margin)?), is_of_truth }
                }
            })
        };
        let test = match gate {
            // Of pairs the difference is counted: a factor is one of what was expected.
            Gate::Errors { ratio, extra } if mode == RolloutMode::Shadow => {
                arms(Margin { ratio: 1.0, extra: extra + (ratio - 1.0) * EXPECTED }, false)?
            }
            Gate::Errors { ratio, extra } => arms(Margin { ratio, extra }, false)?,
            Gate::Accuracy { margin } => arms(Margin { ratio: 1.0, extra: margin }, true)?,
            Gate::Latency { quantile, times } => {
                let gate =
                    LatencyGate { alpha, beta, quantile: Quantile::new(quantile)?, tolerated: 1.0, margin: times };
                Test::Latency(Box::new(LatencyTest::new(gate)?))
            }
            Gate::Agreement { least } => {
                Test::Least { test: MeanGate::new(least, 0.0, alpha, beta)?, sum: 0.0, seen: 0, is_of_truth: false }
            }
            Gate::AccuracyLeast { least } => {
                Test::Least { test: MeanGate::new(least, 0.0, alpha, beta)?, sum: 0.0, seen: 0, is_of_truth: true }
            }
            Gate::Scores { psi } => Test::Scores(Box::new(Scores::new(psi, alpha))),
        };
        Ok(Self { gate, test, levels: (alpha, beta) })
    }

    /// One more observation. `subjects` knows who has asked.
    pub(super) fn tell(&mut self, told: &Told, subjects: &Subjects) {
        match (&mut self.test, told) {
            (Test::Arms { all, subjects: each, is_of_truth: false }, Told::Answer { arm, subject, failed, .. }) => {
                match subject {
                    // Few who ask, each with errors of its own, are not as many as their requests.
                    Some(subject) if subjects.are_few() => {
                        if subjects.is_new(*arm, *subject) {
                            each.observe(*arm, *failed);
                        }
                    }
                    _ => all.observe(*arm, *failed),
                }
            }
            (Test::Arms { all, is_of_truth: true, .. }, Told::Truth { arm, right }) => all.observe(*arm, !right),
            (Test::Paired { test, is_of_truth: false }, Told::Pair { failed: (stable, candidate), .. }) => {
                test.observe(pair(!stable, !candidate));
            }
            (Test::Paired { test, is_of_truth: true }, Told::PairTruth { right: (stable, candidate) }) => {
                test.observe(pair(*stable, *candidate));
            }
            (Test::After { is_of_truth: false, .. }, Told::Answer { arm, failed, .. }) => self.after(*arm, *failed),
            (Test::After { is_of_truth: true, .. }, Told::Truth { arm, right }) => self.after(*arm, !right),
            (Test::Latency(test), Told::Answer { arm, seconds: Some(seconds), failed: false, .. }) => {
                observed(test, *arm, *seconds);
            }
            (Test::Latency(test), Told::Pair { failed: (false, false), seconds: (stable, candidate), .. }) => {
                observed(test, Arm::Stable, *stable);
                observed(test, Arm::Candidate, *candidate);
            }
            (Test::Least { test, sum, seen, is_of_truth: false }, Told::Pair { agreed: Some(agreed), .. }) => {
                least(test, (sum, seen), *agreed);
            }
            (Test::Least { test, sum, seen, is_of_truth: true }, Told::Truth { arm: Arm::Candidate, right }) => {
                least(test, (sum, seen), f64::from(u8::from(*right)));
            }
            (Test::Least { test, sum, seen, is_of_truth: true }, Told::PairTruth { right: (_, right) }) => {
                least(test, (sum, seen), f64::from(u8::from(*right)));
            }
            (Test::Scores(test), Told::Answer { arm, score: Some(score), .. }) => test.observe(*arm, *score),
            (Test::Scores(test), Told::Pair { scores: Some((stable, candidate)), .. }) => {
                test.observe(Arm::Stable, *stable);
                test.observe(Arm::Candidate, *candidate);
            }
            _ => {}
        }
    }

    fn after(&mut self, arm: Arm, bad: bool) {
        let levels = self.levels;
        let Test::After { before, margin, tests, seen, .. } = &mut self.test else { return };
        match arm {
            Arm::Stable => {
                // Once the candidate is tried, what it is held against is fixed.
                if tests.is_none() {
                    before[0] += 1;
                    before[1] += u64::from(bad);
                }
            }
            Arm::Candidate => {
                if tests.is_none() {
                    *tests = against(*before, *margin, levels).ok().map(Box::new);
                }
                seen[0] += 1;
                seen[1] += u64::from(bad);
                for test in tests.iter_mut().flat_map(|tests| tests.iter_mut()) {
                    // Zero and one are within bounds.
                    let _ = test.observe(f64::from(u8::from(!bad)));
                }
            }
        }
    }

    /// What follows so far, told cheaply: after every request.
    pub(super) fn verdict(&self) -> Verdict {
        match &self.test {
            Test::Arms { all, subjects, .. } => first(all.verdict(), subjects.verdict()),
            Test::Paired { test, .. } => test.verdict(),
            Test::After { tests, .. } => after(tests.as_deref(), self.nothing()).verdict,
            Test::Latency(test) => test.verdict(),
            Test::Least { test, .. } => test.verdict(),
            Test::Scores(test) => test.verdict(),
        }
    }

    /// What was seen, in numbers and words.
    pub(super) fn report(&self) -> GateReport {
        let (decision, unit, seen) = match &self.test {
            Test::Arms { all, subjects, is_of_truth } => {
                let few = all.seen() == [(0, 0); 2] && subjects.seen() != [(0, 0); 2];
                let test = if few { subjects } else { all };
                let unit = match (is_of_truth, few) {
                    (true, _) => "labels",
                    (false, true) => "subjects",
                    (false, false) => "requests",
                };
                (test.decision(), unit, arms(test.seen(), what(*is_of_truth)))
            }
            Test::Paired { test, is_of_truth } => {
                let decision = test.decision();
                let words = match test.difference() {
                    Some(difference) => format!(
                        "{} {} {} of {} than the version in service",
                        if *is_of_truth { "right in" } else { "answered" },
                        percent(difference.abs()),
                        if difference < 0.0 { "less" } else { "more" },
                        decision.observations
                    ),
                    None => "nothing was seen".to_owned(),
                };
                (decision, if *is_of_truth { "labels" } else { "pairs" }, words)
            }
            Test::After { before, tests, seen, is_of_truth, .. } => {
                let words = arms([(before[0], before[1]), (seen[0], seen[1])], what(*is_of_truth));
                let unit = if *is_of_truth { "labels" } else { "requests" };
                (after(tests.as_deref(), self.nothing()), unit, words)
            }
            Test::Latency(test) => {
                let bands = test.bands();
                let words = |band: &trackside_stats::sequential::QuantileBand| match (band.low, band.high) {
                    (Some(low), Some(high)) => format!("between {} and {}", time(low), time(high)),
                    (Some(low), None) => format!("above {}", time(low)),
                    (None, Some(high)) => format!("below {}", time(high)),
                    (None, None) => "not known yet".to_owned(),
                };
                let seen = format!("in service {}, candidate {}", words(&bands[0]), words(&bands[1]));
                (test.clone().look(), "requests", seen)
            }
            Test::Least { test, sum, seen, is_of_truth } => {
                let unit = if *is_of_truth { "labels" } else { "pairs" };
                let words = if *is_of_truth { "right in" } else { "the same in" };
                let words = match *seen {
                    0 => "nothing was seen".to_owned(),
                    many => format!("{words} {} of {many}", percent(sum / count(many))),
                };
                (test.decision(), unit, words)
            }
            Test::Scores(test) => (test.decision(self.levels), "requests", test.words()),
        };
        GateReport {
            gate: self.gate.to_string(),
            verdict: self.verdict(),
            broken: (decision.fail / decision.fail_bar).clamp(0.0, 1.0),
            holds: (decision.pass / decision.pass_bar).clamp(0.0, 1.0),
            observations: decision.observations,
            missing: decision.missing,
            unit,
            seen,
        }
    }

    fn nothing(&self) -> Decision {
        Decision {
            verdict: Verdict::Inconclusive,
            fail: 0.0,
            fail_bar: self.levels.0.bar(),
            pass: 0.0,
            pass_bar: self.levels.1.bar(),
            observations: 0,
            missing: Missing::Unknown,
        }
    }

    /// As it is kept.
    pub(super) fn kept(&self) -> KeptGate {
        match &self.test {
            Test::Arms { all, subjects, .. } => {
                KeptGate::Arms { all: bytes(all.to_bytes()), subjects: bytes(subjects.to_bytes()) }
            }
            Test::Paired { test, .. } => KeptGate::Paired { test: bytes(test.to_bytes()) },
            Test::After { before, tests, seen, .. } => {
                let tests = tests.as_ref().map(|tests| [bytes(tests[0].to_bytes()), bytes(tests[1].to_bytes())]);
                KeptGate::After { before: *before, tests, seen: *seen }
            }
            Test::Latency(test) => KeptGate::Latency { test: bytes(test.to_bytes()) },
            Test::Least { test, sum, seen, .. } => {
                KeptGate::Least { test: bytes(test.to_bytes()), sum: *sum, seen: *seen }
            }
            Test::Scores(test) => KeptGate::Scores(test.kept()),
        }
    }

    /// Goes on where it was.
    ///
    /// # Errors
    /// What was kept is of another gate, or damaged.
    pub(super) fn restore(&mut self, kept: KeptGate) -> Result<(), StatsError> {
        match (&mut self.test, kept) {
            (Test::Arms { all, subjects, .. }, KeptGate::Arms { all: a, subjects: s }) => {
                (**all, **subjects) = (TwoArms::from_bytes(&a.0)?, TwoArms::from_bytes(&s.0)?);
            }
            (Test::Paired { test, .. }, KeptGate::Paired { test: kept }) => **test = Paired::from_bytes(&kept.0)?,
            (Test::After { before, tests, seen, .. }, KeptGate::After { before: b, tests: kept, seen: s }) => {
                *tests = match kept {
                    Some([worse, within]) => {
                        Some(Box::new([MeanGate::from_bytes(&worse.0)?, MeanGate::from_bytes(&within.0)?]))
                    }
                    None => None,
                };
                (*before, *seen) = (b, s);
            }
            (Test::Latency(test), KeptGate::Latency { test: kept }) => **test = LatencyTest::from_bytes(&kept.0)?,
            (Test::Least { test, sum, seen, .. }, KeptGate::Least { test: kept, sum: s, seen: n }) => {
                *test = MeanGate::from_bytes(&kept.0)?;
                (*sum, *seen) = (s, n);
            }
            (Test::Scores(test), KeptGate::Scores(kept)) => test.restore(kept)?,
            _ => return Err(StatsError::Mismatch { what: "a gate and what was kept of another" }),
        }
        Ok(())
    }
}

/// A gate as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum KeptGate {
    Arms { all: Bytes, subjects: Bytes },
    Paired { test: Bytes },
    After { before: [u64; 2], tests: Option<[Bytes; 2]>, seen: [u64; 2] },
    Latency { test: Bytes },
    Least { test: Bytes, sum: f64, seen: u64 },
    Scores(super::scores::KeptScores),
}

fn pair(stable: bool, candidate: bool) -> Pair {
    match (stable, candidate) {
        (true, false) => Pair::OnlyStable,
        (false, true) => Pair::OnlyCandidate,
        _ => Pair::Alike,
    }
}

/// Tests of a candidate that follows one that failed so often. Half of each level is for where that one's rate really lies.
fn against(before: [u64; 2], margin: Margin, (alpha, beta): (Level, Level)) -> Result<[MeanGate; 2], StatsError> {
    let most = proportion_band(before[1], before[0], alpha.split(2))?.high.clamp(LEAST_RATE, 0.95);
    let least = proportion_band(before[1], before[0], beta.split(2))?.low;
    let allowed = (least * margin.ratio + margin.extra).clamp(LEAST_RATE, 0.95);
    let test = |rate: f64| MeanGate::new(1.0 - rate, 0.0, alpha.split(2), beta.split(2));
    Ok([test(most)?, test(allowed)?])
}

/// What two tests say together: the first that it is worse, the second that it is within the margin.
fn after(tests: Option<&[MeanGate; 2]>, nothing: Decision) -> Decision {
    let Some([worse, within]) = tests else { return nothing };
    let (worse, within) = (worse.decision(), within.decision());
    let verdict = match (worse.verdict, within.verdict) {
        (Verdict::Fail, _) => Verdict::Fail,
        (_, Verdict::Pass) => Verdict::Pass,
        _ => Verdict::Inconclusive,
    };
    let missing = match (verdict, worse.missing, within.missing) {
        (Verdict::Pass | Verdict::Fail, ..) => Missing::Nothing,
        // Each also says when it would say what is not asked of it.
        (_, Missing::About(a), Missing::About(b)) => Missing::About(a.max(b)),
        (_, about @ Missing::About(_), _) | (_, _, about) => about,
    };
    Decision { verdict, pass: within.pass, pass_bar: within.pass_bar, missing, ..worse }
}

fn first(one: Verdict, other: Verdict) -> Verdict {
    // Broken by either is broken: each has its own evidence. What holds for few is superseded by what is known of many.
    match (one, other) {
        (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
        (Verdict::Pass, _) | (_, Verdict::Pass) => Verdict::Pass,
        _ => Verdict::Inconclusive,
    }
}

fn observed(test: &mut LatencyTest, arm: Arm, seconds: f64) {
    // A time that is none is not counted.
    if test.observe(arm, seconds).is_ok() {
        let seen: u64 = test.arms().iter().map(trackside_stats::sketch::Histogram::ordered).sum();
        if seen.is_multiple_of(LATENCY_EVERY) {
            test.verdict_now();
        }
    }
}

fn least(test: &mut MeanGate, (sum, seen): (&mut f64, &mut u64), value: f64) {
    if test.observe(value).is_ok() {
        *sum += value;
        *seen += 1;
    }
}

const fn what(is_of_truth: bool) -> &'static str {
    if is_of_truth { "wrong" } else { "failed" }
}

fn arms(seen: [(u64, u64); 2], what: &str) -> String {
    let arm = |name: &str, (all, bad): (u64, u64)| match all {
        0 => format!("{name} nothing"),
        _ => format!("{name} {bad} of {all} {what} ({})", percent(share(bad, all))),
    };
    format!("{}, {}", arm("in service", seen[0]), arm("candidate", seen[1]))
}

pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent != 0.0 && percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { count(part) / count(all) }
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

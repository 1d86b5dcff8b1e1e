//! Before the start: with this traffic, these gates and this effect, how long it takes and how sure one is of an answer.
//!
//! Plans are tried out, not approximated: the very test runs on made-up traffic, from a seed. So they hold for what these tests do at
//! thirty requests as at three thousand, and say the same each time.

use statrs::distribution::{Beta, ContinuousCDF};

use crate::error::within;
use crate::sketch::Histogram;
use crate::special::{Seeded, count};
use crate::{StatsError, Verdict};

use super::latency::{LatencyGate, LatencyTest};
use super::mean_gate::MeanGate;
use super::paired::{Pair, Paired, PairedGate};
use super::two_arms::{Arm, ErrorGate, TwoArms};

/// The most observations that a plan makes up: half a minute's work of a small box.
const WORK: u64 = 30_000_000;

/// How a plan is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Observations after which one gives up: what the traffic brings in the time that there is.
    pub horizon: u64,
    /// How often it is tried: 500 give each share to within 4 percentage points.
    pub runs: u32,
    /// The seed of the chance.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The share of trials that passed, failed, and were undecided at the horizon.
    pub pass: f64,
    /// See `pass`.
    pub fail: f64,
    /// See `pass`.
    pub undecided: f64,
    /// With 95 % certainty, at least this share passes (Clopper & Pearson 1934). The power that may be promised.
    pub pass_at_least: f64,
    /// With 95 % certainty, at least this share fails.
    pub fail_at_least: f64,
    /// Observations after which half of all trials had a verdict; none where fewer have one at the horizon.
    pub median: Option<u64>,
    /// The same of nine in ten.
    pub ninety: Option<u64>,
}

impl Plan {
    fn of(trial: Trial, mut run: impl FnMut(&mut Seeded) -> (Verdict, u64)) -> Result<Self, StatsError> {
        let work = trial.horizon.saturating_mul(u64::from(trial.runs));
        if work > WORK {
            return Err(StatsError::TooMany { what: "observations of a plan", have: work, limit: WORK });
        }
        if trial.runs == 0 || trial.horizon == 0 {
            return Err(StatsError::TooFew { what: "trials of a plan", have: 0, need: 1 });
        }
        let mut chance = Seeded(trial.seed);
        let mut verdicts = [0_u32; 2];
        let mut times = Vec::with_capacity(trial.runs as usize);
        for _ in 0..trial.runs {
            let (verdict, at) = run(&mut chance);
            match verdict {
                Verdict::Pass => verdicts[0] += 1,
                Verdict::Fail => verdicts[1] += 1,
                Verdict::Inconclusive => continue,
            }
            times.push(at);
        }
        times.sort_unstable();
        let runs = f64::from(trial.runs);
        let after = |per_ten: usize| times.get((trial.runs as usize * per_ten).div_ceil(10).saturating_sub(1)).copied();
        let [pass, fail] = verdicts.map(f64::from);
        Ok(Self {
            pass: pass / runs,
            fail: fail / runs,
            undecided: (runs - pass - fail) / runs,
            pass_at_least: at_least(pass, runs),
            fail_at_least: at_least(fail, runs),
            median: after(5),
            ninety: after(9),
        })
    }
}

/// The lower end of a one-sided exact 95 % interval.
fn at_least(successes: f64, trials: f64) -> f64 {
    if successes == 0.0 {
        return 0.0;
    }
    Beta::new(successes, trials - successes + 1.0).map_or(0.0, |law| law.inverse_cdf(0.05).clamp(0.0, 1.0))
}

/// Seconds that `observations` take at `per_second` of them; infinite without traffic.
#[must_use]
pub fn duration(observations: u64, per_second: f64) -> f64 {
    if per_second > 0.0 { count(observations) / per_second } else { f64::INFINITY }
}

/// The error gate of a split: the candidate gets `share` of the requests, and the arms err at these rates (stable, candidate).
///
/// # Errors
/// Rates outside of [0, 1], a gate that [`TwoArms::new`] refuses, or more than 30 million observations.
pub fn errors(gate: ErrorGate, share: f64, rates: (f64, f64), trial: Trial) -> Result<Plan, StatsError> {
    within("the candidate's share", share, 1e-6, 1.0 - 1e-6)?;
    within("the stable rate", rates.0, 0.0, 1.0)?;
    within("the candidate's rate", rates.1, 0.0, 1.0)?;
    let fresh = TwoArms::new(gate)?;
    Plan::of(trial, |chance| {
        let mut test = fresh.clone();
        for at in 1..=trial.horizon {
            let candidate = chance.happens(share);
            let error = chance.happens(if candidate { rates.1 } else { rates.0 });
            test.observe(if candidate { Arm::Candidate } else { Arm::Stable }, error);
            if test.verdict() != Verdict::Inconclusive {
                return (test.verdict(), at);
            }
        }
        (Verdict::Inconclusive, trial.horizon)
    })
}

/// The paired gate of a shadow: shares of pairs in which only the stable version, and only the candidate, is right.
///
/// # Errors
/// Shares whose sum is above 1, a gate that [`Paired::new`] refuses, or more than 30 million observations.
pub fn paired(gate: PairedGate, only: (f64, f64), trial: Trial) -> Result<Plan, StatsError> {
    within("the share of pairs that only the stable version gets right", only.0, 0.0, 1.0)?;
    within("the share of pairs that only the candidate gets right", only.1, 0.0, 1.0 - only.0)?;
    let fresh = Paired::new(gate)?;
    Plan::of(trial, |chance| {
        let mut test = fresh.clone();
        for at in 1..=trial.horizon {
            let drawn = chance.unit();
            test.observe(match drawn {
                x if x < only.0 => Pair::OnlyStable,
                x if x < only.0 + only.1 => Pair::OnlyCandidate,
                _ => Pair::Alike,
            });
            if test.verdict() != Verdict::Inconclusive {
                return (test.verdict(), at);
            }
        }
        (Verdict::Inconclusive, trial.horizon)
    })
}

/// A gate of a rate (accuracy, agreement) where the truth is `rate`.
///
/// # Errors
/// A rate outside of [0, 1], or more than 30 million observations.
pub fn rate(gate: &MeanGate, rate: f64, trial: Trial) -> Result<Plan, StatsError> {
    within("the true rate", rate, 0.0, 1.0)?;
    Plan::of(trial, |chance| {
        let mut test = gate.clone();
        for at in 1..=trial.horizon {
            // Zeros and ones are always within the bounds.
            let taken = test.observe(f64::from(u8::from(chance.happens(rate))));
            debug_assert!(taken.is_ok());
            let verdict = test.verdict();
            if verdict != Verdict::Inconclusive {
                return (verdict, at);
            }
        }
        (Verdict::Inconclusive, trial.horizon)
    })
}

/// The latency gate, if the stable version goes on as in `seen`, and the candidate takes `factor` times as long. It is looked at 64
/// times, further and further apart.
///
/// # Errors
/// Nothing seen, a factor outside of 0.001 to 1000, a gate that [`LatencyTest::new`] refuses, or more than 30 million observations.
pub fn latency(gate: LatencyGate, share: f64, seen: &Histogram, factor: f64, trial: Trial) -> Result<Plan, StatsError> {
    within("the candidate's share", share, 1e-6, 1.0 - 1e-6)?;
    within("the factor of latency", factor, 1e-3, 1e3)?;
    if seen.ordered() == 0 {
        return Err(StatsError::TooFew { what: "latencies to plan from", have: 0, need: 1 });
    }
    let steps: Vec<(f64, f64)> = seen.cumulative().map(|(edge, under)| (edge, count(under))).collect();
    let all = count(seen.ordered());
    let fresh = LatencyTest::new(gate)?;
    let looks = look_times(trial.horizon);
    Plan::of(trial, |chance| {
        let mut test = fresh.clone();
        let mut next = looks.iter().copied().peekable();
        for at in 1..=trial.horizon {
            let candidate = chance.happens(share);
            let rank = chance.unit() * all;
            let found = steps.partition_point(|(_, under)| *under <= rank);
            let value = steps.get(found).map_or(f64::INFINITY, |(edge, _)| *edge);
            let (arm, value) = if candidate { (Arm::Candidate, value * factor) } else { (Arm::Stable, value) };
            // Positive edges times a positive factor.
            let taken = test.observe(arm, value);
            debug_assert!(taken.is_ok());
            if next.next_if_eq(&at).is_some() {
                let verdict = test.verdict_now();
                if verdict != Verdict::Inconclusive {
                    return (verdict, at);
                }
            }
        }
        (Verdict::Inconclusive, trial.horizon)
    })
}

fn look_times(horizon: u64) -> Vec<u64> {
    let mut times: Vec<u64> = Vec::with_capacity(65);
    let mut at = horizon;
    while at > 10 && times.len() < 64 {
        times.push(at);
        at -= (at / 12).max(1);
    }
    times.reverse();
    times
}

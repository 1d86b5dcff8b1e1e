//! Many tests at one time.
//!
//! Gates of a rollout: it fails if one gate fails, so the chance of a false failure is shared out ([`spend`]); it passes if all gates
//! pass, and then the level of the worst one is the level of all, with nothing shared out (intersection-union; Berger 1982). Features of
//! a model: what counts is that few of the alarms are false, so the share of false ones is bounded ([`benjamini_hochberg`]).

use crate::error::within;
use crate::special::{count, log_mix};
use crate::{Level, StatsError};

/// A level shared out by weights (alpha spending across gates; Bonferroni 1936 with equal weights).
///
/// The chance that any of the tests errs is at most `level`, however they depend on each other. Gates get what they are worth: a crash
/// gate that needs little evidence can do with little. Weights count by their ratio.
///
/// # Errors
/// No weights, or one that is negative, no number, or so small that its share is below 1e-12.
pub fn spend(level: Level, weights: &[f64]) -> Result<Vec<Level>, StatsError> {
    for weight in weights {
        within("the weight of a gate", *weight, f64::MIN_POSITIVE, 1e12)?;
    }
    let all: f64 = weights.iter().sum();
    if weights.is_empty() {
        return Err(StatsError::TooFew { what: "gates", have: 0, need: 1 });
    }
    weights.iter().map(|weight| Level::new(level.get() * weight / all)).collect()
}

/// The level of look number `look` (from 1) at a test that is meant for one look, so that all looks together err at most with `level`.
///
/// level / (k (k + 1)): these add up to `level`, however many looks there are (spending a level over looks: Lan & DeMets, Biometrika
/// 1983; this sequence needs no number of looks beforehand). For PSI and KS of a rollout's scores, which are no e-processes: look at
/// 100 rows, 200, 400 and so on, and a look costs little; look at each row, and it costs all.
#[must_use]
pub fn look(level: Level, look: u32) -> Level {
    let k = f64::from(look.max(1));
    level.times(1.0 / (k * (k + 1.0)))
}

/// The e-value of "all claims hold", from the logarithms of each one's: the average, as a logarithm.
///
/// Valid however the claims' evidence depends on each other, and never weaker than Bonferroni: if one e-value reaches k/level, the
/// average of k reaches 1/level (Vovk & Wang, "E-values: calibration, combination and applications", Ann. Stat. 2021: no other symmetric
/// merging does better). It says that something is wrong, not what: for that, [`e_holm`]. None gives 0, no evidence.
#[must_use]
pub fn e_average(logs: &[f64]) -> f64 {
    if logs.is_empty() || logs.iter().any(|log| log.is_nan()) {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of tests")]
    let weights = vec![1.0 / logs.len() as f64; logs.len()];
    log_mix(logs, &weights)
}

/// Which claims are refused, from the logarithms of their e-values, so that any false refusal has at most probability `level`.
///
/// Holm's procedure (1979) with 1/e as p-values, which closes over the averages (Vovk & Wang 2021, section 4): no assumption on dependence.
/// NaN is no evidence.
#[must_use]
pub fn e_holm(logs: &[f64], level: Level) -> Vec<bool> {
    let mut order: Vec<usize> = (0..logs.len()).filter(|at| !logs[*at].is_nan()).collect();
    order.sort_by(|a, b| logs[*b].total_cmp(&logs[*a]));
    let mut refused = vec![false; logs.len()];
    for (rank, at) in order.iter().enumerate() {
        if logs[*at] < level.split(logs.len() - rank).bar() {
            break;
        }
        refused[*at] = true;
    }
    refused
}

/// Which claims are refused so that, of all refusals, at most the share `level` is false on average.
///
/// Benjamini & Hochberg (JRSS B 1995). Holds for independent p-values and for positively dependent ones (Benjamini & Yekutieli 2001), which
/// features that move together are. Where nothing has moved at all, it is the chance of any alarm. NaN is taken for 1: no evidence.
#[must_use]
pub fn benjamini_hochberg(p: &[f64], level: Level) -> Vec<bool> {
    step_up(p, level.get())
}

/// The same under any dependence, at the price of a factor of 1 + 1/2 + ... + 1/n (Benjamini & Yekutieli, Ann. Stat. 2001).
#[must_use]
pub fn benjamini_yekutieli(p: &[f64], level: Level) -> Vec<bool> {
    let price: f64 = (1..=p.len() as u64).map(|rank| 1.0 / count(rank)).sum();
    step_up(p, level.get() / price)
}

fn step_up(p: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).filter(|at| !p[*at].is_nan()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let all = count(p.len() as u64);
    let last = order.iter().enumerate().rposition(|(rank, at)| p[*at] <= level * count(rank as u64 + 1) / all);
    let mut refused = vec![false; p.len()];
    for at in &order[..last.map_or(0, |rank| rank + 1)] {
        refused[*at] = true;
    }
    refused
}

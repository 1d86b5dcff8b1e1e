//! A rate with a band that holds at all times.

use crate::error::within;
use crate::special::{count, ln_beta};
use crate::{Level, StatsError};

/// A band around an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The least that the truth may be.
    pub low: f64,
    /// What was seen.
    pub estimate: f64,
    /// The most that the truth may be.
    pub high: f64,
}

impl Band {
    /// Of a share of which nothing is known.
    pub(super) const NOTHING: Self = Self { low: 0.0, estimate: f64::NAN, high: 1.0 };
}

/// A confidence sequence for a proportion: `successes` of `trials`, true at all times together with probability 1 - `level`.
///
/// All p at which the beta-binomial mixture's likelihood ratio, B(s + 1/2, f + 1/2) / B(1/2, 1/2) / (p^s (1-p)^f), is below 1/level.
/// Source: Robbins, "Statistical methods related to the law of the iterated logarithm" (1970); Howard, Ramdas, McAuliffe & Sekhon (2021),
/// the prior 1/2, 1/2 of Krichevsky & Trofimov (1981). Assumes: each trial succeeds with the same probability given the past. Unit: shares.
/// With no trials the band is [0, 1] and the estimate NaN.
///
/// # Errors
/// More successes than trials.
pub fn proportion_band(successes: u64, trials: u64, level: Level) -> Result<Band, StatsError> {
    let Some(failures) = trials.checked_sub(successes) else {
        return Err(StatsError::TooMany { what: "successes", have: successes, limit: trials });
    };
    if trials == 0 {
        return Ok(Band::NOTHING);
    }
    let (s, f) = (count(successes), count(failures));
    let marginal = ln_beta(s + 0.5, f + 0.5) - ln_beta(0.5, 0.5);
    let excluded = |p: f64| {
        let fitted = power(s, p) + power(f, 1.0 - p);
        marginal - fitted >= level.bar()
    };
    let estimate = s / (s + f);
    Ok(Band {
        low: if successes == 0 { 0.0 } else { edge(0.0, estimate, excluded) },
        estimate,
        high: if failures == 0 { 1.0 } else { edge(1.0, estimate, excluded) },
    })
}

/// After how many trials the [`proportion_band`] of a rate like this is at most `width` wide: how many labels it takes to know an
/// accuracy to within so much. None beyond 10^9.
///
/// # Errors
/// A rate outside of [0, 1], or a width outside of (0, 1).
pub fn trials_for_width(rate: f64, width: f64, level: Level) -> Result<Option<u64>, StatsError> {
    within("a rate", rate, 0.0, 1.0)?;
    within("the width of a band", width, 1e-6, 1.0 - 1e-6)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of trials")]
    let narrow = |trials: u64| -> Result<bool, StatsError> {
        let band = proportion_band((rate * count(trials)).round() as u64, trials, level)?;
        Ok(band.high - band.low <= width)
    };
    let (mut low, mut high) = (0, 1);
    while !narrow(high)? {
        if high >= 1_000_000_000 {
            return Ok(None);
        }
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if narrow(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(high))
}

/// ln(x^n), with 0^0 = 1.
pub(super) fn power(n: f64, x: f64) -> f64 {
    if n == 0.0 { 0.0 } else { n * x.ln() }
}

/// Between `out`, which is excluded, and `inside`, which is not: the last one that is excluded.
pub(super) fn edge(mut out: f64, mut inside: f64, excluded: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..80 {
        let middle = f64::midpoint(out, inside);
        if excluded(middle) {
            out = middle;
        } else {
            inside = middle;
        }
    }
    out
}

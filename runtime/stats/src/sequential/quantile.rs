//! A quantile with a band that holds at all times.

use crate::error::within;
use crate::sketch::Histogram;
use crate::special::{count, log_mix};
use crate::{Level, StatsError};

/// Which quantile: 0.5 is the median, 0.99 what one in a hundred exceeds.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quantile(f64);

impl Quantile {
    /// A quantile.
    ///
    /// # Errors
    /// Outside of 0.001 to 0.9999.
    pub fn new(value: f64) -> Result<Self, StatsError> {
        within("a quantile", value, 0.001, 0.9999).map(Self)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Where a quantile lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileBand {
    /// It is above this; none where too little was seen to say.
    pub low: Option<f64>,
    /// It is not above this; none likewise, or where it lies beyond the histogram's last edge.
    pub high: Option<f64>,
    /// Values that this rests on.
    pub observations: u64,
}

/// Log-odds by which the share below may differ from the quantile's.
const AWAY: [f64; 8] = [0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0];
const SHARES: [f64; 8] = [1.0 / 8.0; 8];

/// ln of the e-value against "P(X ≤ x) is at least (`below`) or at most (not `below`) q", `under` of `all` values being at or below x.
pub(super) fn log_e(under: f64, all: f64, q: f64, below: bool) -> f64 {
    let logs = AWAY.map(|away| {
        let odds = q / (1.0 - q) * if below { (-away).exp() } else { away.exp() };
        let other = odds / (1.0 + odds);
        under * (other / q).ln() + (all - under) * ((1.0 - other) / (1.0 - q)).ln()
    });
    log_mix(&logs, &SHARES)
}

/// A confidence sequence for quantile `q` of what `values` counted: each end fails at any time with at most `level`/2.
///
/// An edge is below the quantile if few enough values are at or below it, and not below it if many enough are: an e-process of the share
/// (a mixture over eight alternatives on the log-odds) at each edge. Source: Howard & Ramdas, "Sequential estimation of quantiles with
/// applications to A/B testing and best-arm identification" (Bernoulli 2022), section 3; one-sided, so that ties do no harm. Counts
/// at edges are exact, so no sketch's error is added: the ends are edges, at most one cell too wide. Assumes: independent values of one
/// distribution. Unit: that of the values. NaN is no value; infinities are beyond the last edges.
///
/// With nothing wrong at all, the upper end of the 0.99 quantile takes about 580 values at a level of 0.05, that of the median 9.
#[must_use]
pub fn quantile_band(values: &Histogram, q: Quantile, level: Level) -> QuantileBand {
    let bar = level.split(2).bar();
    let (low, high) = ends(values, q, bar, bar, 1.0);
    QuantileBand { low, high, observations: values.ordered() }
}

/// Both ends, each with its own bar, if all counts were `times` as great.
pub(super) fn ends(
    values: &Histogram,
    q: Quantile,
    low_bar: f64,
    high_bar: f64,
    times: f64,
) -> (Option<f64>, Option<f64>) {
    let all = count(values.ordered()) * times;
    if all == 0.0 {
        return (None, None);
    }
    let steps: Vec<(f64, f64)> = values.cumulative().map(|(edge, under)| (edge, count(under) * times)).collect();
    // Evidence that an edge is below falls from edge to edge, evidence that it is not below grows.
    let below = steps.partition_point(|(_, under)| log_e(*under, all, q.0, true) >= low_bar);
    let reached = steps.partition_point(|(_, under)| log_e(*under, all, q.0, false) < high_bar);
    let low = below.checked_sub(1).and_then(|last| steps.get(last)).map(|(edge, _)| *edge);
    (low, steps.get(reached).map(|(edge, _)| *edge))
}

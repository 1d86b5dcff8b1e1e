//! Functions of the field that are not in the standard library, guarded: what can not be computed is told, never a panic.

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal};
use statrs::function::beta::checked_ln_beta;
use statrs::function::gamma::ln_gamma;

/// ln B(a, b); `a`, `b` positive.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    checked_ln_beta(a, b).unwrap_or(f64::NAN)
}

/// ln n!
pub(crate) fn ln_factorial(n: u64) -> f64 {
    ln_gamma(count(n) + 1.0)
}

/// P(X > x) of a chi-squared variable with `freedom` degrees of freedom.
pub(crate) fn chi_squared_tail(x: f64, freedom: f64) -> f64 {
    match ChiSquared::new(freedom) {
        Ok(law) if x.is_finite() => law.sf(x.max(0.0)).clamp(0.0, 1.0),
        Ok(_) if x == f64::INFINITY => 0.0,
        _ => f64::NAN,
    }
}

/// The value that a chi-squared variable exceeds with probability `level`.
pub(crate) fn chi_squared_critical(level: f64, freedom: f64) -> f64 {
    match ChiSquared::new(freedom) {
        Ok(law) if level > 0.0 && level < 1.0 => law.inverse_cdf(1.0 - level),
        _ => f64::NAN,
    }
}

/// P(X > x) of an F variable.
pub(crate) fn f_tail(x: f64, freedom: f64, below: f64) -> f64 {
    FisherSnedecor::new(freedom, below).map_or(f64::NAN, |law| law.sf(x.max(0.0)).clamp(0.0, 1.0))
}

/// P(Z > z) of a standard normal variable.
pub(crate) fn normal_tail(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// The quantile of the standard normal law at `p` in (0, 1).
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if p > 0.0 && p < 1.0 { Normal::standard().inverse_cdf(p) } else { f64::NAN }
}

/// A count as a number. Exact to 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 do not need their last digit")]
pub(crate) const fn count(n: u64) -> f64 {
    n as f64
}

/// ln(sum of exp(terms) * weights), without overflow.
pub(crate) fn log_mix(terms: &[f64], weights: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    let sum: f64 = terms.iter().zip(weights).map(|(term, weight)| (term - top).exp() * weight).sum();
    top + sum.ln()
}

/// SplitMix64 (Steele, Lea & Flood 2014): chance that comes from a seed, for plans that are computed by trying.
#[derive(Debug, Clone)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 up to 1, 1 excluded.
    pub(crate) const fn unit(&mut self) -> f64 {
        count(self.next() >> 11) / 9_007_199_254_740_992.0
    }

    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

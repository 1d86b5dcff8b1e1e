//! A wealth that grows only if a mean is above nothing: testing by betting.

use crate::StatsError;
use crate::bytes::{Reader, Writer};
use crate::error::within;
use crate::special::log_mix;

/// Stakes as shares of the greatest that is allowed: eight, evenly apart on a logarithmic scale. A stake that is off by a factor of
/// 1.4 from the best one wins 88 % of what that wins (the wealth's growth is a parabola there), and which is best is not known before.
const STAKES: usize = 8;
const LEAST: f64 = 0.01;
const MOST: f64 = 0.95;
const WEIGHTS: [f64; STAKES] = [1.0 / 8.0; STAKES];

/// An e-process against "the mean of x, given the past, is at most 0", where x is never below `-floor`.
///
/// Wealth = average over stakes s of the product of (1 + s x), with 0 < s < 1/floor. Source: Waudby-Smith & Ramdas, "Estimating means
/// of bounded random variables by betting" (JRSS B, 2024), with a fixed grid of stakes in place of a predictable one. Assumes: x ≥
/// -floor, and each x's mean given the past is at most 0 under the claim; neither independence nor one distribution. Units: x in any
/// unit; wealth as natural logarithm.
///
/// For x of -1 and +1 it is the likelihood ratio of a coin, averaged over alternatives: the sequential form of the sign test.
#[derive(Debug, Clone, PartialEq)]
pub struct Bets {
    floor: f64,
    logs: [f64; STAKES],
}

impl Bets {
    /// Nothing won yet. `floor`: x is never below its negative.
    ///
    /// # Errors
    /// `floor` is not between 1e-9 and 1e9.
    pub fn new(floor: f64) -> Result<Self, StatsError> {
        Ok(Self { floor: within("the floor of a bet", floor, 1e-9, 1e9)?, logs: [0.0; STAKES] })
    }

    fn stake(&self, index: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an index below eight")]
        let along = index as f64 / (STAKES - 1) as f64;
        LEAST * (MOST / LEAST).powf(along) / self.floor
    }

    /// One more x.
    ///
    /// # Errors
    /// NaN, infinite, or below `-floor`; the wealth is as before.
    pub fn observe(&mut self, x: f64) -> Result<(), StatsError> {
        // What rounding may put below the floor is not a fault of the caller's.
        within("an observation of a bet", x, -self.floor * (1.0 + 1e-9), f64::MAX)?;
        for index in 0..STAKES {
            self.logs[index] += (self.stake(index) * x).ln_1p();
        }
        Ok(())
    }

    /// The natural logarithm of the e-value.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        log_mix(&self.logs, &WEIGHTS)
    }

    /// What one observation adds to the logarithm, at the best stake, if values come with these probabilities.
    pub(super) fn growth(&self, of: &[(f64, f64)]) -> f64 {
        (0..STAKES)
            .map(|index| {
                let stake = self.stake(index);
                of.iter().filter(|(_, p)| *p > 0.0).map(|(x, p)| p * (stake * x).ln_1p()).sum::<f64>()
            })
            .fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Bets {
    /// For the gates that are kept.
    pub(super) fn put(&self, into: &mut Writer) {
        into.f64s(&self.logs);
    }

    /// The wealth of a bet with this floor.
    pub(super) fn take(floor: f64, from: &mut Reader<'_>) -> Result<Self, StatsError> {
        Ok(Self { logs: from.finites()?, ..Self::new(floor)? })
    }
}

//! A bounded mean with a band that holds at all times.

use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::special::count;
use crate::{Level, StatsError};

use super::proportion::Band;

/// A confidence sequence for the mean of values between `low` and `high`, in constant memory.
///
/// The predictable plug-in empirical-Bernstein sequence (Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting",
/// JRSS B 2024, theorem 2), its bands intersected over time. Its width follows the variance seen, so it is for scores and errors that
/// vary less than a coin; for zeros and ones [`proportion_band`](super::proportion_band) is narrower. Assumes: every value's mean given
/// the past is the same. Unit: that of the values.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanSequence {
    low: f64,
    high: f64,
    level: f64,
    seen: u64,
    sum: f64,
    squares: f64,
    stakes: f64,
    staked: f64,
    spread: f64,
    /// The intersection so far, on the scale of 0 to 1.
    band: (f64, f64),
}

/// The greatest stake (the paper's c).
const CAP: f64 = 0.5;

impl MeanSequence {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// Bounds that are no numbers, or not in order.
    pub fn new(low: f64, high: f64, level: Level) -> Result<Self, StatsError> {
        within("the lower bound of values", low, -f64::MAX / 4.0, f64::MAX / 4.0)?;
        within("the upper bound of values", high, low.next_up(), f64::MAX / 4.0)?;
        Ok(Self {
            low,
            high,
            level: level.get(),
            seen: 0,
            sum: 0.0,
            squares: 0.0,
            stakes: 0.0,
            staked: 0.0,
            spread: 0.0,
            band: (0.0, 1.0),
        })
    }

    /// One more value.
    ///
    /// # Errors
    /// NaN or out of the bounds: the sequence would promise what it can not hold, and counts nothing.
    pub fn observe(&mut self, value: f64) -> Result<(), StatsError> {
        within("a value", value, self.low, self.high)?;
        let x = (value - self.low) / (self.high - self.low);
        let t = count(self.seen + 1);
        // Means and variances of what came before: the stake must not know the value that it is for.
        let mean_before = (0.5 + self.sum) / t;
        let variance_before = (0.25 + self.squares) / t;
        let price = (2.0 / self.level).ln();
        let stake = (2.0 * price / (variance_before * t * t.ln_1p())).sqrt().min(CAP);
        self.seen += 1;
        self.sum += x;
        let mean = (0.5 + self.sum) / (t + 1.0);
        self.squares += (x - mean).powi(2);
        self.stakes += stake;
        self.staked += stake * x;
        self.spread += 4.0 * (x - mean_before).powi(2) * (-(-stake).ln_1p() - stake) / 4.0;
        let (centre, radius) = (self.staked / self.stakes, (price + self.spread) / self.stakes);
        self.band = (self.band.0.max(centre - radius), self.band.1.min(centre + radius));
        Ok(())
    }

    /// The band now. The estimate is the plain mean (NaN without values). Where the assumption is broken, the intersection can be empty:
    /// then `low` is above `high`, which says that the mean has moved.
    #[must_use]
    pub fn band(&self) -> Band {
        let scale = |x: f64| self.low + x * (self.high - self.low);
        let estimate = if self.seen == 0 { f64::NAN } else { scale(self.sum / count(self.seen)) };
        Band { low: scale(self.band.0), estimate, high: scale(self.band.1) }
    }

    /// Values so far.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }
}

kept!(MeanSequence);

impl Kept for MeanSequence {
    const WHAT: &'static str = "a band of a mean";
    const KIND: [u8; 3] = *b"TBm";

    fn put(&self, into: &mut Writer) {
        into.f64s(&[self.low, self.high, self.level]);
        into.u64(self.seen);
        into.f64s(&[self.sum, self.squares, self.stakes, self.staked, self.spread, self.band.0, self.band.1]);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let [low, high] = from.finites()?;
        let fresh = Self::new(low, high, from.level()?)?;
        let seen = from.count()?;
        let [sum, squares, stakes, staked, spread, least, most] = from.finites()?;
        let whole = [sum, squares, stakes, staked, spread].iter().all(|part| *part >= 0.0)
            && least >= 0.0
            && most <= 1.0
            && (seen > 0) == (stakes > 0.0);
        from.check(whole, "sums that can not be")?;
        Ok(Self { seen, sum, squares, stakes, staked, spread, band: (least, most), ..fresh })
    }
}

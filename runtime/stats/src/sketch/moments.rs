//! Mean and variance of a stream.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::special::count;

/// Count, mean, variance and range, without the cancellation of sums of squares (Welford 1962; merged as by Chan, Golub & LeVeque 1979).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    values: u64,
    mean: f64,
    squares: f64,
    low: f64,
    high: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self { values: 0, mean: 0.0, squares: 0.0, low: f64::INFINITY, high: f64::NEG_INFINITY }
    }
}

impl Moments {
    /// One more value.
    ///
    /// # Errors
    /// NaN, infinite or beyond ±1e150, whose square is no number; nothing is counted.
    pub fn observe(&mut self, value: f64) -> Result<(), StatsError> {
        within("a value", value, -1e150, 1e150)?;
        self.values += 1;
        let away = value - self.mean;
        self.mean += away / count(self.values);
        self.squares += away * (value - self.mean);
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        Ok(())
    }

    /// The values of another window.
    pub fn merge(&mut self, other: &Self) {
        let all = self.values.saturating_add(other.values);
        if other.values == 0 {
            return;
        }
        let (mine, theirs) = (count(self.values), count(other.values));
        let away = other.mean - self.mean;
        self.mean += away * theirs / count(all);
        self.squares += other.squares + away * away * mine * theirs / count(all);
        self.values = all;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
    }

    /// Values so far.
    #[must_use]
    pub const fn values(&self) -> u64 {
        self.values
    }

    /// The mean; none without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.values > 0).then_some(self.mean)
    }

    /// The variance with n - 1; none below two values.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.values > 1).then(|| (self.squares / count(self.values - 1)).max(0.0))
    }

    /// The least and the greatest value.
    #[must_use]
    pub fn range(&self) -> Option<(f64, f64)> {
        (self.values > 0).then_some((self.low, self.high))
    }
}

kept!(Moments);

impl Kept for Moments {
    const WHAT: &'static str = "moments";
    const KIND: [u8; 3] = *b"TSm";

    fn put(&self, into: &mut Writer) {
        into.u64(self.values);
        into.f64s(&[self.mean, self.squares, self.low, self.high]);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (values, mean, squares) = (from.count()?, from.finite()?, from.finite()?);
        let read = Self { values, mean, squares, low: from.f64()?, high: from.f64()? };
        let whole = if values == 0 {
            read == Self::default()
        } else {
            read.low <= read.high && read.low >= -1e150 && read.high <= 1e150 && squares >= 0.0
        };
        from.check(whole, "moments that can not be")?;
        Ok(read)
    }
}

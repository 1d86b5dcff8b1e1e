//! Mean and variance of a stream.

use crate::StatsError;
use crate::error::within;
use crate::special::count;

use super::bytes::{Reader, Writer};

const WHAT: &str = "moments";
const KIND: [u8; 3] = *b"TSm";

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

    /// For keeping.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new(KIND, 1);
        out.u64(self.values);
        for number in [self.mean, self.squares, self.low, self.high] {
            out.f64(number);
        }
        out.done()
    }

    /// What [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// Anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatsError> {
        let mut from = Reader::new(WHAT, KIND, 1, bytes)?;
        let read =
            Self { values: from.u64()?, mean: from.f64()?, squares: from.f64()?, low: from.f64()?, high: from.f64()? };
        let whole = if read.values == 0 {
            read == Self::default()
        } else {
            read.low <= read.high
                && read.low >= -1e150
                && read.high <= 1e150
                && read.squares >= 0.0
                && read.mean.is_finite()
        };
        if !whole {
            return Err(from.corrupt("moments that can not be"));
        }
        from.end()?;
        Ok(read)
    }
}

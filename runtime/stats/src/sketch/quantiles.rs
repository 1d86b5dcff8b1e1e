//! Any quantile of a stream, within a known error of its rank.

use datasketches::common::SearchCriteria;
use datasketches::kll::{KllFloat, KllSketch};

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;

/// Error 1.33 % of the rank for one question, 1.65 % for a whole distribution, each with 99 % certainty.
const K: u16 = 200;
/// Far more than come, and far from where the library's counters end.
const MOST_VALUES: u64 = 1 << 53;

/// A KLL sketch (Karnin, Lang & Liberty, FOCS 2016) of finite numbers: about 600 of them are kept, whatever came.
///
/// Exact up to 200 values; beyond, [`rank_error`](Self::rank_error). It tosses coins of its own (see the [module](super)).
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles(KllSketch<KllFloat<f64>>);

impl Quantiles {
    /// Empty.
    ///
    /// # Errors
    /// Never with the size that is built in; the library's refusal is handed on all the same.
    pub fn new() -> Result<Self, StatsError> {
        KllSketch::new(K).map(Self).map_err(|_| StatsError::Mismatch { what: "the sketch's size" })
    }

    /// One more value.
    ///
    /// # Errors
    /// NaN or infinite; nothing is counted.
    pub fn observe(&mut self, value: f64) -> Result<(), StatsError> {
        let value = within("a value", value, f64::MIN, f64::MAX)?;
        let value = KllFloat::<f64>::new(value).map_err(|_| StatsError::NotFinite { what: "a value" })?;
        self.0.update(value);
        Ok(())
    }

    /// The values of another window.
    ///
    /// # Errors
    /// More than 2^53 together.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        if self.values().saturating_add(other.values()) > MOST_VALUES {
            return Err(StatsError::TooMany { what: "values", have: u64::MAX, limit: MOST_VALUES });
        }
        self.0.merge(&other.0).map_err(|_| StatsError::Mismatch { what: "sketches of other sizes" })
    }

    /// Values so far.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.0.n()
    }

    /// The least and the greatest value, exactly.
    #[must_use]
    pub fn range(&self) -> Option<(f64, f64)> {
        Some((self.0.min_item()?.into_inner(), self.0.max_item()?.into_inner()))
    }

    /// The value with `share` of all at or below it; none if empty or `share` is outside of [0, 1].
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<f64> {
        self.0.quantile(share, SearchCriteria::Inclusive).ok().flatten().map(KllFloat::into_inner)
    }

    /// The share of values at or below `value`; none if empty or NaN.
    #[must_use]
    pub fn rank(&self, value: f64) -> Option<f64> {
        self.0.rank(&KllFloat::<f64>::new(value).ok()?, SearchCriteria::Inclusive)
    }

    /// By how much the whole distribution function is off at most, with 99 % certainty; 0 while every value is kept.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        if self.0.is_estimation_mode() { self.0.normalized_pmf_error() } else { 0.0 }
    }

    /// Values at up to 1,025 evenly spaced ranks, ascending, each once: where distributions are compared.
    #[must_use]
    pub fn points(&self) -> Vec<f64> {
        let view = self.0.sorted_view();
        let mut points: Vec<f64> = (0..=1024)
            .filter_map(|step| view.quantile(f64::from(step) / 1024.0, SearchCriteria::Inclusive).ok().flatten())
            .map(KllFloat::into_inner)
            .collect();
        points.dedup();
        points
    }

    /// The share of values at or below each of `points`; none if empty or one of them is NaN.
    #[must_use]
    pub fn ranks(&self, points: &[f64]) -> Option<Vec<f64>> {
        let view = self.0.sorted_view();
        points.iter().map(|point| view.rank(&KllFloat::<f64>::new(*point).ok()?, SearchCriteria::Inclusive)).collect()
    }
}

kept!(Quantiles);

impl Kept for Quantiles {
    const WHAT: &'static str = "a sketch of quantiles";
    const KIND: [u8; 3] = *b"TSq";

    fn put(&self, into: &mut Writer) {
        into.block(&self.0.serialize());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let sketch = KllSketch::<KllFloat<f64>>::deserialize(from.block()?)
            .map_err(|_| from.corrupt("not what the library wrote"))?;
        from.check(sketch.n() <= MOST_VALUES, "more values than there can be")?;
        from.check(sketch.k() == K && sketch.min_k() == K, "a sketch of another size")?;
        let finite = |item: Option<&KllFloat<f64>>| item.is_none_or(|item| item.is_finite());
        from.check(finite(sketch.min_item()) && finite(sketch.max_item()), "an infinite value")?;
        Ok(Self(sketch))
    }
}

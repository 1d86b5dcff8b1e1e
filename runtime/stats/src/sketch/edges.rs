//! Where the cells of a histogram end.

use crate::StatsError;
use crate::error::within;
use crate::special::count;

use super::Quantiles;

/// The most edges that a histogram has.
pub const MOST_EDGES: usize = 1024;

/// Ascending numbers that part the line into cells: (-∞, first], (first, second], ..., (last, ∞).
#[derive(Debug, Clone, PartialEq)]
pub struct Edges(Box<[f64]>);

impl Edges {
    /// From a list that is ascending.
    ///
    /// # Errors
    /// None at all, more than 1,024, one that is no finite number, or not ascending.
    pub fn new(edges: Vec<f64>) -> Result<Self, StatsError> {
        if edges.is_empty() {
            return Err(StatsError::TooFew { what: "edges", have: 0, need: 1 });
        }
        if edges.len() > MOST_EDGES {
            return Err(StatsError::TooMany { what: "edges", have: edges.len() as u64, limit: MOST_EDGES as u64 });
        }
        if edges.iter().any(|edge| !edge.is_finite()) {
            return Err(StatsError::NotFinite { what: "an edge" });
        }
        if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(StatsError::Mismatch { what: "edges that do not ascend" });
        }
        Ok(Self(edges.into()))
    }

    /// Each edge `ratio` times the one before, from `low` until `high` is passed: cells of equal relative width.
    ///
    /// # Errors
    /// Not 0 < low < high, a ratio of 1 or less, or more than 1,024 edges.
    pub fn geometric(low: f64, high: f64, ratio: f64) -> Result<Self, StatsError> {
        within("the lowest edge", low, f64::MIN_POSITIVE, f64::MAX / 2.0)?;
        within("the highest edge", high, low.next_up(), f64::MAX / 2.0)?;
        within("the ratio of edges", ratio, 1.0 + 1e-9, 1e6)?;
        let steps = ((high / low).ln() / ratio.ln()).ceil();
        within("the number of edges", steps, 1.0, count(MOST_EDGES as u64 - 1))?;
        #[expect(clippy::cast_possible_truncation, reason = "between 1 and 1023")]
        let steps = steps as i32;
        Self::new((0..=steps).map(|step| low * ratio.powi(step)).collect())
    }

    /// At the quantiles of a reference, so that each of `cells` holds about as many of it. Equal ones are one: a value that holds more
    /// than a cell's share has a cell to itself, and a constant feature has three: below, at, above.
    ///
    /// # Errors
    /// No finite value, or cells outside of 2 to 1,025.
    pub fn of_values(values: &[f64], cells: usize) -> Result<Self, StatsError> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.is_empty() {
            return Err(StatsError::TooFew { what: "finite reference values", have: 0, need: 1 });
        }
        Self::at_ranks(cells, |share| {
            // The smallest value with at least this share at or below it.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the list")]
            let rank = (share * count(sorted.len() as u64)).ceil() as usize;
            Ok(sorted[rank.clamp(1, sorted.len()) - 1])
        })
    }

    /// The same from a sketch of a reference.
    ///
    /// # Errors
    /// An empty sketch, or cells outside of 2 to 1,025.
    pub fn of_sketch(values: &Quantiles, cells: usize) -> Result<Self, StatsError> {
        Self::at_ranks(cells, |share| {
            values.quantile(share).ok_or(StatsError::TooFew { what: "finite reference values", have: 0, need: 1 })
        })
    }

    fn at_ranks(cells: usize, value: impl Fn(f64) -> Result<f64, StatsError>) -> Result<Self, StatsError> {
        if !(2..=MOST_EDGES + 1).contains(&cells) {
            let (value, high) = (count(cells as u64), count(MOST_EDGES as u64 + 1));
            return Err(StatsError::OutOfRange { what: "the number of cells", value, low: 2.0, high });
        }
        let mut edges = Vec::with_capacity(cells);
        for at in 1..cells {
            // -0 and 0 are one number.
            edges.push(value(count(at as u64) / count(cells as u64))? + 0.0);
        }
        edges.dedup();
        if let [only] = edges[..] {
            // Everything, or nearly so, is one value: what lies below it must not share its cell.
            edges = vec![only.next_down(), only];
            edges.retain(|edge| edge.is_finite());
        }
        Self::new(edges)
    }

    /// The numbers.
    #[must_use]
    pub fn list(&self) -> &[f64] {
        &self.0
    }

    /// How many cells they make: one more than there are edges.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.0.len() + 1
    }

    /// The cell that a number lies in. Infinities lie in the outer ones; NaN in none, and is taken for the last here: ask before.
    #[must_use]
    pub(crate) fn cell(&self, value: f64) -> usize {
        self.0.partition_point(|edge| *edge < value)
    }
}

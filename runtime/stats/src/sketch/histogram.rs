//! Counts between frozen edges.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::special::count;

use super::edges::Edges;

/// How many values lay in each cell. Exact; 16 bytes a cell; a value takes a binary search.
///
/// NaN and infinities are counted beside the cells, and are no part of a comparison of distributions: their shares are compared on
/// their own ([`rates`](crate::drift::rates)).
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    edges: Edges,
    cells: Box<[u64]>,
    not_numbers: u64,
    below: u64,
    above: u64,
}

impl Histogram {
    /// Empty.
    #[must_use]
    pub fn new(edges: Edges) -> Self {
        let cells = vec![0; edges.cells()].into();
        Self { edges, cells, not_numbers: 0, below: 0, above: 0 }
    }

    /// One more value, whatever it is.
    pub fn observe(&mut self, value: f64) {
        if value.is_finite() {
            let cell = self.edges.cell(value);
            self.cells[cell] += 1;
        } else if value.is_nan() {
            self.not_numbers += 1;
        } else if value > 0.0 {
            self.above += 1;
        } else {
            self.below += 1;
        }
    }

    /// The counts of another window.
    ///
    /// # Errors
    /// Other edges, or counts beyond 2^64; nothing is changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        if self.edges != other.edges {
            return Err(StatsError::Mismatch { what: "histograms with other edges" });
        }
        if self.values().checked_add(other.values()).is_none() {
            return Err(StatsError::Mismatch { what: "counts beyond 2^64" });
        }
        for (mine, theirs) in self.cells.iter_mut().zip(&other.cells) {
            *mine += theirs;
        }
        self.not_numbers += other.not_numbers;
        self.below += other.below;
        self.above += other.above;
        Ok(())
    }

    /// The same edges, nothing counted.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self::new(self.edges.clone())
    }

    /// The same edges with these counts of finite values; `cells` has one for each.
    pub(crate) fn with_cells(&self, cells: Vec<u64>) -> Self {
        debug_assert_eq!(cells.len(), self.cells.len());
        Self { edges: self.edges.clone(), cells: cells.into(), not_numbers: 0, below: 0, above: 0 }
    }

    /// Where the cells end.
    #[must_use]
    pub const fn edges(&self) -> &Edges {
        &self.edges
    }

    /// Finite values by cell.
    #[must_use]
    pub fn cells(&self) -> &[u64] {
        &self.cells
    }

    /// Finite values.
    #[must_use]
    pub fn finite(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// Finite values and infinities: all that has an order.
    #[must_use]
    pub fn ordered(&self) -> u64 {
        self.finite() + self.below + self.above
    }

    /// All values, NaN too.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.ordered() + self.not_numbers
    }

    /// NaN, then infinities of either sign.
    #[must_use]
    pub const fn odd(&self) -> (u64, u64) {
        (self.not_numbers, self.below + self.above)
    }

    /// Each edge with the number of values at or below it, -∞ too.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.edges.list().iter().zip(&self.cells).scan(self.below, |under, (edge, cell)| {
            *under += cell;
            Some((*edge, *under))
        })
    }

    /// The share of finite values in each cell; none without values.
    #[must_use]
    pub fn shares(&self) -> Option<Vec<f64>> {
        let all = self.finite();
        (all > 0).then(|| self.cells.iter().map(|cell| count(*cell) / count(all)).collect())
    }
}

kept!(Histogram);

impl Kept for Histogram {
    const WHAT: &'static str = "a histogram";
    const KIND: [u8; 3] = *b"TSh";

    fn put(&self, into: &mut Writer) {
        into.length(self.edges.list().len());
        into.f64s(self.edges.list());
        for cell in self.cells.iter().chain([&self.not_numbers, &self.below, &self.above]) {
            into.u64(*cell);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let edges = (0..from.length(16)?).map(|_| from.f64()).collect::<Result<Vec<_>, _>>()?;
        let edges = Edges::new(edges)?;
        let cells = (0..edges.cells()).map(|_| from.u64()).collect::<Result<Box<[_]>, _>>()?;
        let read = Self { edges, cells, not_numbers: from.u64()?, below: from.u64()?, above: from.u64()? };
        let all = read.cells.iter().chain([&read.not_numbers, &read.below, &read.above]);
        let sum = all.copied().try_fold(0_u64, u64::checked_add);
        from.check(sum.is_some_and(|sum| sum <= 1 << 53), "more than there can be")?;
        Ok(read)
    }
}

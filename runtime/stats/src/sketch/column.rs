//! One feature or column in one window: all that its tests need.

use crate::StatsError;

use super::{Categories, CategoryList, Edges, Frequent, Histogram, Moments, Quantiles, RunLength};

/// What a row has in a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
}

/// A column of numbers. Memory: about 7 KiB with 10 cells.
#[derive(Debug, Clone, PartialEq)]
pub struct NumericColumn {
    rows: u64,
    nulls: u64,
    strange: u64,
    histogram: Histogram,
    quantiles: Quantiles,
    moments: Moments,
    runs: RunLength,
}

impl NumericColumn {
    /// An empty window, its cells those of the reference.
    ///
    /// # Errors
    /// As [`Quantiles::new`].
    pub fn new(edges: Edges) -> Result<Self, StatsError> {
        Ok(Self {
            rows: 0,
            nulls: 0,
            strange: 0,
            histogram: Histogram::new(edges),
            quantiles: Quantiles::new()?,
            moments: Moments::default(),
            runs: RunLength::default(),
        })
    }

    /// One more row.
    pub fn observe(&mut self, cell: Cell<'_>) {
        self.rows += 1;
        match cell {
            Cell::Null => self.nulls += 1,
            Cell::Text(_) => self.strange += 1,
            Cell::Number(value) => {
                self.histogram.observe(value);
                self.runs.observe(value);
                // The histogram has counted what these two refuse.
                if value.is_finite() {
                    let _ = self.quantiles.observe(value);
                    let _ = self.moments.observe(value);
                }
            }
        }
    }

    /// Another window of the same column; runs across the seam are not joined.
    ///
    /// # Errors
    /// Other edges, or counts beyond what is kept.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        self.histogram.merge(&other.histogram)?;
        self.quantiles.merge(&other.quantiles)?;
        self.moments.merge(&other.moments);
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.strange += other.strange;
        if other.runs.longest() > self.runs.longest() {
            self.runs = other.runs;
        }
        Ok(())
    }

    /// Rows, those with nothing, and those with no number.
    #[must_use]
    pub const fn rows(&self) -> (u64, u64, u64) {
        (self.rows, self.nulls, self.strange)
    }

    /// Counts between the reference's edges.
    #[must_use]
    pub const fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// Any quantile.
    #[must_use]
    pub const fn quantiles(&self) -> &Quantiles {
        &self.quantiles
    }

    /// Mean and variance.
    #[must_use]
    pub const fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Runs of one value.
    #[must_use]
    pub const fn runs(&self) -> &RunLength {
        &self.runs
    }
}

/// A column of categories. Memory: 20 KiB for new categories, and 90 bytes for each known one.
#[derive(Debug, Clone)]
pub struct CategoryColumn {
    rows: u64,
    nulls: u64,
    strange: u64,
    known: Categories,
    new: Frequent,
}

impl CategoryColumn {
    /// An empty window, its categories those of the reference.
    ///
    /// # Errors
    /// As [`Frequent::new`].
    pub fn new(list: CategoryList) -> Result<Self, StatsError> {
        Ok(Self { rows: 0, nulls: 0, strange: 0, known: Categories::new(list), new: Frequent::new()? })
    }

    /// One more row.
    pub fn observe(&mut self, cell: Cell<'_>) {
        self.rows += 1;
        match cell {
            Cell::Null => self.nulls += 1,
            Cell::Number(_) => self.strange += 1,
            Cell::Text(name) => {
                if !self.known.observe(name) {
                    self.new.observe(name);
                }
            }
        }
    }

    /// Another window of the same column.
    ///
    /// # Errors
    /// Other categories, or counts beyond what is kept.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        self.known.merge(&other.known)?;
        self.new.merge(&other.new)?;
        self.rows += other.rows;
        self.nulls += other.nulls;
        self.strange += other.strange;
        Ok(())
    }

    /// Rows, those with nothing, and those with a number where a text is expected.
    #[must_use]
    pub const fn rows(&self) -> (u64, u64, u64) {
        (self.rows, self.nulls, self.strange)
    }

    /// Known categories, and how many others.
    #[must_use]
    pub const fn known(&self) -> &Categories {
        &self.known
    }

    /// Which others.
    #[must_use]
    pub const fn new_ones(&self) -> &Frequent {
        &self.new
    }
}

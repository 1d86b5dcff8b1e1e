//! One feature or column in one window: all that its tests need.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};

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

/// A column of numbers. Memory: half a KiB with 10 cells, 5 KiB more with quantiles.
///
/// A reference needs quantiles to find its edges, and a report may want them; a window's tests do not. Without them nothing here is left to
/// chance, and a value takes a fifth of the time.
#[derive(Debug, Clone, PartialEq)]
pub struct NumericColumn {
    rows: u64,
    nulls: u64,
    strange: u64,
    /// What the reference had, and how many numbers lay outside of that.
    range: Option<(f64, f64)>,
    outside: u64,
    histogram: Histogram,
    quantiles: Option<Quantiles>,
    moments: Moments,
    runs: RunLength,
}

impl NumericColumn {
    /// Empty: a reference, or a window of one whose range is not known.
    #[must_use]
    pub fn new(edges: Edges) -> Self {
        Self {
            rows: 0,
            nulls: 0,
            strange: 0,
            range: None,
            outside: 0,
            histogram: Histogram::new(edges),
            quantiles: None,
            moments: Moments::default(),
            runs: RunLength::default(),
        }
    }

    /// The same, with any quantile of what comes from now on.
    ///
    /// # Errors
    /// As [`Quantiles::new`].
    pub fn with_quantiles(self) -> Result<Self, StatsError> {
        Ok(Self { quantiles: Some(Quantiles::new()?), ..self })
    }

    /// An empty window to be compared with this reference: the same cells, the range of its numbers, no quantiles.
    #[must_use]
    pub fn window(&self) -> Self {
        Self { range: self.moments.range(), ..Self::new(self.histogram.edges().clone()) }
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
                    self.outside += u64::from(self.range.is_some_and(|(low, high)| value < low || value > high));
                    let _ = self.moments.observe(value);
                    if let Some(quantiles) = &mut self.quantiles {
                        let _ = quantiles.observe(value);
                    }
                }
            }
        }
    }

    /// Another window of the same column; runs across the seam are not joined.
    ///
    /// # Errors
    /// Other edges or another range, or counts beyond what is kept; then nothing is changed but what counts quantiles.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        if self.range != other.range {
            return Err(StatsError::Mismatch { what: "windows of other references" });
        }
        self.histogram.merge(&other.histogram)?;
        self.quantiles = match (self.quantiles.take(), &other.quantiles) {
            (Some(mut mine), Some(theirs)) => {
                mine.merge(theirs)?;
                Some(mine)
            }
            // Quantiles of one part would not be those of the whole.
            _ => None,
        };
        self.moments.merge(&other.moments);
        self.outside += other.outside;
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

    /// Finite numbers outside of the reference's range; none where that is not known.
    #[must_use]
    pub fn outside(&self) -> Option<u64> {
        self.range.map(|_| self.outside)
    }

    /// Counts between the reference's edges.
    #[must_use]
    pub const fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// Any quantile, where the column was made with them and so was all that it was merged with.
    #[must_use]
    pub const fn quantiles(&self) -> Option<&Quantiles> {
        self.quantiles.as_ref()
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

kept!(NumericColumn, CategoryColumn);

impl Kept for NumericColumn {
    const WHAT: &'static str = "a column of numbers";
    const KIND: [u8; 3] = *b"TNc";

    fn put(&self, into: &mut Writer) {
        for number in [self.rows, self.nulls, self.strange, self.outside] {
            into.u64(number);
        }
        into.u8(u8::from(self.range.is_some()));
        let (low, high) = self.range.unwrap_or_default();
        into.f64s(&[low, high]);
        into.state(&self.histogram);
        into.state(&self.moments);
        into.state(&self.runs);
        into.u8(u8::from(self.quantiles.is_some()));
        if let Some(quantiles) = &self.quantiles {
            into.state(quantiles);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (rows, nulls, strange, outside) = (from.count()?, from.count()?, from.count()?, from.count()?);
        let known = from.flag()?;
        let (low, high) = (from.finite()?, from.finite()?);
        let (histogram, moments, runs): (Histogram, Moments, RunLength) = (from.state()?, from.state()?, from.state()?);
        let quantiles = if from.flag()? { Some(from.state()?) } else { None };
        let whole = outside <= histogram.finite() && rows == nulls + strange + histogram.values() && low <= high;
        from.check(whole, "counts that do not fit together")?;
        let range = known.then_some((low, high));
        Ok(Self { rows, nulls, strange, range, outside, histogram, quantiles, moments, runs })
    }
}

impl Kept for CategoryColumn {
    const WHAT: &'static str = "a column of categories";
    const KIND: [u8; 3] = *b"TCc";

    fn put(&self, into: &mut Writer) {
        for number in [self.rows, self.nulls, self.strange] {
            into.u64(number);
        }
        into.state(&self.known);
        into.state(&self.new);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (rows, nulls, strange) = (from.count()?, from.count()?, from.count()?);
        let (known, new): (Categories, Frequent) = (from.state()?, from.state()?);
        let whole = new.values() == known.others() && rows == nulls + strange + known.values();
        from.check(whole, "counts that do not fit together")?;
        Ok(Self { rows, nulls, strange, known, new })
    }
}

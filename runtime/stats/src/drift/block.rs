//! How much more a distribution moves from window to window than independent rows would make it.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::special::{chi_squared_critical, chi_squared_tail, count, f_tail};

/// The most cells of which covariances are kept: 8 KiB.
const MOST_CELLS: usize = 33;
/// The fewest windows that give a design.
const FEWEST: u64 = 20;

/// Covariances of the cells of a reference's windows.
///
/// Sensors remember: a thousand rows of a slow one are worth fifty. What follows from that is measured, not assumed: the reference is
/// cut into windows of the length that will be watched, and the cells' counts are compared between them. PSI is then scaled by Rao &
/// Scott's second-order correction (Ann. Stat. 1984; Satterthwaite's approximation of a weighted sum of chi-squared variables, with F
/// in place of chi-squared since the scale is measured), KS by the greatest inflation at an edge. Assumes: the windows of the reference
/// vary as later ones do; windows are long against the memory of the sensor. What varies within a day also counts as variation between
/// shorter windows: then the test is right and sees less; a [`SeasonalReference`](super::SeasonalReference) sees more.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockDesign {
    cells: usize,
    blocks: u64,
    rows: f64,
    rows_squared: f64,
    counts: Vec<f64>,
    weighted: Vec<f64>,
    products: Vec<f64>,
}

/// How far a statistic of squares is from a chi-squared one: it is `scale` times one with `freedom` degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaled {
    pub(super) scale: f64,
    pub(super) freedom: f64,
    /// The windows that the scale was measured from; infinite where it is known.
    pub(super) windows: f64,
}

impl Scaled {
    /// P(a statistic in units of `scale` is above `x`): chi-squared, or, where the scale was measured, the F law of a ratio of two
    /// measured variances.
    pub(super) fn tail(self, x: f64) -> f64 {
        if self.windows.is_infinite() {
            chi_squared_tail(x, self.freedom)
        } else {
            f_tail(x / self.freedom, self.freedom, self.windows - 1.0)
        }
    }

    /// The value that is exceeded with probability `level`.
    pub(super) fn critical(self, level: f64) -> f64 {
        if self.windows.is_infinite() {
            return chi_squared_critical(level, self.freedom);
        }
        let (mut low, mut high) = (0.0, 1e4);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.tail(middle) > level { low = middle } else { high = middle }
        }
        high
    }
}

impl BlockDesign {
    /// Nothing measured yet.
    ///
    /// # Errors
    /// Fewer than 2 or more than 33 cells.
    pub fn new(cells: usize) -> Result<Self, StatsError> {
        if !(2..=MOST_CELLS).contains(&cells) {
            let (value, high) = (count(cells as u64), count(MOST_CELLS as u64));
            return Err(StatsError::OutOfRange { what: "the cells of a design", value, low: 2.0, high });
        }
        Ok(Self {
            cells,
            blocks: 0,
            rows: 0.0,
            rows_squared: 0.0,
            counts: vec![0.0; cells],
            weighted: vec![0.0; cells],
            products: vec![0.0; cells * cells],
        })
    }

    /// One more window of the reference, by cell. A window without a value is none.
    ///
    /// # Errors
    /// Another number of cells.
    pub fn add(&mut self, window: &[u64]) -> Result<(), StatsError> {
        if window.len() != self.cells {
            return Err(StatsError::Mismatch { what: "a window with another number of cells" });
        }
        let rows: f64 = window.iter().map(|cell| count(*cell)).sum();
        if rows == 0.0 {
            return Ok(());
        }
        self.blocks += 1;
        self.rows += rows;
        self.rows_squared += rows * rows;
        for (row, each) in window.iter().enumerate() {
            self.counts[row] += count(*each);
            self.weighted[row] += rows * count(*each);
            for (column, other) in window.iter().enumerate() {
                self.products[row * self.cells + column] += count(*each) * count(*other);
            }
        }
        Ok(())
    }

    /// Windows so far.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The covariance of one row's cells, as far as windows show it, with cells put into groups; and the groups' shares.
    fn covariance(&self, groups: &[usize]) -> Option<(Vec<f64>, Vec<f64>)> {
        if self.blocks < FEWEST || groups.len() != self.cells {
            return None;
        }
        let size = groups.iter().max()? + 1;
        let (mut shares, mut matrix) = (vec![0.0; size], vec![0.0; size * size]);
        for (cell, group) in groups.iter().enumerate() {
            shares[*group] += self.counts[cell] / self.rows;
        }
        let few = count(self.blocks) / (count(self.blocks) - 1.0) / self.rows;
        for row in 0..self.cells {
            for column in 0..self.cells {
                let (p, q) = (self.counts[row] / self.rows, self.counts[column] / self.rows);
                let residual =
                    self.products[row * self.cells + column] - p * self.weighted[column] - q * self.weighted[row]
                        + p * q * self.rows_squared;
                matrix[groups[row] * size + groups[column]] += residual * few;
            }
        }
        Some((matrix, shares))
    }

    /// The law of a chi-squared statistic of the groups.
    pub(super) fn scaled(&self, groups: &[usize]) -> Option<Scaled> {
        let (matrix, shares) = self.covariance(groups)?;
        let size = shares.len();
        if size < 2 || shares.iter().any(|share| *share <= 0.0) {
            return None;
        }
        let trace: f64 = (0..size).map(|at| matrix[at * size + at] / shares[at]).sum();
        let squares: f64 =
            (0..size * size).map(|at| matrix[at].powi(2) / (shares[at / size] * shares[at % size])).sum();
        if !(trace > 0.0 && squares > 0.0) {
            return None;
        }
        // Never below what independent rows would give: where windows vary less than that, they are few, or regular by accident.
        let freedom = (trace * trace / squares).clamp(1.0, count(size as u64 - 1));
        Some(Scaled { scale: (trace / freedom).max(1.0), freedom, windows: count(self.blocks) })
    }

    /// The greatest inflation of the variance of "at or below an edge", 1 or more: rows of a window are worth as many times fewer. None
    /// where too few windows were measured.
    #[must_use]
    pub fn inflation(&self) -> Option<f64> {
        let alone: Vec<usize> = (0..self.cells).collect();
        let (matrix, shares) = self.covariance(&alone)?;
        let mut most = 1.0_f64;
        let mut under = 0.0;
        for edge in 1..self.cells {
            under += shares[edge - 1];
            let variance: f64 = (0..edge)
                .flat_map(|row| (0..edge).map(move |column| (row, column)))
                .map(|(row, column)| matrix[row * self.cells + column])
                .sum();
            if under > 0.01 && under < 0.99 {
                most = most.max(variance / (under * (1.0 - under)));
            }
        }
        Some(most)
    }
}

kept!(BlockDesign);

impl Kept for BlockDesign {
    const WHAT: &'static str = "a design of windows";
    const KIND: [u8; 3] = *b"TDb";

    fn put(&self, into: &mut Writer) {
        into.length(self.cells);
        into.u64(self.blocks);
        into.f64s(&[self.rows, self.rows_squared]);
        into.f64s(&self.counts);
        into.f64s(&self.weighted);
        into.f64s(&self.products);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let mut read = Self::new(from.length(8)?)?;
        read.blocks = from.count()?;
        [read.rows, read.rows_squared] = from.finites()?;
        for value in read.counts.iter_mut().chain(&mut read.weighted).chain(&mut read.products) {
            *value = from.finite()?;
            from.check(*value >= 0.0, "a count below zero")?;
        }
        Ok(read)
    }
}

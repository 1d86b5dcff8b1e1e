//! A window that is as long as its mean stays the same.

use crate::Level;
use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::special::count;

/// Buckets of one size before two of them become one of the next.
const SAME_SIZE: usize = 5;
/// Every so many values it looks for a cut.
const CLOCK: u64 = 32;
/// The least values on each side of a cut, and in all before the first look.
const SIDE: u64 = 5;
const GRACE: u64 = 10;
/// Rows of buckets: windows of up to 2^48 values.
const ROWS: usize = 46;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    sum: f64,
    squares: f64,
}

/// ADWIN (Bifet & Gavaldà, SDM 2007) for values in [0, 1]: errors as they become known.
///
/// Every 32 values, each place between buckets is tried as a cut; where the means on both sides differ by more than the Bernstein bound
/// with delta/ln(n), the older side is let go. At each look it is false with at most about `level`; that is not a bound for all looks
/// together, so at 0.002 a false alarm is expected no oftener than every 16,000 values, and it is far rarer in practice. Assumes:
/// independent values. Unlike `river`, which forgets everything after an alarm, the newer side of the cut is kept, as in the paper.
/// Memory: 276 buckets at most, 4.4 KiB.
#[derive(Debug, Clone, PartialEq)]
pub struct Adwin {
    level: f64,
    /// Row i has buckets of 2^i values, oldest first.
    rows: Vec<Vec<Bucket>>,
    width: u64,
    sum: f64,
    squares: f64,
    values: u64,
}

impl Adwin {
    /// Empty. 0.002 is the usual level.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self { level: level.get(), rows: vec![Vec::new()], width: 0, sum: 0.0, squares: 0.0, values: 0 }
    }

    /// One more value: whether the window was cut.
    ///
    /// # Errors
    /// NaN or outside of [0, 1]; nothing is counted.
    pub fn observe(&mut self, value: f64) -> Result<bool, StatsError> {
        within("a value", value, 0.0, 1.0)?;
        self.insert(value);
        self.values += 1;
        if !self.values.is_multiple_of(CLOCK) || self.width <= GRACE {
            return Ok(false);
        }
        let mut cut = false;
        while self.differs() {
            self.drop_oldest();
            cut = true;
        }
        Ok(cut)
    }

    /// The mean of the window; none if empty.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.width > 0).then(|| self.sum / count(self.width))
    }

    /// Values in the window.
    #[must_use]
    pub const fn width(&self) -> u64 {
        self.width
    }

    fn insert(&mut self, value: f64) {
        if self.width > 0 {
            let n = count(self.width);
            self.squares += n * (value - self.sum / n).powi(2) / (n + 1.0);
        }
        self.width += 1;
        self.sum += value;
        self.rows[0].push(Bucket { sum: value, squares: 0.0 });
        let mut row = 0;
        while self.rows[row].len() > SAME_SIZE {
            if row + 1 == self.rows.len() {
                if self.rows.len() == ROWS {
                    // Older than 2^48 values: let go.
                    self.drop_oldest();
                    return;
                }
                self.rows.push(Vec::new());
            }
            let (first, second) = (self.rows[row].remove(0), self.rows[row].remove(0));
            let size = count(1 << row);
            let between = (first.sum - second.sum).powi(2) / size / 2.0;
            self.rows[row + 1]
                .push(Bucket { sum: first.sum + second.sum, squares: first.squares + second.squares + between });
            row += 1;
        }
    }

    fn drop_oldest(&mut self) {
        let last = self.rows.len() - 1;
        if self.rows[last].is_empty() {
            return;
        }
        let bucket = self.rows[last].remove(0);
        let size = 1_u64 << last;
        self.width = self.width.saturating_sub(size);
        self.sum -= bucket.sum;
        let (n, rest) = (count(size), count(self.width));
        if rest > 0.0 {
            let away = bucket.sum / n - self.sum / rest;
            self.squares -= bucket.squares + n * rest * away * away / (n + rest);
        }
        while self.rows.len() > 1 && self.rows.last().is_some_and(Vec::is_empty) {
            self.rows.pop();
        }
    }

    /// Whether some cut parts two means.
    fn differs(&self) -> bool {
        let all = count(self.width);
        let log = (2.0 * all.ln() / self.level).ln();
        let variance = self.squares.max(0.0) / all;
        let (mut old, mut old_sum) = (0_u64, 0.0);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for bucket in buckets {
                old += 1 << row;
                old_sum += bucket.sum;
                let new = self.width - old;
                if old < SIDE || new < SIDE {
                    continue;
                }
                let away = (old_sum / count(old) - (self.sum - old_sum) / count(new)).abs();
                let sides = 1.0 / count(old - SIDE + 1) + 1.0 / count(new - SIDE + 1);
                if away > (2.0 * sides * variance * log).sqrt() + 2.0 / 3.0 * log * sides {
                    return true;
                }
            }
        }
        false
    }
}

kept!(Adwin);

impl Kept for Adwin {
    const WHAT: &'static str = "an adaptive window";
    const KIND: [u8; 3] = *b"TDa";

    fn put(&self, into: &mut Writer) {
        into.f64(self.level);
        into.f64s(&[self.sum, self.squares]);
        into.u64(self.values);
        into.length(self.rows.len());
        for row in &self.rows {
            into.length(row.len());
            row.iter().for_each(|bucket| into.f64s(&[bucket.sum, bucket.squares]));
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let mut read = Self::new(from.level()?);
        [read.sum, read.squares] = from.finites()?;
        read.values = from.count()?;
        let rows = from.length(4)?;
        from.check((1..=ROWS).contains(&rows), "more rows than there can be")?;
        read.rows.clear();
        for row in 0..rows {
            let buckets = from.length(16)?;
            let last = row + 1 == rows;
            from.check(buckets <= SAME_SIZE && (buckets > 0 || !last || row == 0), "rows that can not be")?;
            let mut kept = Vec::with_capacity(buckets);
            for _ in 0..buckets {
                let [sum, squares] = from.finites()?;
                kept.push(Bucket { sum, squares });
            }
            read.width += (buckets as u64) << row;
            read.rows.push(kept);
        }
        from.check(read.sum.abs() <= count(read.width) + 1.0, "a sum that can not be")?;
        Ok(read)
    }
}

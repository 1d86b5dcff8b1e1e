//! How long a value stays the same.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::special::count;

/// The longest run of one and the same value, and how often a value is the one before: what a stuck sensor shows.
///
/// Bits are compared, so that NaN after NaN is a run too, and 0 after -0 is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunLength {
    last: Option<u64>,
    run: u64,
    longest: u64,
    values: u64,
    repeats: u64,
}

impl RunLength {
    /// One more value.
    pub fn observe(&mut self, value: f64) {
        let bits = value.to_bits();
        if self.last == Some(bits) {
            self.run += 1;
            self.repeats += 1;
        } else {
            self.run = 1;
            self.last = Some(bits);
        }
        self.values += 1;
        self.longest = self.longest.max(self.run);
    }

    /// The same value, and the run it is in; the window's counts begin anew. A run goes on across windows.
    #[must_use]
    pub const fn next_window(&self) -> Self {
        Self { last: self.last, run: self.run, longest: self.run, values: 0, repeats: 0 }
    }

    /// The run that is going on.
    #[must_use]
    pub const fn run(&self) -> u64 {
        self.run
    }

    /// The longest run.
    #[must_use]
    pub const fn longest(&self) -> u64 {
        self.longest
    }

    /// Values so far.
    #[must_use]
    pub const fn values(&self) -> u64 {
        self.values
    }

    /// The share of values that were the one before, drawn upwards as by one more (Laplace): a reference without a repeat does not make
    /// the first one impossible.
    #[must_use]
    pub fn repeat_rate(&self) -> f64 {
        (count(self.repeats) + 1.0) / (count(self.values) + 2.0)
    }
}

kept!(RunLength);

impl Kept for RunLength {
    const WHAT: &'static str = "runs of values";
    const KIND: [u8; 3] = *b"TSr";

    fn put(&self, into: &mut Writer) {
        into.u8(u8::from(self.last.is_some()));
        for number in [self.last.unwrap_or(0), self.run, self.longest, self.values, self.repeats] {
            into.u64(number);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let last = from.flag()?;
        let bits = from.u64()?;
        let read = Self {
            last: last.then_some(bits),
            run: from.count()?,
            longest: from.count()?,
            values: from.count()?,
            repeats: from.count()?,
        };
        let whole = read.run <= read.longest && read.repeats <= read.values && last == (read.run > 0);
        from.check(whole, "runs that can not be")?;
        Ok(read)
    }
}

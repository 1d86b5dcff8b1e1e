//! Which categories are frequent, in bounded memory.

use datasketches::frequencies::{ErrorType, FrequentItemsSketch};

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};

/// Slots of the library's map; three quarters of them hold a category.
const SLOTS: usize = 256;
const LOG_SLOTS: u8 = 8;
/// The longest name that is kept as it is, in bytes.
const NAME: usize = 64;
const MOST_VALUES: u64 = 1 << 53;

/// A category with how often it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrequentItem {
    /// Its name, or the beginning of it with a digest.
    pub name: String,
    /// It came at least this often.
    pub least: u64,
    /// And at most this often.
    pub most: u64,
}

/// Misra & Gries' frequent items in the form of Anderson et al. (IMC 2017): exact up to 192 categories, beyond that each count is off
/// by at most [`error`](Self::error), which is 1.4 % of all values at worst.
///
/// Names longer than 64 bytes are kept as their first 40 or so with a digest of the whole, so that memory is bounded by 192 of them.
#[derive(Debug, Clone)]
pub struct Frequent(FrequentItemsSketch<String>);

impl Frequent {
    /// Empty.
    ///
    /// # Errors
    /// Never with the size that is built in; the library's refusal is handed on all the same.
    pub fn new() -> Result<Self, StatsError> {
        FrequentItemsSketch::new(SLOTS).map(Self).map_err(|_| StatsError::Mismatch { what: "the sketch's size" })
    }

    /// One more value.
    pub fn observe(&mut self, name: &str) {
        if name.len() <= NAME {
            self.0.update_ref(name);
        } else {
            self.0.update(short(name));
        }
    }

    /// The values of another window.
    ///
    /// # Errors
    /// More than 2^53 values together.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        let have = self.values().saturating_add(other.values());
        if have > MOST_VALUES {
            return Err(StatsError::TooMany { what: "values", have, limit: MOST_VALUES });
        }
        self.0.merge(&other.0);
        Ok(())
    }

    /// Values so far.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.0.total_weight()
    }

    /// By how much a count is off at most; 0 while every category is kept.
    #[must_use]
    pub fn error(&self) -> u64 {
        self.0.maximum_error()
    }

    /// The categories that may be among the most frequent, most frequent first, ties by name.
    #[must_use]
    pub fn items(&self) -> Vec<FrequentItem> {
        let mut items: Vec<FrequentItem> = self
            .0
            .frequent_items(ErrorType::NoFalseNegatives)
            .into_iter()
            .map(|row| FrequentItem { name: row.item().clone(), least: row.lower_bound(), most: row.upper_bound() })
            .collect();
        items.sort_by(|a, b| b.least.cmp(&a.least).then_with(|| a.name.cmp(&b.name)));
        items
    }
}

/// FNV-1a, 64 bits: it tells names apart, it keeps no secret.
pub(super) fn digest(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The beginning of a long name, and a digest of all of it.
pub(super) fn short(name: &str) -> String {
    let end = (0..=40).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…{:016x}", &name[..end], digest(name))
}

kept!(Frequent);

impl Kept for Frequent {
    const WHAT: &'static str = "a sketch of frequent categories";
    const KIND: [u8; 3] = *b"TSf";

    fn put(&self, into: &mut Writer) {
        into.block(&self.0.serialize());
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let inner = from.block()?;
        // The library makes a map of 2^(fourth or fifth byte) slots before it has read what is in it: 34 GiB for 32 bytes at worst.
        let fits = inner.get(3) == Some(&LOG_SLOTS) && inner.get(4).is_some_and(|size| *size <= LOG_SLOTS);
        from.check(fits, "a sketch of another size")?;
        let sketch = FrequentItemsSketch::<String>::deserialize(inner)
            .map_err(|_| from.corrupt("not what the library wrote"))?;
        let rows = sketch.frequent_items_with_threshold(ErrorType::NoFalseNegatives, 0);
        let known = rows.iter().map(|row| row.lower_bound()).fold(0_u64, u64::saturating_add);
        let whole = sketch.total_weight() <= MOST_VALUES
            && sketch.total_weight().checked_sub(known).is_some_and(|rest| sketch.maximum_error() <= rest);
        from.check(whole, "counts that can not be")?;
        Ok(Self(sketch))
    }
}

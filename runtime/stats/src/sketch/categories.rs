//! Counts of known categories, and of the rest.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};

use super::frequent::{Frequent, digest, short};

const MOST: usize = 255;
const NAME: usize = 64;

/// The categories of a reference, frozen: 255 at most, in order of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryList {
    names: Box<[Box<str>]>,
    /// Digests of the names with their places, in order: comparing numbers is quicker than comparing texts.
    places: Box<[(u64, u8)]>,
}

impl CategoryList {
    /// From names, each once.
    ///
    /// # Errors
    /// More than 255.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, StatsError> {
        let mut list: Vec<Box<str>> = Vec::new();
        for name in names {
            list.push(if name.len() <= NAME { name.into() } else { short(name).into() });
            if list.len() > 16 * MOST {
                break;
            }
        }
        list.sort_unstable();
        list.dedup();
        if list.len() > MOST {
            return Err(StatsError::TooMany { what: "categories", have: list.len() as u64, limit: MOST as u64 });
        }
        Ok(Self::of(list))
    }

    /// Of names that are in order, each once, 255 at most.
    fn of(names: Vec<Box<str>>) -> Self {
        let mut places: Vec<(u64, u8)> = names.iter().zip(0..=u8::MAX).map(|(name, at)| (digest(name), at)).collect();
        places.sort_unstable();
        Self { names: names.into(), places: places.into() }
    }

    /// From what was frequent in a reference. Where the reference had more categories than the sketch holds, those left out are
    /// among "others", there as in every window.
    ///
    /// # Errors
    /// Never: a sketch holds fewer than 255.
    pub fn of_sketch(seen: &Frequent) -> Result<Self, StatsError> {
        let items = seen.items();
        Self::new(items.iter().map(|item| item.name.as_str()))
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    fn find(&self, name: &str) -> Option<usize> {
        let by = |wanted: &str| {
            let wanted_digest = digest(wanted);
            let first = self.places.partition_point(|(digest, _)| *digest < wanted_digest);
            let alike = self.places[first..].iter().take_while(|(digest, _)| *digest == wanted_digest);
            alike.map(|(_, at)| usize::from(*at)).find(|at| *self.names[*at] == *wanted)
        };
        if name.len() <= NAME { by(name) } else { by(&short(name)) }
    }
}

/// How often each known category came, and how often another. Exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categories {
    list: CategoryList,
    counts: Box<[u64]>,
    others: u64,
}

impl Categories {
    /// Empty.
    #[must_use]
    pub fn new(list: CategoryList) -> Self {
        let counts = vec![0; list.names.len()].into();
        Self { list, counts, others: 0 }
    }

    /// One more value; whether its category is known.
    pub fn observe(&mut self, name: &str) -> bool {
        if let Some(at) = self.list.find(name) {
            self.counts[at] += 1;
            true
        } else {
            self.others += 1;
            false
        }
    }

    /// The counts of another window.
    ///
    /// # Errors
    /// Another list, or counts beyond 2^64; nothing is changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatsError> {
        if self.list != other.list {
            return Err(StatsError::Mismatch { what: "counts of other categories" });
        }
        if self.values().checked_add(other.values()).is_none() {
            return Err(StatsError::Mismatch { what: "counts beyond 2^64" });
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.others += other.others;
        Ok(())
    }

    /// The same list, nothing counted.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self::new(self.list.clone())
    }

    /// The list.
    #[must_use]
    pub const fn list(&self) -> &CategoryList {
        &self.list
    }

    /// By category, in the list's order.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Values of no known category.
    #[must_use]
    pub const fn others(&self) -> u64 {
        self.others
    }

    /// All values.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.others
    }

    /// By category, with all others last: what distributions are compared by.
    #[must_use]
    pub fn cells(&self) -> Vec<u64> {
        self.counts.iter().copied().chain([self.others]).collect()
    }
}

kept!(Categories);

impl Kept for Categories {
    const WHAT: &'static str = "counts of categories";
    const KIND: [u8; 3] = *b"TSc";

    fn put(&self, into: &mut Writer) {
        into.length(self.list.names.len());
        for (name, count) in self.list.names.iter().zip(&self.counts) {
            into.block(name.as_bytes());
            into.u64(*count);
        }
        into.u64(self.others);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let length = from.length(12)?;
        from.check(length <= MOST, "more categories than there can be")?;
        let (mut names, mut counts) = (Vec::<Box<str>>::with_capacity(length), Vec::with_capacity(length));
        for _ in 0..length {
            let name = std::str::from_utf8(from.block()?).map_err(|_| from.corrupt("a name that is no text"))?;
            let next = names.last().is_none_or(|last| **last < *name);
            from.check(name.len() <= NAME && next, "names that are too long, or not in order")?;
            names.push(name.into());
            counts.push(from.count()?);
        }
        Ok(Self { list: CategoryList::of(names), counts: counts.into(), others: from.count()? })
    }
}

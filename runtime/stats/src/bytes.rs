//! The form of kept state: four bytes that name the kind and its version, then little-endian fields. Reading is bounded by what is there,
//! and gives a state that can be, or an error.

use crate::{Level, StatsError};

/// The most bytes that any state of this room takes; longer input is refused unread.
pub const MOST_BYTES: usize = 64 * 1024;

/// The version of all kinds so far.
const VERSION: u8 = 1;

/// A state that is kept as bytes.
pub(crate) trait Kept: Sized {
    const WHAT: &'static str;
    const KIND: [u8; 3];

    fn put(&self, into: &mut Writer);

    /// # Errors
    /// What can not be. Errors of constructors are told as [`StatsError::Corrupt`].
    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError>;
}

/// `to_bytes` and `from_bytes` of a state.
macro_rules! kept {
    ($($state:ty),+) => {
        $(impl $state {
            /// For keeping. A kept state goes on where it was.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                $crate::bytes::keep(self)
            }

            /// What [`to_bytes`](Self::to_bytes) wrote.
            ///
            /// # Errors
            /// Anything else; no more is allocated than the input is long, several times over.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, $crate::StatsError> {
                $crate::bytes::read(bytes)
            }
        })+
    };
}
pub(crate) use kept;

pub(crate) fn keep<T: Kept>(state: &T) -> Vec<u8> {
    let [a, b, c] = T::KIND;
    let mut into = Writer(vec![a, b, c, VERSION]);
    state.put(&mut into);
    into.0
}

pub(crate) fn read<T: Kept>(bytes: &[u8]) -> Result<T, StatsError> {
    let what = T::WHAT;
    if bytes.len() > MOST_BYTES {
        return Err(StatsError::TooMany { what: "bytes", have: bytes.len() as u64, limit: MOST_BYTES as u64 });
    }
    let Some(([a, b, c, version], rest)) = bytes.split_first_chunk::<4>() else {
        return Err(StatsError::Corrupt { what, why: "too short" });
    };
    if [*a, *b, *c] != T::KIND {
        return Err(StatsError::Corrupt { what, why: "another kind of state, or none" });
    }
    if *version == 0 || *version > VERSION {
        return Err(StatsError::Version { what, found: *version, known: VERSION });
    }
    let mut from = Reader { what, rest };
    let state = T::take(&mut from).map_err(|error| match error {
        known @ (StatsError::Corrupt { .. } | StatsError::Version { .. }) => known,
        _ => StatsError::Corrupt { what, why: "settings or values that can not be" },
    })?;
    if from.rest.is_empty() { Ok(state) } else { Err(from.corrupt("bytes after its end")) }
}

pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    pub(crate) fn f64s(&mut self, values: &[f64]) {
        values.iter().for_each(|value| self.f64(*value));
    }

    pub(crate) fn level(&mut self, level: Level) {
        self.f64(level.get());
    }

    /// A count of things that follow; never near 2^32 here.
    pub(crate) fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(crate) fn block(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn state<T: Kept>(&mut self, state: &T) {
        self.block(&keep(state));
    }
}

pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn corrupt(&self, why: &'static str) -> StatsError {
        StatsError::Corrupt { what: self.what, why }
    }

    /// An error with these words unless `holds`.
    pub(crate) const fn check(&self, holds: bool, why: &'static str) -> Result<(), StatsError> {
        if holds { Ok(()) } else { Err(self.corrupt(why)) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StatsError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.corrupt("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, StatsError> {
        Ok(self.take::<1>()?[0])
    }

    pub(crate) fn flag(&mut self) -> Result<bool, StatsError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.corrupt("a yes or no that is neither")),
        }
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StatsError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// A count that one can go on counting from.
    pub(crate) fn count(&mut self) -> Result<u64, StatsError> {
        let count = self.u64()?;
        self.check(count <= 1 << 53, "more than there can be")?;
        Ok(count)
    }

    /// Not NaN; infinities are numbers here.
    pub(crate) fn f64(&mut self) -> Result<f64, StatsError> {
        let value = f64::from_bits(self.u64()?);
        self.check(!value.is_nan(), "a number that is none")?;
        Ok(value)
    }

    pub(crate) fn finite(&mut self) -> Result<f64, StatsError> {
        let value = self.f64()?;
        self.check(value.is_finite(), "a number that is not finite")?;
        Ok(value)
    }

    pub(crate) fn finites<const N: usize>(&mut self) -> Result<[f64; N], StatsError> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.finite()?;
        }
        Ok(values)
    }

    pub(crate) fn level(&mut self) -> Result<Level, StatsError> {
        Level::new(self.f64()?)
    }

    /// A count of things of at least `each` bytes, so that what is allocated for them is no more than what came.
    pub(crate) fn length(&mut self, each: usize) -> Result<usize, StatsError> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        self.check(length.saturating_mul(each) <= self.rest.len(), "a length beyond its end")?;
        Ok(length)
    }

    pub(crate) fn block(&mut self) -> Result<&'a [u8], StatsError> {
        let length = self.length(1)?;
        let (head, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn state<T: Kept>(&mut self) -> Result<T, StatsError> {
        read(self.block()?)
    }
}

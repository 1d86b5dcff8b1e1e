//! The form of kept state: four bytes that name the kind and its version, then little-endian fields. Reading is bounded by what is there.

use crate::StatsError;

/// The most bytes that any state of this room takes; longer input is refused unread.
pub const MOST_BYTES: usize = 64 * 1024;

pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(kind: [u8; 3], version: u8) -> Self {
        Self(vec![kind[0], kind[1], kind[2], version])
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// A count of things that follow; never near 2^32 here.
    pub(super) fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }

    pub(super) fn block(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

pub(super) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(what: &'static str, kind: [u8; 3], known: u8, bytes: &'a [u8]) -> Result<Self, StatsError> {
        if bytes.len() > MOST_BYTES {
            return Err(StatsError::TooMany { what: "bytes", have: bytes.len() as u64, limit: MOST_BYTES as u64 });
        }
        let Some(([a, b, c, version], rest)) = bytes.split_first_chunk::<4>() else {
            return Err(StatsError::Corrupt { what, why: "too short" });
        };
        if [*a, *b, *c] != kind {
            return Err(StatsError::Corrupt { what, why: "another kind of state, or none" });
        }
        if *version == 0 || *version > known {
            return Err(StatsError::Version { what, found: *version, known });
        }
        Ok(Self { what, rest })
    }

    pub(super) const fn corrupt(&self, why: &'static str) -> StatsError {
        StatsError::Corrupt { what: self.what, why }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], StatsError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.corrupt("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u64(&mut self) -> Result<u64, StatsError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// Not NaN.
    pub(super) fn f64(&mut self) -> Result<f64, StatsError> {
        let value = f64::from_bits(self.u64()?);
        if value.is_nan() { Err(self.corrupt("a number that is none")) } else { Ok(value) }
    }

    /// A count of things of at least `each` bytes, so that what is allocated for them is no more than what came.
    pub(super) fn length(&mut self, each: usize) -> Result<usize, StatsError> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        if length.saturating_mul(each) > self.rest.len() {
            return Err(self.corrupt("a length beyond its end"));
        }
        Ok(length)
    }

    pub(super) fn block(&mut self) -> Result<&'a [u8], StatsError> {
        let length = self.length(1)?;
        let (head, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn end(self) -> Result<(), StatsError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.corrupt("bytes after its end")) }
    }
}

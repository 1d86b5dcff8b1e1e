//! Run ids: 64 bits that sort by time, written as 13 letters and digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Crockford's base 32: no I, L, O, U, so that an id survives a telephone.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 13;

/// The id of a run: milliseconds since 1970 in the upper 42 bits, chance in the lower 21. The store hands ids out in
/// strictly rising order, also when the clock goes back, so an id is at the same time the run's place in history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(i64);

/// Why a text is not a [`RunId`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a run id: expected 13 letters and digits as `trackside runs list` prints them")]
pub struct BadRunId(pub String);

impl RunId {
    /// The id for `now_ms`, larger than `previous`.
    #[must_use]
    pub fn next(previous: Option<Self>, now_ms: i64, chance: u32) -> Self {
        let fresh = (now_ms.clamp(0, (1 << 42) - 1) << 21) | i64::from(chance & 0x1f_ffff);
        match previous {
            Some(Self(last)) if fresh <= last => Self(last.saturating_add(1)),
            _ => Self(fresh),
        }
    }

    /// The number that the store keeps.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// From the store's number.
    #[must_use]
    pub const fn from_i64(id: i64) -> Self {
        Self(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; LENGTH];
        let mut rest = self.0.cast_unsigned();
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        let refuse = || BadRunId(text.chars().take(40).collect());
        if text.len() != LENGTH {
            return Err(refuse());
        }
        let mut id = 0u64;
        for digit in text.bytes() {
            let value = ALPHABET.iter().position(|a| *a == digit.to_ascii_lowercase()).ok_or_else(refuse)?;
            id = id.checked_mul(32).and_then(|id| id.checked_add(value as u64)).ok_or_else(refuse)?;
        }
        i64::try_from(id).map(Self).map_err(|_| refuse())
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_goes_back() {
        let first = RunId::next(None, 1_800_000_000_000, 77);
        let second = RunId::next(Some(first), 5, 99);
        let third = RunId::next(Some(second), 1_800_000_000_001, 0);
        assert!(first < second && second < third);
        assert!(first.to_string() < second.to_string() && second.to_string() < third.to_string());
    }

    #[test]
    fn an_id_reads_back_as_printed_and_rubbish_does_not() {
        let id = RunId::next(None, 1_800_000_000_000, 0x1f_ffff);
        assert_eq!(id.to_string().parse::<RunId>().unwrap(), id);
        assert_eq!(id.to_string().to_uppercase().parse::<RunId>().unwrap(), id);
        for bad in ["", "abc", "uuuuuuuuuuuuu", "zzzzzzzzzzzzz", "0123456789abcé"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }
}

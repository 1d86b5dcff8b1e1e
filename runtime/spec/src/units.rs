//! Durations (`200ms`, `2s`, `5m`, `1h30m`, `1d`) and sizes (`64MiB`, `10kB`) as people write them.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Why a text is no duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: write {example}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// A length of time in whole milliseconds, at most a hundred years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Duration(u64);

impl Duration {
    /// From milliseconds.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl FromStr for Duration {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || UnitError {
            text: clip(text),
            what: "duration",
            example: "a number and a unit: 200ms, 2s, 5m, 1h30m, 7d",
        };
        let mut rest = text;
        let mut total = 0u64;
        let mut last_unit = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
            let number: u64 = rest[..digits].parse().map_err(|_| refuse())?;
            rest = &rest[digits..];
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let unit = match &rest[..letters] {
                "ms" => 1,
                "s" => 1_000,
                "m" | "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(refuse()),
            };
            // Largest unit first and each once: `30m1h` is more likely a slip than a wish.
            if unit >= last_unit {
                return Err(refuse());
            }
            last_unit = unit;
            total = number.checked_mul(unit).and_then(|ms| total.checked_add(ms)).ok_or_else(refuse)?;
            rest = &rest[letters..];
        }
        // A hundred years keeps every later sum inside 64 bits.
        if last_unit == u64::MAX || total > 100 * 366 * 86_400_000 {
            return Err(refuse());
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0ms");
        }
        let mut rest = self.0;
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ByteSize(u64);

impl ByteSize {
    /// From bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// From mebibytes.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib * 1024 * 1024)
    }

    /// In bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse = || UnitError {
            text: clip(text),
            what: "size",
            example: "a whole number and a unit: 64MiB, 10kB, 2GiB, 512B",
        };
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
        let number: u64 = text[..digits].parse().map_err(|_| refuse())?;
        let unit = text[digits..].trim_start();
        let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse)?;
        number.checked_mul(*factor).filter(|bytes| *bytes <= 1 << 53).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZE_UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        let (name, factor) = unit.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / factor)
    }
}

fn clip(text: &str) -> String {
    text.chars().take(60).collect()
}

macro_rules! text_form {
    ($type:ty, $name:literal, $expected:literal, $pattern:literal, $description:literal) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

pub(crate) use text_form;

text_form!(
    Duration,
    "Duration",
    "a duration such as 200ms, 2s, 5m or 1h30m",
    r"^([0-9]+(ms|s|m|min|h|d))+$",
    "A duration: whole numbers with units, largest first, such as 200ms, 2s, 5m, 1h30m, 7d."
);
text_form!(
    ByteSize,
    "ByteSize",
    "a size such as 64MiB or 10kB",
    r"^[0-9]+ ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
    "A size: a whole number and a unit, such as 512B, 10kB, 64MiB, 2GiB."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for (text, ms) in [("200ms", 200), ("2s", 2_000), ("1h30m", 5_400_000), ("7d", 604_800_000), ("0ms", 0)] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.as_millis(), ms);
            assert_eq!(duration.to_string(), text);
        }
        for bad in ["", "5", "s", "-1s", "1.5s", "30m1h", "1s1s", "99999999999999999999s", "5 s", "1y", "99999999d"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_read_back_as_written() {
        for (text, bytes) in [("64MiB", 64 << 20), ("10kB", 10_000), ("512B", 512), ("2GiB", 2 << 30)] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.as_bytes(), bytes);
            assert_eq!(size.to_string(), text);
        }
        for bad in ["", "5", "MiB", "-1B", "1.5MB", "5 foo", "99999999999TiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }
}

//! Times as text.

use chrono::{DateTime, SecondsFormat, Utc};

/// Milliseconds since 1970 as RFC 3339 in UTC, with milliseconds only where there are any.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .map_or_else(|| format!("{ms}ms"), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// The time that a text in RFC 3339 tells, milliseconds since 1970; `None` when it is none.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written_and_in_every_zone() {
        for ms in [0, 1_700_000_000_123, -1_000] {
            assert_eq!(from_rfc3339(&rfc3339(ms)), Some(ms));
        }
        assert_eq!(from_rfc3339("2026-12-24T18:00:00+01:00"), from_rfc3339("2026-12-24T17:00:00Z"));
        assert_eq!((from_rfc3339("2026-12-24"), from_rfc3339("soon")), (None, None));
    }
}

//! Times as text.

use chrono::{DateTime, SecondsFormat, Utc};

/// Milliseconds since 1970 as RFC 3339 in UTC, with milliseconds only where there are any.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .map_or_else(|| format!("{ms}ms"), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

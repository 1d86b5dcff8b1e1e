//! Numbers as people read them.

use std::str::FromStr;

use chrono::{DateTime, Local, TimeZone, Utc};
use chrono_tz::Tz;
use trackside_control::duration_ms;

/// A short length of time: `340 us`, `2.1 ms`, then as [`duration_ms`].
pub fn duration_us(us: u64) -> String {
    match us {
        0..=999 => format!("{us} us"),
        1_000..=99_999 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => duration_ms(i64::try_from(us / 1_000).unwrap_or(i64::MAX)),
    }
}

/// A number of bytes in binary units with one digit: `512 B`, `1.5 KiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths of a unit, rounded down: 1023.9 KiB is not yet a mebibyte.
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A whole number with its noun: `1 run`, `2 runs`, `1,234 runs`.
pub fn count(number: u64, noun: &str) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A time on the clock of this box.
pub fn local_time(ms: i64) -> String {
    match Local.timestamp_millis_opt(ms).single() {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => format!("{ms} ms"),
    }
}

/// A time on the clock of a zone, with the zone's short name: `Sun 2026-11-22 02:30 CET`.
pub fn zoned_time(ms: i64, zone: &str) -> String {
    let (Some(utc), Ok(zone)) = (DateTime::<Utc>::from_timestamp_millis(ms), Tz::from_str(zone)) else {
        return format!("{ms} ms");
    };
    let time = utc.with_timezone(&zone);
    let seconds = if ms.rem_euclid(60_000) == 0 { "" } else { ":%S" };
    time.format(&format!("%a %Y-%m-%d %H:%M{seconds} %Z")).to_string()
}

/// Enough of a digest to tell it from others by eye.
pub fn short_digest(digest: &trackside_spec::Digest) -> String {
    digest.hex().chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lengths_of_time_read_well() {
        for (us, text) in [(0, "0 us"), (980, "980 us"), (2_150, "2.1 ms"), (340_000, "340 ms"), (2_150_000, "2.1 s")] {
            assert_eq!(duration_us(us), text);
        }
    }

    #[test]
    fn sizes_read_well() {
        for (size, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (u64::MAX, "16777215.9 TiB")]
        {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn numbers_have_their_noun() {
        assert_eq!(count(0, "run"), "0 runs");
        assert_eq!(count(1, "run"), "1 run");
        assert_eq!(count(1_234_567, "run"), "1,234,567 runs");
    }

    #[test]
    fn schedule_times_are_told_in_their_zone() {
        assert_eq!(zoned_time(1_795_311_000_000, "Europe/Paris"), "Sun 2026-11-22 02:30 CET");
        assert_eq!(zoned_time(1_795_311_005_000, "UTC"), "Sun 2026-11-22 01:30:05 UTC");
    }
}

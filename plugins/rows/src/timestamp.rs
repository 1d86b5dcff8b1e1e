//! Points in time, to the nanosecond.

use std::fmt::Write;

const DAY: i64 = 86_400;
const NANOS: i128 = 1_000_000_000;

/// A point in time. A leap second has the seconds of the one before it and a second more in its nanoseconds, so that it
/// lies between its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    seconds: i64,
    nanos: u32,
}

impl Time {
    /// From milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { seconds: millis.div_euclid(1_000), nanos: millis.rem_euclid(1_000) as u32 * 1_000_000 }
    }

    /// From nanoseconds since 1970-01-01 UTC; the earliest or latest second for what lies beyond.
    #[must_use]
    pub fn from_nanos(nanos: i128) -> Self {
        let seconds = nanos.div_euclid(NANOS).clamp(i64::MIN.into(), i64::MAX.into());
        Self { seconds: seconds as i64, nanos: nanos.rem_euclid(NANOS) as u32 }
    }

    /// Nanoseconds since 1970-01-01 UTC. A leap second is the same as the second after it.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    /// Milliseconds since 1970-01-01 UTC, finer ones cut off.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.as_nanos().div_euclid(1_000_000).clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }
}

/// Reads a date (`2024-02-29`) or a date and time (`2024-02-29T12:00:00.5+01:00`) as ISO 8601 has them, and as PostgreSQL
/// writes them: `T` may be a space, seconds and zone may be missing, the zone is `Z`, `+01`, `+01:00`, `+0100` or
/// `+01:00:30`; without one it is UTC. A second has up to nine decimals; more are refused unless they are zeros, since they
/// would be lost. Years 0000 to 9999; a 60th second is a leap second.
#[must_use]
pub fn parse(text: &str) -> Option<Time> {
    let mut rest = text.as_bytes();
    let year = i64::from(digits(&mut rest, 4)?);
    expect(&mut rest, b'-')?;
    let month = digits(&mut rest, 2)?;
    expect(&mut rest, b'-')?;
    let day = digits(&mut rest, 2)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * DAY;
    if rest.is_empty() {
        return Some(Time { seconds: midnight, nanos: 0 });
    }
    if !matches!(rest[0], b'T' | b't' | b' ') {
        return None;
    }
    rest = &rest[1..];
    let hour = digits(&mut rest, 2)?;
    expect(&mut rest, b':')?;
    let minute = digits(&mut rest, 2)?;
    let (mut second, mut nanos) = (0, 0);
    if expect(&mut rest, b':').is_some() {
        second = digits(&mut rest, 2)?;
        if expect(&mut rest, b'.').or_else(|| expect(&mut rest, b',')).is_some() {
            nanos = fraction(&mut rest)?;
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if second == 60 {
        (second, nanos) = (59, nanos + NANOS as u32);
    }
    let time = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some(Time { seconds: midnight + time - zone(rest)?, nanos })
}

/// As RFC 3339 in UTC: `2024-02-29T11:00:00Z`, with as many decimals as are needed, three, six or nine.
#[must_use]
pub fn format(time: Time) -> String {
    let (days, rest) = (time.seconds.div_euclid(DAY), time.seconds.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let leap = i64::from(time.nanos / NANOS as u32);
    let nanos = time.nanos % NANOS as u32;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60 + leap);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    // Writing to a `String` cannot fail.
    let _ = match nanos {
        0 => Ok(()),
        _ if nanos.is_multiple_of(1_000_000) => write!(text, ".{:03}", nanos / 1_000_000),
        _ if nanos.is_multiple_of(1_000) => write!(text, ".{:06}", nanos / 1_000),
        _ => write!(text, ".{nanos:09}"),
    };
    text.push('Z');
    text
}

/// Reads `50ns`, `10us`, `200ms`, `30s`, `5m`, `1h` or `1d`, as nanoseconds above zero.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let unit: i128 = match &text[end..] {
        "ns" => 1,
        "us" | "\u{b5}s" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS,
        "m" | "min" => 60 * NANOS,
        "h" => 3_600 * NANOS,
        "d" => i128::from(DAY) * NANOS,
        _ => return None,
    };
    Some(i128::from(text[..end].parse::<i64>().ok()?) * unit).filter(|&nanos| nanos > 0)
}

/// `Z`, `+01`, `+01:00`, `-0530`, `+00:53:28`, or nothing, as seconds east.
fn zone(mut rest: &[u8]) -> Option<i64> {
    let sign = match rest {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    rest = &rest[1..];
    let hours = digits(&mut rest, 2)?;
    let (mut minutes, mut seconds) = (0, 0);
    if !rest.is_empty() {
        let colon = expect(&mut rest, b':').is_some();
        minutes = digits(&mut rest, 2)?;
        // Zones had seconds before they had hours: PostgreSQL writes them for old times.
        if colon && expect(&mut rest, b':').is_some() {
            seconds = digits(&mut rest, 2)?;
        }
    }
    (rest.is_empty() && hours < 24 && minutes < 60 && seconds < 60)
        .then(|| sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60 + i64::from(seconds)))
}

fn digits(rest: &mut &[u8], count: usize) -> Option<u32> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    head.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

fn expect(rest: &mut &[u8], byte: u8) -> Option<()> {
    let (first, tail) = rest.split_first()?;
    (*first == byte).then(|| *rest = tail)
}

/// Decimals of a second as whole nanoseconds; none may be lost.
fn fraction(rest: &mut &[u8]) -> Option<u32> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    let nanos = (0..9).fold(0, |nanos, at| nanos * 10 + digits.get(at).map_or(0, |digit| u32::from(digit - b'0')));
    (count > 0 && digits.iter().skip(9).all(|digit| *digit == b'0')).then_some(nanos)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. The year is taken to start in March, so that the leap
/// day is its last.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * (i64::from(month) + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_nanosecond() {
        for (text, nanos) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29 12:00:00", 1_709_208_000_000_000_000),
            ("2024-02-29T12:00:00.123456789+01:00", 1_709_204_400_123_456_789),
            ("2024-02-29T12:00:00.1234567890000+01:00", 1_709_204_400_123_456_789),
            ("2024-02-29T12:00:00,5Z", 1_709_208_000_500_000_000),
            ("2024-02-29T12:00-0530", 1_709_227_800_000_000_000),
            ("2020-12-31 21:25:58.745232+02", 1_609_442_758_745_232_000),
            ("2020-12-31 21:25:58+00", 1_609_449_958_000_000_000),
            ("1880-01-01 00:00:00+00:53:28", -2_840_144_008_000_000_000),
            ("1969-12-31T23:59:59.5Z", -500_000_000),
            ("0000-01-01", -62_167_219_200_000_000_000),
            ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999_999_999),
        ] {
            assert_eq!(parse(text).map(Time::as_nanos), Some(nanos), "{text}");
        }
    }

    #[test]
    fn a_leap_second_lies_between_its_neighbours() {
        let times =
            ["2016-12-31T23:59:59.9Z", "2016-12-31T23:59:60Z", "2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00Z"];
        let times: Vec<Time> = times.iter().map(|text| parse(text).unwrap()).collect();
        assert!(times.is_sorted() && times.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(format(times[2]), "2016-12-31T23:59:60.500Z");
    }

    #[test]
    fn what_is_no_time_or_would_be_cut_is_refused() {
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "2024-1-1",
            "2024-01-01T25:00",
            "2024-01-01T10:00:00.",
            "2024-01-01x",
            "12:00",
            "2024-01-01T10:00+1",
            "é024-01-01",
            "1709067600",
            "2024-01-01T10:00:00.0123456789Z",
            "2024-01-01T10:00+02:",
            "2024-01-01T10:00+0200:30",
            "2024-01-01T10:00+24",
            "2024-01-01T10:00+",
            " 2024-01-01",
            "2024-01-01T10:00:61",
            "infinity",
            "2024-01-01 10:00 BC",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_survives_its_own_text() {
        for day in -146_097..146_097_i128 {
            for nanos in [0, 4_000_000, 4_005_000, 4_005_006] {
                let time = Time::from_nanos((day * i128::from(DAY) + 3_723) * NANOS + nanos);
                assert_eq!(parse(&format(time)), Some(time));
            }
        }
        assert_eq!(format(Time::from_millis(-500)), "1969-12-31T23:59:59.500Z");
        // Beyond every calendar, and no panic.
        let _ = (format(Time::from_nanos(i128::MAX)), format(Time::from_millis(i64::MIN)));
    }

    #[test]
    fn durations_have_one_unit() {
        assert_eq!(parse_duration("1h"), Some(3_600 * NANOS));
        assert_eq!(parse_duration("10us"), Some(10_000));
        assert_eq!(parse_duration("0s"), None);
        assert_eq!(parse_duration("1"), None);
        assert_eq!(parse_duration("99999999999999999999d"), None);
    }
}

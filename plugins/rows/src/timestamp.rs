//! Points in time as milliseconds since 1970-01-01 UTC.

use std::fmt::Write;

const DAY_MS: i64 = 86_400_000;

/// Reads a date (`2024-02-29`) or a date and time (`2024-02-29T12:00:00.5+01:00`). `T` may be a space, seconds and zone
/// may be missing; without a zone it is UTC. Years 0000 to 9999; a 60th second counts as the 59th.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let mut rest = text.trim().as_bytes();
    let year = i64::from(digits(&mut rest, 4)?);
    expect(&mut rest, b'-')?;
    let month = digits(&mut rest, 2)?;
    expect(&mut rest, b'-')?;
    let day = digits(&mut rest, 2)?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * DAY_MS;
    if rest.is_empty() {
        return Some(midnight);
    }
    if !matches!(rest[0], b'T' | b't' | b' ') {
        return None;
    }
    rest = &rest[1..];
    let hour = digits(&mut rest, 2)?;
    expect(&mut rest, b':')?;
    let minute = digits(&mut rest, 2)?;
    let (mut second, mut milli) = (0, 0);
    if expect(&mut rest, b':').is_some() {
        second = digits(&mut rest, 2)?;
        if expect(&mut rest, b'.').or_else(|| expect(&mut rest, b',')).is_some() {
            milli = fraction(&mut rest)?;
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let time = i64::from(hour) * 3_600_000 + i64::from(minute) * 60_000 + i64::from(second.min(59)) * 1_000;
    Some(midnight + time + i64::from(milli) - zone(rest)?)
}

/// As RFC 3339 in UTC: `2024-02-29T11:00:00Z`, with milliseconds where there are any.
#[must_use]
pub fn format(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    let (seconds, milli) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if milli > 0 {
        // Writing to a `String` cannot fail.
        let _ = write!(text, ".{milli:03}");
    }
    text.push('Z');
    text
}

/// Reads `200ms`, `30s`, `5m`, `1h` or `1d`, as milliseconds above zero.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match &text[end..] {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => DAY_MS,
        _ => return None,
    };
    text[..end].parse::<i64>().ok()?.checked_mul(unit).filter(|&ms| ms > 0)
}

/// `Z`, `+01:00`, `-0530`, or nothing, as milliseconds east.
fn zone(mut rest: &[u8]) -> Option<i64> {
    let sign = match rest {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    rest = &rest[1..];
    let hours = digits(&mut rest, 2)?;
    let _ = expect(&mut rest, b':');
    let minutes = digits(&mut rest, 2)?;
    (rest.is_empty() && hours < 24 && minutes < 60)
        .then(|| sign * (i64::from(hours) * 3_600_000 + i64::from(minutes) * 60_000))
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

/// Fraction digits as whole milliseconds; finer ones are cut off.
fn fraction(rest: &mut &[u8]) -> Option<u32> {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    let millis = (0..3).fold(0, |ms, at| ms * 10 + digits.get(at).map_or(0, |digit| u32::from(digit - b'0')));
    (count > 0).then_some(millis)
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
    fn the_forms_that_machines_write_are_read() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("2024-02-29 12:00:00", 1_709_208_000_000),
            ("2024-02-29T12:00:00.123456+01:00", 1_709_204_400_123),
            ("2024-02-29T12:00-0530", 1_709_227_800_000),
            ("1969-12-31T23:59:59.5Z", -500),
            ("2016-12-31T23:59:60Z", 1_483_228_799_000),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
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
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_survives_its_own_text() {
        for day in -146_097..146_097 {
            let ms = day * DAY_MS + 3_723_004;
            assert_eq!(parse(&format(ms)), Some(ms));
        }
    }

    #[test]
    fn durations_have_one_unit() {
        assert_eq!(parse_duration("1h"), Some(3_600_000));
        assert_eq!(parse_duration("0s"), None);
        assert_eq!(parse_duration("1"), None);
        assert_eq!(parse_duration("99999999999999999999d"), None);
    }
}

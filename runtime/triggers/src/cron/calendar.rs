//! The days and times that a schedule's fields name, one after the other, without a zone: for the years after 2100, which
//! the `cron` crate does not know.
//!
//! Local times are whole seconds since 1970, read off a clock on the wall.

use chrono::{DateTime, Datelike, NaiveDate};

use super::dialect::{Fields, Set};

const DAY: i64 = 86_400;
/// The calendar begins anew after this many days, on the same day of the week: what is in none of them never comes.
const CYCLE: i64 = 146_097;

/// The first local time of the schedule strictly after `local`; `None` when none ever comes.
pub(super) fn next(fields: &Fields, local: i64) -> Option<i64> {
    let from = local.checked_add(1)?;
    let (today, second) = (from.div_euclid(DAY), u32::try_from(from.rem_euclid(DAY)).ok()?);
    if next_day(fields, today, today).is_some()
        && let Some(time) = next_time(fields, second)
    {
        return Some(today * DAY + i64::from(time));
    }
    let day = next_day(fields, today + 1, today + CYCLE)?;
    Some(day * DAY + i64::from(next_time(fields, 0)?))
}

/// The first day of the schedule from `first` to `last`, days since 1970.
fn next_day(fields: &Fields, first: i64, last: i64) -> Option<i64> {
    let mut day = first;
    while day <= last {
        let date = DateTime::from_timestamp(day.checked_mul(DAY)?, 0)?.date_naive();
        if has(fields.month, date.month()) {
            if is_day(fields, date) {
                return Some(day);
            }
            day += 1;
        } else {
            day += i64::from(date.num_days_in_month()) - i64::from(date.day0());
        }
    }
    None
}

fn is_day(fields: &Fields, date: NaiveDate) -> bool {
    let by_date = has(fields.day, date.day());
    let by_weekday = has(fields.weekday, date.weekday().num_days_from_sunday());
    if fields.either_day() { by_date || by_weekday } else { by_date && by_weekday }
}

/// The first time of day at `second` or later, in seconds since midnight.
fn next_time(fields: &Fields, second: u32) -> Option<u32> {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let time = |hour: u32, minute: u32, second: u32| (hour * 60 + minute) * 60 + second;
    if has(fields.hour, hour) {
        if has(fields.minute, minute)
            && let Some(second) = first(fields.second, second)
        {
            return Some(time(hour, minute, second));
        }
        if let Some(minute) = first(fields.minute, minute + 1) {
            return Some(time(hour, minute, first(fields.second, 0)?));
        }
    }
    Some(time(first(fields.hour, hour + 1)?, first(fields.minute, 0)?, first(fields.second, 0)?))
}

const fn has(set: Set, number: u32) -> bool {
    set.bits & (1 << number) != 0
}

/// The smallest number of the set from `from` on.
fn first(set: Set, from: u32) -> Option<u32> {
    let left = set.bits & u64::MAX.checked_shl(from)?;
    (left != 0).then(|| left.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_the_one_that_a_walk_through_all_of_them_finds() {
        for text in ["5/25 */7 1-3,22 * * *", "59 59 23 * * *", "0 0 0 1 1 *", "*/13 1 1 */2 * 0", "30 4 13 * 5"] {
            let fields = Fields::parse(text).unwrap();
            let matches = |local: i64| {
                let time = u32::try_from(local.rem_euclid(DAY)).unwrap();
                let date = DateTime::from_timestamp(local, 0).unwrap().date_naive();
                has(fields.second, time % 60)
                    && has(fields.minute, time / 60 % 60)
                    && has(fields.hour, time / 3600)
                    && has(fields.month, date.month())
                    && is_day(&fields, date)
            };
            // From the last noon of 2099.
            let start = 4_102_444_800 - DAY / 2;
            let walked: Vec<i64> = (start + 1..start + 3 * DAY).filter(|local| matches(*local)).collect();
            let found: Vec<i64> = std::iter::successors(next(&fields, start), |local| next(&fields, *local))
                .take_while(|local| *local < start + 3 * DAY)
                .collect();
            assert_eq!(found, walked, "{text}");
        }
    }

    #[test]
    fn leap_days_come_as_the_calendar_has_them_and_thirtieths_of_february_never() {
        let years = |text: &str, from: i64, count: usize| -> Vec<i32> {
            let fields = Fields::parse(text).unwrap();
            let times = std::iter::successors(next(&fields, from), |local| next(&fields, *local));
            times.take(count).map(|local| DateTime::from_timestamp(local, 0).unwrap().year()).collect()
        };
        // 2090-01-01 and 2390-01-01.
        assert_eq!(years("0 0 29 2 *", 3_786_912_000, 4), [2092, 2096, 2104, 2108]);
        assert_eq!(years("0 0 29 2 *", 13_253_932_800, 4), [2392, 2396, 2400, 2404]);
        // `*/7` is Sunday; the last such day before it is in 2088.
        assert_eq!(years("0 0 29 2 */7", 3_786_912_000, 3), [2128, 2156, 2184]);
        for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30,31 2 */7"] {
            assert_eq!(next(&Fields::parse(never).unwrap(), 0), None, "{never}");
        }
        assert_eq!(next(&Fields::parse("* * * * *").unwrap(), i64::MAX), None);
    }
}

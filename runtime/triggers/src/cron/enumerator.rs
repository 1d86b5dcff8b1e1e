//! The local times that a schedule names, one after the other: the `cron` crate up to where it ends, our own calendar after
//! that.
//!
//! Local times are whole seconds since 1970, read off a clock on the wall; the crate gets them as if they were UTC.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::{
    calendar,
    dialect::{Fields, Set},
    error::{CronError, clip},
};

/// The second before the year 1970, the first year that the crate knows.
const BEFORE_CRATE: i64 = -1;
/// The last second of the year 2100, the last year that the crate knows.
const LAST_OF_CRATE: i64 = 4_133_980_799;

/// The times of one schedule.
#[derive(Clone, Debug)]
pub(super) struct Enumerator {
    fields: Fields,
    days: Days,
}

/// One schedule of the crate, or two whose union counts (day of month or day of week).
#[derive(Clone, Debug)]
enum Days {
    One(Box<cron::Schedule>),
    Either(Box<(cron::Schedule, cron::Schedule)>),
}

impl Enumerator {
    /// # Errors
    /// [`CronError::Internal`] when the crate refuses the fields.
    pub fn new(text: &str, fields: Fields) -> Result<Self, CronError> {
        let every_day = Set { bits: !0, starred: true };
        let days = if fields.either_day() {
            let by_date = read(text, &Fields { weekday: every_day, ..fields })?;
            let by_weekday = read(text, &Fields { day: every_day, ..fields })?;
            Days::Either(Box::new((by_date, by_weekday)))
        } else {
            Days::One(Box::new(read(text, &fields)?))
        };
        Ok(Self { fields, days })
    }

    /// The first local time of the schedule strictly after `local`; `None` when none ever comes.
    pub fn next(&self, local: i64) -> Option<i64> {
        // A box without a clock of its own wakes up in 1970, west of Greenwich in 1969.
        let by_crate = if (BEFORE_CRATE..LAST_OF_CRATE).contains(&local) { self.days.next(local) } else { None };
        by_crate.or_else(|| calendar::next(&self.fields, local))
    }
}

impl Days {
    fn next(&self, local: i64) -> Option<i64> {
        let after = DateTime::<Utc>::from_timestamp(local, 0)?;
        let next = |schedule: &cron::Schedule| schedule.after(&after).next().map(|time| time.timestamp());
        match self {
            Self::One(schedule) => next(schedule),
            Self::Either(both) => match (next(&both.0), next(&both.1)) {
                (Some(date), Some(weekday)) => Some(date.min(weekday)),
                (one, other) => one.or(other),
            },
        }
    }
}

/// The fields in the notation of the crate: six fields, both day fields must match, Sunday is 1.
fn read(text: &str, fields: &Fields) -> Result<cron::Schedule, CronError> {
    let list = |set: Set, low: u32, high: u32, shift: u32| {
        let numbers: Vec<u32> = set.numbers().filter(|number| (low..=high).contains(number)).collect();
        if numbers.len() == (high - low + 1) as usize {
            return "*".to_owned();
        }
        numbers.iter().map(|number| (number + shift).to_string()).collect::<Vec<_>>().join(",")
    };
    let notation = [
        list(fields.second, 0, 59, 0),
        list(fields.minute, 0, 59, 0),
        list(fields.hour, 0, 23, 0),
        list(fields.day, 1, 31, 0),
        list(fields.month, 1, 12, 0),
        list(fields.weekday, 0, 6, 1),
    ]
    .join(" ");
    cron::Schedule::from_str(&notation)
        .map_err(|error| CronError::Internal { text: clip(text), reason: error.to_string() })
}

#[cfg(test)]
impl Enumerator {
    /// By the calendar alone: the crate's part is a day that never comes.
    pub fn of_calendar(fields: Fields) -> Self {
        let never = Fields::parse("0 0 30 2 *").unwrap();
        Self { fields, ..Self::new("0 0 30 2 *", never).unwrap() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::Datelike;
    use proptest::prelude::*;

    use super::*;

    /// A field's text: a star, a step, a number, a range, or a list of those.
    fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
        let item = prop_oneof![
            (low..=high).prop_map(|number| number.to_string()),
            (low..=high, low..=high).prop_map(|(one, other)| format!("{}-{}", one.min(other), one.max(other))),
            (low..=high, 2..=high).prop_map(|(from, step)| format!("{from}/{step}")),
        ];
        prop_oneof![
            3 => Just("*".to_owned()),
            1 => (2..=high).prop_map(|step| format!("*/{step}")),
            4 => prop::collection::vec(item, 1..4).prop_map(|items| items.join(",")),
        ]
    }

    pub(in super::super) fn schedule() -> impl Strategy<Value = String> {
        (field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).prop_map(
            |(second, minute, hour, day, month, weekday)| format!("{second} {minute} {hour} {day} {month} {weekday}"),
        )
    }

    #[test]
    fn the_seconds_before_1970_are_named_too() {
        let every = Enumerator::new("* * * * * *", Fields::parse("* * * * * *").unwrap()).unwrap();
        for local in [-172_800, -3, -2, -1, 0] {
            assert_eq!(every.next(local), Some(local + 1));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_crate_and_the_calendar_agree_in_the_years_that_both_know(
            text in schedule(), from in BEFORE_CRATE..LAST_OF_CRATE,
        ) {
            let fields = Fields::parse(&text).unwrap();
            let days = Enumerator::new(&text, fields).unwrap().days;
            let mut local = from;
            for _ in 0..5 {
                let by_calendar = calendar::next(&fields, local).filter(|local| *local <= LAST_OF_CRATE);
                prop_assert_eq!(days.next(local), by_calendar, "{} after {}", text, local);
                let Some(next) = by_calendar else { break };
                local = next;
            }
        }

        /// The calendar repeats after 400 years, to the day of the week: the crate knows what comes from 2400 to 2500.
        #[test]
        fn after_the_crate_ends_the_calendar_has_the_days_of_four_hundred_years_before(
            text in schedule(), from in 0..LAST_OF_CRATE,
        ) {
            const CYCLE: i64 = 146_097 * 86_400;
            let enumerator = Enumerator::new(&text, Fields::parse(&text).unwrap()).unwrap();
            if let Some(by_crate) = enumerator.days.next(from) {
                prop_assert_eq!(enumerator.next(from + CYCLE), Some(by_crate + CYCLE), "{} after {}", text, from);
            }
        }
    }

    #[test]
    fn nothing_is_lost_or_doubled_where_the_crate_ends() {
        for text in ["* * * * * *", "59 59 23 31 12 *", "0 0 0 1 1 *", "0 0 13 * fri", "0 0 29 2 *", "0 0 29 2 */7"] {
            let enumerator = Enumerator::new(text, Fields::parse(text).unwrap()).unwrap();
            // From 2095-01-01, or a minute before the seam where each second counts.
            let start = if text == "* * * * * *" { LAST_OF_CRATE - 60 } else { 3_944_678_400 };
            let (mut one, mut other) = (start, start);
            for _ in 0..500 {
                one = enumerator.next(one).unwrap();
                other = calendar::next(&enumerator.fields, other).unwrap();
                assert_eq!(one, other, "{text}");
            }
            assert!(one > LAST_OF_CRATE, "{text}");
        }
        // The crate's last second is the crate's, the next one is not.
        let every = Enumerator::new("* * * * * *", Fields::parse("* * * * * *").unwrap()).unwrap();
        assert_eq!(every.days.next(LAST_OF_CRATE - 1), Some(LAST_OF_CRATE));
        assert_eq!(every.days.next(LAST_OF_CRATE), None);
        assert_eq!(DateTime::from_timestamp(LAST_OF_CRATE + 1, 0).unwrap().year(), 2101);
    }
}

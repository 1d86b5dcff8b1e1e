//! A schedule in a zone: from one instant to the next.
//!
//! The enumerator knows zone-free local times; this module maps them to instants. Inside,
//! instants are whole seconds since 1970 and local times are the same number read off a clock on the wall.

use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use trackside_spec::nearest;

use super::{
    dialect::Fields,
    enumerator::Enumerator,
    error::{CronError, clip},
};

/// The first second of the year 10,000, which no RFC 3339 time can name: nothing is scheduled from there on.
const LAST: i64 = 253_402_300_800;
/// Two days before 1970: earlier instants are treated as this one.
const FIRST: i64 = -172_800;
/// No zone has ever been further from UTC.
const FARTHEST_OFFSET: i64 = 16 * 3600;

/// A schedule in the dialect of the parent module, in one time zone.
#[derive(Clone, Debug)]
pub struct CronSchedule {
    text: String,
    zone: Tz,
    interval: bool,
    times: Enumerator,
}

impl CronSchedule {
    /// Reads `text`, in the zone with the IANA name `zone`.
    ///
    /// # Errors
    /// [`CronError`] when the text is not in the dialect, no such zone is known, or the schedule would never come
    /// (30 February).
    pub fn parse(text: &str, zone: &str) -> Result<Self, CronError> {
        let fields = Fields::parse(text)?;
        let zone = Tz::from_str(zone).map_err(|_| CronError::Zone { zone: clip(zone), guess: guess(zone) })?;
        let times = Enumerator::new(text, fields)?;
        let schedule = Self { text: text.trim().to_owned(), zone, interval: fields.is_interval(), times };
        if schedule.next_local(FIRST).is_none() {
            let months = fields.month.numbers().map(|month| month.to_string()).collect::<Vec<_>>().join(",");
            return Err(CronError::Never { text: clip(text), months });
        }
        Ok(schedule)
    }

    /// The schedule as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The IANA name of its zone.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// The first time of the schedule strictly after `unix_ms` (milliseconds since 1970); always a whole second.
    /// `None` when there is none before the year 10,000.
    #[must_use]
    pub fn next_after(&self, unix_ms: i64) -> Option<i64> {
        let after = unix_ms.div_euclid(1000).max(FIRST);
        if after >= LAST {
            return None;
        }
        let next = if self.interval { self.next_interval(after) } else { self.next_fixed(after) };
        next.map(|seconds| seconds * 1000)
    }

    /// The latest time of the schedule in `(after_ms, until_ms]`, and how many there are, counted up to `cap`.
    pub(super) fn latest_between(&self, after_ms: i64, until_ms: i64, cap: u32) -> Option<(i64, u32)> {
        let first = self.next_after(after_ms).filter(|first| *first <= until_ms)?;
        let (mut latest, mut count) = (first, 1);
        while count < cap {
            match self.next_after(latest).filter(|next| *next <= until_ms) {
                Some(next) => (latest, count) = (next, count + 1),
                None => return Some((latest, count)),
            }
        }
        // Too many to walk. `next_after(x) <= until` holds for x before the latest time and fails from it on: bisect.
        let (mut holds, mut fails) = (latest, until_ms);
        while let Some(next) = self.next_after(holds).filter(|next| *next <= until_ms) {
            latest = next;
            let middle = latest + (fails - latest) / 2;
            match self.next_after(middle).filter(|next| *next <= until_ms) {
                Some(_) => holds = middle,
                None => (holds, fails) = (latest, middle),
            }
        }
        Some((latest, count))
    }

    /// Fixed times: local time `l` runs at the first instant whose local time has reached `l`. That is one rule for
    /// all cases: the only instant, the first of two, the end of a gap.
    fn next_fixed(&self, after: i64) -> Option<i64> {
        let mut cursor = self.local(after);
        if let Some(fold) = self.fold_at(cursor)
            && after >= fold.transition
        {
            // In the second pass every local time up to the fold's end has had its turn.
            cursor = cursor.max(fold.end - 1);
        }
        loop {
            let local = self.next_local(cursor)?;
            let instant = self.first_instant(local);
            if instant > after {
                return Some(instant);
            }
            cursor = local;
        }
    }

    /// Interval times: an instant runs if its local time is in the schedule, so both passes of a fold count and a gap
    /// holds nothing.
    fn next_interval(&self, after: i64) -> Option<i64> {
        let mut cursor = self.local(after);
        let mut earliest = after + 1;
        if let Some(fold) = self.fold_at(cursor)
            && after < fold.transition
        {
            // In the first pass: when the rest of it holds nothing, the second starts over.
            if let Some(local) = self.next_local(cursor).filter(|local| *local < fold.end) {
                return Some(after + (local - cursor));
            }
            cursor = self.local(fold.transition) - 1;
            earliest = fold.transition;
        }
        loop {
            let local = self.next_local(cursor)?;
            cursor = match self.instants(local) {
                Instants::One(instant) if instant >= earliest => return Some(instant),
                Instants::Two(first, _) if first >= earliest => return Some(first),
                Instants::Two(_, second) if second >= earliest => return Some(second),
                Instants::One(_) | Instants::Two(..) => local,
                Instants::Gap => self.local(self.first_instant(local)) - 1,
            };
        }
    }

    /// The next local time of the schedule strictly after `local`.
    fn next_local(&self, local: i64) -> Option<i64> {
        self.times.next(local.max(FIRST)).filter(|local| *local < LAST)
    }

    /// What a clock on the wall shows at `instant`.
    fn local(&self, instant: i64) -> i64 {
        let offset = DateTime::<Utc>::from_timestamp(instant, 0)
            .map_or(0, |time| self.zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc());
        instant + i64::from(offset)
    }

    fn instants(&self, local: i64) -> Instants {
        let Some(time) = DateTime::<Utc>::from_timestamp(local, 0) else { return Instants::Gap };
        let at = |offset: chrono_tz::TzOffset| local - i64::from(offset.fix().local_minus_utc());
        match self.zone.offset_from_local_datetime(&time.naive_utc()) {
            MappedLocalTime::Single(offset) => Instants::One(at(offset)),
            MappedLocalTime::Ambiguous(one, other) => {
                let (one, other) = (at(one), at(other));
                Instants::Two(one.min(other), one.max(other))
            }
            MappedLocalTime::None => Instants::Gap,
        }
    }

    /// The first instant whose local time is `local` or later.
    fn first_instant(&self, local: i64) -> i64 {
        match self.instants(local) {
            Instants::One(instant) | Instants::Two(instant, _) => instant,
            Instants::Gap => {
                bisect(local - FARTHEST_OFFSET, local + FARTHEST_OFFSET, |instant| self.local(instant) >= local)
            }
        }
    }

    /// The fold that `local` lies in, if it is a repeated local time.
    fn fold_at(&self, local: i64) -> Option<Fold> {
        let Instants::Two(first, second) = self.instants(local) else { return None };
        let offset = self.local(first) - first;
        let transition = bisect(first, second, |instant| self.local(instant) - instant != offset);
        Some(Fold { transition, end: transition + offset })
    }
}

/// The instants at which a clock on the wall shows a local time.
enum Instants {
    One(i64),
    /// The first and the second.
    Two(i64, i64),
    Gap,
}

/// A repeated stretch of local time.
struct Fold {
    /// The first instant of the second pass.
    transition: i64,
    /// The local time that the first pass would have shown then.
    end: i64,
}

/// The smallest number in `(low, high]` from which on `holds` is true, given that it is false at `low` and true at `high`.
fn bisect(mut low: i64, mut high: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// A zone that was probably meant: the same letters in another case, the last part of the name, or a slip of the finger.
fn guess(zone: &str) -> String {
    let wanted = zone.trim().replace(' ', "_");
    let city = |tz: &Tz| tz.name().rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&wanted));
    let found = chrono_tz::TZ_VARIANTS
        .iter()
        .find(|tz| tz.name().eq_ignore_ascii_case(&wanted))
        .or_else(|| chrono_tz::TZ_VARIANTS.iter().find(|tz| city(tz)))
        .map(|tz| tz.name())
        .or_else(|| nearest(&wanted, chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name())));
    found.map_or_else(String::new, |zone| format!("; did you mean {zone}?"))
}

#[cfg(test)]
mod tests {
    use trackside_codes::Coded;

    use proptest::prelude::*;

    use super::{super::enumerator::tests::schedule, *};

    /// `2026-03-29T00:30:00Z` to milliseconds.
    fn utc(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    fn runs(text: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = CronSchedule::parse(text, zone).unwrap();
        let mut at = utc(from);
        let mut found = Vec::new();
        for _ in 0..count {
            at = schedule.next_after(at).unwrap();
            found.push(DateTime::from_timestamp_millis(at).unwrap().format("%m-%d %H:%M:%S").to_string());
        }
        found
    }

    #[test]
    fn a_fixed_time_in_a_gap_runs_when_the_gap_ends() {
        // Paris skips 02:00 to 03:00 on 29 March 2026; 03:00 there is 01:00 UTC.
        assert_eq!(runs("30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", 2), ["03-29 01:00:00", "03-30 00:30:00"]);
        // Several skipped times are one run.
        assert_eq!(
            runs("0,20,40 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", 2),
            ["03-29 01:00:00", "03-30 00:00:00"]
        );
    }

    #[test]
    fn a_fixed_time_in_a_fold_runs_the_first_time() {
        // Paris repeats 02:00 to 03:00 on 25 October 2026, first at 00:00 UTC.
        assert_eq!(runs("30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", 2), ["10-25 00:30:00", "10-26 01:30:00"]);
        assert_eq!(runs("30 2 * * *", "Europe/Paris", "2026-10-25T01:10:00Z", 1), ["10-26 01:30:00"]);
    }

    #[test]
    fn an_interval_follows_the_clock() {
        assert_eq!(
            runs("*/30 * * * *", "Europe/Paris", "2026-10-24T23:45:00Z", 5),
            ["10-25 00:00:00", "10-25 00:30:00", "10-25 01:00:00", "10-25 01:30:00", "10-25 02:00:00"]
        );
        // The minute is starred, so hour 2 is an interval: nothing on the day that has none.
        assert_eq!(runs("*/30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", 1), ["03-30 00:00:00"]);
    }

    #[test]
    fn days_are_a_union_only_when_both_are_restricted() {
        // 13 November 2026 is a Friday.
        assert_eq!(
            runs("0 0 13 * fri", "UTC", "2026-11-01T00:00:00Z", 3),
            ["11-06 00:00:00", "11-13 00:00:00", "11-20 00:00:00"]
        );
        // `*/2` starts with a star: both must match, so only odd Fridays.
        assert_eq!(runs("0 0 */2 * fri", "UTC", "2026-11-01T00:00:00Z", 2), ["11-13 00:00:00", "11-27 00:00:00"]);
    }

    #[test]
    fn a_leap_day_on_a_weekday_is_found_decades_away() {
        let schedule = CronSchedule::parse("0 0 29 2 */7", "UTC").unwrap();
        assert_eq!(schedule.next_after(utc("2026-01-01T00:00:00Z")), Some(utc("2032-02-29T00:00:00Z")));
        assert_eq!(schedule.next_after(utc("2032-02-29T00:00:00Z")), Some(utc("2060-02-29T00:00:00Z")));
    }

    #[test]
    fn schedules_go_on_after_the_year_2100_which_has_no_leap_day() {
        let leap = CronSchedule::parse("0 0 29 2 *", "UTC").unwrap();
        assert_eq!(leap.next_after(utc("2096-02-29T00:00:00Z")), Some(utc("2104-02-29T00:00:00Z")));
        let daily = CronSchedule::parse("30 2 * * *", "Asia/Kathmandu").unwrap();
        assert_eq!(daily.next_after(utc("2100-12-31T20:45:00Z")), Some(utc("2101-01-01T20:45:00Z")));
        let hourly = CronSchedule::parse("@hourly", "UTC").unwrap();
        assert_eq!(hourly.next_after(utc("9999-12-31T22:30:00Z")), Some(utc("9999-12-31T23:00:00Z")));
        assert_eq!(hourly.next_after(utc("9999-12-31T23:00:00Z")), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn in_each_zone_the_times_are_those_of_our_calendar_alone(
            text in coming(), zone in prop::sample::select(ZONES.to_vec()), from in 0..4_133_980_800_i64,
        ) {
            let both = CronSchedule::parse(&text, zone).unwrap();
            let ours = CronSchedule { times: Enumerator::of_calendar(Fields::parse(&text).unwrap()), ..both.clone() };
            let mut at = from * 1000;
            for _ in 0..5 {
                let next = both.next_after(at);
                prop_assert_eq!(next, ours.next_after(at), "{} in {} after {}", text, zone, at);
                at = next.unwrap();
            }
        }

        /// No table knows what clocks do by then: a zone keeps its winter time, or what its last change left.
        #[test]
        fn after_the_year_2100_each_zone_keeps_one_offset(
            text in coming(), zone in prop::sample::select(ZONES.to_vec()), days in 0..800_000_i64,
        ) {
            let (there, utc) = (CronSchedule::parse(&text, zone).unwrap(), CronSchedule::parse(&text, "UTC").unwrap());
            let offset = there.local(LAST_YEAR) - LAST_YEAR;
            let from = LAST_YEAR + days * 86_400;
            let expected = utc.next_after((from + offset) * 1000).unwrap() - offset * 1000;
            prop_assert_eq!(there.next_after(from * 1000), Some(expected), "{} in {} after {}", text, zone, from);
        }
    }

    /// A schedule that comes at all: 31 September never does, and is refused.
    fn coming() -> impl Strategy<Value = String> {
        schedule().prop_filter("a day that comes", |text| CronSchedule::parse(text, "UTC").is_ok())
    }

    const ZONES: [&str; 5] = ["UTC", "Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"];
    /// 2100-12-31.
    const LAST_YEAR: i64 = 4_133_894_400;

    #[test]
    fn a_schedule_that_never_comes_is_refused() {
        let error = CronSchedule::parse("0 0 30 2 *", "UTC").unwrap_err();
        assert_eq!(error.code(), "TS-0405");
    }

    #[test]
    fn an_unknown_zone_is_refused_with_a_guess() {
        let message = |zone| CronSchedule::parse("@daily", zone).unwrap_err().to_string();
        assert!(message("europe/paris").ends_with("did you mean Europe/Paris?"));
        assert!(message("New York").ends_with("did you mean America/New_York?"));
        assert!(message("Europe/Berln").ends_with("did you mean Europe/Berlin?"));
        assert!(message("Mars/Base").ends_with("Europe/Paris"));
    }

    #[test]
    fn instants_at_the_ends_of_time_do_not_panic() {
        for zone in ["UTC", "Pacific/Apia", "Etc/GMT+12"] {
            for text in ["* * * * * *", "30 2 * * *"] {
                let schedule = CronSchedule::parse(text, zone).unwrap();
                assert!(schedule.next_after(i64::MIN).is_some());
                assert_eq!(schedule.next_after(i64::MAX), None);
            }
        }
    }

    #[test]
    fn the_latest_of_many_is_found_without_walking_them_all() {
        let schedule = CronSchedule::parse("* * * 1 1 *", "UTC").unwrap();
        let (from, to) = (utc("2026-01-01T00:00:00Z"), utc("2026-11-01T12:00:00Z"));
        assert_eq!(schedule.latest_between(from, to, 50), Some((utc("2026-01-01T23:59:59Z"), 50)));
        assert_eq!(schedule.latest_between(to, to + 1, 50), None);
        let hourly = CronSchedule::parse("@hourly", "UTC").unwrap();
        assert_eq!(hourly.latest_between(from, from + 3_600_000 * 5, 50), Some((from + 3_600_000 * 5, 5)));
    }
}

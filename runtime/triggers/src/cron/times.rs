//! When a trigger comes: at the times of a calendar, or at one distance for ever.

use std::collections::VecDeque;

use trackside_spec::CronTimes;

use super::{error::CronError, schedule::CronSchedule};

/// What a trigger's times are made from.
#[derive(Clone, Debug)]
pub enum Times {
    /// A schedule in a zone.
    Calendar(CronSchedule),
    /// An interval. Its times are counted from the trigger's stored position, so neither the length of runs nor a restart
    /// moves them.
    Every {
        /// The distance, at least a second.
        period_ms: i64,
    },
}

impl Times {
    /// Reads what a workflow file says.
    ///
    /// # Errors
    /// [`CronError`] when the schedule or its zone is none.
    pub fn parse(times: &CronTimes) -> Result<Self, CronError> {
        Ok(match times {
            CronTimes::Schedule { text, timezone } => Self::Calendar(CronSchedule::parse(text, timezone)?),
            CronTimes::Every(period) => {
                Self::Every { period_ms: i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1000) }
            }
        })
    }

    /// The first time after `at_ms`; for an interval `at_ms` is one of its times. `None` when there is none.
    #[must_use]
    pub fn next_after(&self, at_ms: i64) -> Option<i64> {
        match self {
            Self::Calendar(schedule) => schedule.next_after(at_ms),
            Self::Every { period_ms } => at_ms.checked_add(*period_ms),
        }
    }

    /// The latest time in `(after_ms, until_ms]`, and how many there are, counted up to `cap`.
    pub(super) fn latest_between(&self, after_ms: i64, until_ms: i64, cap: u32) -> Option<(i64, u32)> {
        match self {
            Self::Calendar(schedule) => schedule.latest_between(after_ms, until_ms, cap),
            Self::Every { period_ms } => {
                let count = until_ms.saturating_sub(after_ms).div_euclid(*period_ms);
                let capped = u32::try_from(count).unwrap_or(u32::MAX).min(cap);
                (count > 0).then(|| (after_ms + count * period_ms, capped))
            }
        }
    }

    /// The last `max` times in `(after_ms, until_ms]` that are not older than `oldest_ms`, in order.
    pub(super) fn last_between(&self, after_ms: i64, until_ms: i64, oldest_ms: i64, max: u32) -> Vec<i64> {
        let Some((latest, _)) = self.latest_between(after_ms, until_ms, 1) else { return Vec::new() };
        match self {
            Self::Every { period_ms } => {
                let back = std::iter::successors(Some(latest), |at| at.checked_sub(*period_ms));
                let mut times: Vec<i64> =
                    back.take_while(|at| *at > after_ms && *at >= oldest_ms).take(max as usize).collect();
                times.reverse();
                times
            }
            Self::Calendar(schedule) => {
                let start = last_start(schedule, after_ms.max(oldest_ms.saturating_sub(1)), until_ms, max);
                let forth = std::iter::successors(schedule.next_after(start), |at| schedule.next_after(*at));
                let mut last = VecDeque::new();
                for at in forth.take_while(|at| *at <= until_ms) {
                    last.push_back(at);
                    if last.len() > max as usize {
                        last.pop_front();
                    }
                }
                last.into()
            }
        }
    }
}

/// An instant from which on until `until_ms` there are not many more than `max` times, so that no walk through years of
/// seconds is needed to find the last few.
fn last_start(schedule: &CronSchedule, after_ms: i64, until_ms: i64, max: u32) -> i64 {
    let at_most_max =
        |start: i64| schedule.latest_between(start, until_ms, max + 1).is_none_or(|(_, count)| count <= max);
    if at_most_max(after_ms) {
        return after_ms;
    }
    // More than `max` times after `many`, at most so many after `few`.
    let (mut many, mut few) = (after_ms, until_ms);
    while few - many > 1000 {
        let middle = many + (few - many) / 2;
        if at_most_max(middle) {
            few = middle;
        } else {
            many = middle;
        }
    }
    many
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    /// 2026-01-01T00:00:00Z
    const START: i64 = 1_767_225_600_000;

    fn calendar(text: &str) -> Times {
        Times::parse(&CronTimes::Schedule { text: text.into(), timezone: "UTC".into() }).unwrap()
    }

    #[test]
    fn the_last_times_are_found_without_walking_through_all() {
        let hourly = calendar("@hourly");
        let until = START + 9000 * HOUR + 5;
        let expected: Vec<i64> = (8998..=9000).map(|hour| START + hour * HOUR).collect();
        assert_eq!(hourly.last_between(START, until, i64::MIN, 3), expected);
        assert_eq!(hourly.last_between(START, until, START + 9000 * HOUR, 3), [START + 9000 * HOUR]);
        assert_eq!(hourly.last_between(START, START + HOUR - 1, i64::MIN, 3), [0i64; 0]);
        // Bursts of seconds once a year.
        let burst = calendar("* * * 1 1 *");
        let until = START + 24 * 365 * HOUR * 3;
        assert_eq!(burst.last_between(START - 1, until, i64::MIN, 1000).len(), 1000);
    }

    #[test]
    fn an_interval_is_counted_from_its_position() {
        let every = Times::parse(&CronTimes::Every(trackside_spec::Duration::from_millis(90_000))).unwrap();
        assert_eq!(every.next_after(START + 7), Some(START + 90_007));
        assert_eq!(every.latest_between(START, START + 89_999, 10), None);
        assert_eq!(every.latest_between(START, START + 10 * HOUR + 1, 100), Some((START + 10 * HOUR, 100)));
        assert_eq!(every.last_between(START, START + 185_000, i64::MIN, 10), [START + 90_000, START + 180_000]);
        assert_eq!(every.last_between(START, START + 185_000, START + 90_001, 10), [START + 180_000]);
    }
}

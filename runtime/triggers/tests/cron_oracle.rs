//! Schedules against an oracle that knows nothing of ours: it steps through time and reads the clock on the wall.
//!
//! The oracle follows the rules of Vixie cron's main loop. Interval schedules run whenever the wall clock shows a matching
//! time. Fixed schedules run for all virtual time that has passed, where virtual time is the wall clock that never goes
//! back; several of one schedule at one instant count as one.

use std::sync::LazyLock;
use trackside_codes::Coded;

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use trackside_triggers::cron::CronSchedule;

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Gaza",
];

/// One field as text and as numbers.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    numbers: Vec<u32>,
}

impl Field {
    fn starred(&self) -> bool {
        self.text.starts_with('*')
    }

    fn has(&self, number: u32) -> bool {
        self.numbers.contains(&number)
    }
}

fn field(low: u32, high: u32) -> impl Strategy<Value = Field> {
    let star = Just(Field { text: "*".into(), numbers: (low..=high).collect() });
    let star_step = (2..=(high - low)).prop_map(move |step| Field {
        text: format!("*/{step}"),
        numbers: (low..=high).step_by(step as usize).collect(),
    });
    let list = prop::collection::btree_set(low..=high, 1..4).prop_map(|numbers| Field {
        text: numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
        numbers: numbers.into_iter().collect(),
    });
    let range = (low..=high, low..=high, 1u32..5).prop_map(|(one, other, step)| {
        let (from, to) = (one.min(other), one.max(other));
        Field { text: format!("{from}-{to}/{step}"), numbers: (from..=to).step_by(step as usize).collect() }
    });
    prop_oneof![3 => star, 1 => star_step, 3 => list, 2 => range]
}

#[derive(Clone, Debug)]
struct Expression {
    /// Absent in five fields.
    second: Option<Field>,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Expression {
    fn text(&self) -> String {
        let second = self.second.as_ref().map_or_else(String::new, |second| format!("{} ", second.text));
        let rest = [&self.minute, &self.hour, &self.day, &self.month, &self.weekday];
        second + &rest.map(|field| field.text.clone()).join(" ")
    }

    fn matches(&self, local: NaiveDateTime) -> bool {
        let day = self.day.has(local.day());
        let weekday = self.weekday.has(local.weekday().num_days_from_sunday());
        let days = if self.day.starred() || self.weekday.starred() { day && weekday } else { day || weekday };
        let second = self.second.as_ref().map_or(local.second() == 0, |second| second.has(local.second()));
        days && second
            && self.minute.has(local.minute())
            && self.hour.has(local.hour())
            && self.month.has(local.month())
    }
}

fn expression(with_seconds: bool) -> impl Strategy<Value = Expression> {
    // Hours around the changes often, days and months restricted seldom: else most windows would be empty.
    let hour = prop_oneof![2 => field(0, 23).boxed(), 3 => field(0, 4).prop_map(|field| {
        // A star of the narrow field would not be one of the real field.
        let text = field.numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        Field { text, ..field }
    }).boxed()];
    let any = |low: u32, high: u32| Just(Field { text: "*".into(), numbers: (low..=high).collect() });
    let seldom = move |low, high| prop_oneof![3 => any(low, high).boxed(), 1 => field(low, high).boxed()];
    let second = if with_seconds { field(0, 59).prop_map(Some).boxed() } else { Just(None).boxed() };
    (second, field(0, 59), hour, seldom(1, 31), seldom(1, 12), seldom(0, 6)).prop_map(
        |(second, minute, hour, day, month, weekday)| Expression { second, minute, hour, day, month, weekday },
    )
}

fn local(zone: Tz, instant: i64) -> i64 {
    let utc = DateTime::<Utc>::from_timestamp(instant, 0).unwrap().naive_utc();
    instant + i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

fn naive(local: i64) -> NaiveDateTime {
    DateTime::<Utc>::from_timestamp(local, 0).unwrap().naive_utc()
}

/// The instants in `(start, end]` at which the expression runs.
fn oracle(expression: &Expression, zone: Tz, start: i64, end: i64, step: i64) -> Vec<i64> {
    let interval = expression.minute.starred() || expression.hour.starred();
    // Virtual time is the furthest that the wall clock has been; a fold before the window may hold it up.
    let mut virtual_time = (start - 86_400..=start).step_by(step as usize).map(|t| local(zone, t)).max().unwrap();
    let mut runs = Vec::new();
    let mut instant = start + step;
    while instant <= end {
        let now = local(zone, instant);
        let passed = (virtual_time + step..=now).step_by(step as usize);
        let runs_now = if interval {
            expression.matches(naive(now))
        } else {
            passed.into_iter().any(|time| expression.matches(naive(time)))
        };
        if runs_now {
            runs.push(instant);
        }
        virtual_time = virtual_time.max(now);
        instant += step;
    }
    runs
}

fn ours(schedule: &CronSchedule, start: i64, end: i64) -> Vec<i64> {
    std::iter::successors(schedule.next_after(start * 1000), |at| schedule.next_after(*at))
        .map(|at| at / 1000)
        .take_while(|at| *at <= end)
        .collect()
}

/// The clock changes of a zone from 2024 to 2032, to the second.
fn changes(zone: Tz) -> Vec<i64> {
    let offset = |instant: i64| local(zone, instant) - instant;
    let mut found = Vec::new();
    let mut hour = 1_704_067_200;
    while hour < 1_956_528_000 {
        if offset(hour) != offset(hour + 3600) {
            found.extend((hour + 1..=hour + 3600).find(|second| offset(*second) != offset(hour)));
        }
        hour += 3600;
    }
    found
}

static CHANGES: LazyLock<Vec<(Tz, Vec<i64>)>> =
    LazyLock::new(|| ZONES.iter().map(|name| name.parse().unwrap()).map(|zone| (zone, changes(zone))).collect());

/// A zone and an instant: mostly a clock change if the zone has any, else anything.
fn place() -> impl Strategy<Value = (Tz, i64)> {
    (0..ZONES.len(), any::<prop::sample::Index>(), 1_704_067_200i64..1_956_528_000, prop::bool::weighted(0.85))
        .prop_map(|(zone, which, anywhere, at_change)| {
            let (zone, changes) = &CHANGES[zone];
            let instant = if at_change && !changes.is_empty() { changes[which.index(changes.len())] } else { anywhere };
            (*zone, instant.div_euclid(60) * 60)
        })
}

fn check(expression: &Expression, zone: Tz, start: i64, end: i64, step: i64) -> Result<(), TestCaseError> {
    let text = expression.text();
    let schedule = match CronSchedule::parse(&text, zone.name()) {
        Ok(schedule) => schedule,
        // 30 February and the like: the oracle must agree that no day of four years, leap day included, matches.
        Err(error) => {
            prop_assert_eq!(error.code(), "TS-0405");
            let day = |date: i64| {
                let any_time = Expression {
                    second: None,
                    minute: Field { text: "0".into(), numbers: vec![0] },
                    hour: Field { text: "0".into(), numbers: vec![0] },
                    ..expression.clone()
                };
                any_time.matches(naive(date * 86_400))
            };
            prop_assert!(!(0..365 * 29).any(day), "{} does come", text);
            return Ok(());
        }
    };
    prop_assert_eq!(
        ours(&schedule, start, end),
        oracle(expression, zone, start, end, step),
        "{} in {} from {}",
        text,
        zone,
        naive(start)
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn five_fields_run_when_the_oracle_says((expression, (zone, at)) in (expression(false), place())) {
        check(&expression, zone, at - 2 * 86_400, at + 3 * 86_400, 60)?;
    }

    #[test]
    fn the_next_run_is_the_same_from_every_instant_before_it(
        (expression, (zone, at), back) in (expression(false), place(), 0i64..10_800)
    ) {
        // Starting inside a gap's or fold's surroundings, not only well before them.
        check(&expression, zone, at - back / 60 * 60, at + 86_400, 60)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn six_fields_run_when_the_oracle_says((expression, (zone, at)) in (expression(true), place())) {
        check(&expression, zone, at - 3 * 3600, at + 5 * 3600, 1)?;
    }
}

#[test]
fn both_edges_of_every_zone_with_daylight_saving_are_tried() {
    for (zone, changes) in CHANGES.iter() {
        let none = ["UTC", "Asia/Kathmandu"].contains(&zone.name());
        assert_eq!(changes.is_empty(), none, "{zone}");
        assert!(none || changes.len() >= 16, "{zone}: {}", changes.len());
    }
}

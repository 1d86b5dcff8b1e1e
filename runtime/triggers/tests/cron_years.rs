//! Five years of schedules in twelve zones against two oracles that know nothing of ours.
//!
//! The first walks through every minute and does what Vixie cron's main loop does: jobs with a `*` in minute or hour run
//! whenever the clock on the wall matches, all others for every minute of virtual time, which is the wall clock that never
//! goes back. The second is the Python package `cronsim`, where Python has it (`TRACKSIDE_CRONSIM_PYTHON` names another
//! interpreter than `python3`); where not, the test says that it was not run.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};

use chrono::{DateTime, Datelike, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use trackside_triggers::cron::CronSchedule;

/// Both hemispheres; changes at midnight, by half an hour, backwards in winter, around Ramadan; odd offsets; no changes.
const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Paris",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
];

const EXPRESSIONS: [&str; 12] = [
    "30 2 * * *",
    "0 3 * * *",
    "15 0 * * *",
    "0,20,40 1-3 * * *",
    "59 23 28-31 */2 *",
    "0 0 13 * 5",
    "45 2 */2 * 0",
    "0 12 29 2 *",
    "*/15 * * * *",
    "0 * * * *",
    "*/30 2 * * *",
    "7 */3 1,15 * 1-5",
];

/// 2024-01-01 and 2029-01-01.
const SPAN: (i64, i64) = (1_704_067_200, 1_861_920_000);

/// The numbers that a field allows, as bits.
fn field(text: &str, low: u32, high: u32) -> u64 {
    let mut bits = 0;
    for item in text.split(',') {
        let (base, step) = item.split_once('/').map_or((item, 1), |(base, step)| (base, step.parse().unwrap()));
        let (from, to) = match base.split_once('-') {
            _ if base == "*" => (low, high),
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None => (base.parse().unwrap(), base.parse().unwrap()),
        };
        bits |= (from..=to).step_by(step).fold(0, |bits, number| bits | 1 << number);
    }
    bits
}

struct Expression {
    fields: [u64; 5],
    either_day: bool,
    interval: bool,
}

impl Expression {
    fn read(text: &str) -> Self {
        let parts: Vec<&str> = text.split(' ').collect();
        let starred = |index: usize| parts[index].starts_with('*');
        let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let mut fields = [0; 5];
        for (index, (low, high)) in bounds.into_iter().enumerate() {
            fields[index] = field(parts[index], low, high);
        }
        Self { fields, either_day: !starred(2) && !starred(4), interval: starred(0) || starred(1) }
    }

    fn day(&self, day: &Day) -> bool {
        let has = |index: usize, number: u32| self.fields[index] & (1 << number) != 0;
        let (date, weekday) = (has(2, day.date), has(4, day.weekday));
        has(3, day.month) && if self.either_day { date || weekday } else { date && weekday }
    }

    fn time(&self, local_minute: i64) -> bool {
        let (minute, hour) = (local_minute.rem_euclid(60), local_minute.div_euclid(60).rem_euclid(24));
        self.fields[0] & (1 << minute) != 0 && self.fields[1] & (1 << hour) != 0
    }
}

struct Day {
    month: u32,
    date: u32,
    weekday: u32,
}

/// The calendar from two days before the span to two days after it.
fn calendar() -> (i64, Vec<Day>) {
    let first = SPAN.0 / 86_400 - 2;
    let day = |number: i64| {
        let date = DateTime::<Utc>::from_timestamp(number * 86_400, 0).unwrap();
        Day { month: date.month(), date: date.day(), weekday: date.weekday().num_days_from_sunday() }
    };
    (first, (first..SPAN.1 / 86_400 + 3).map(day).collect())
}

/// Minutes on the wall for every minute from a day before the span to its end.
fn wall(zone: Tz) -> Vec<i64> {
    let minute = |instant: i64| {
        let utc = DateTime::<Utc>::from_timestamp(instant, 0).unwrap().naive_utc();
        (instant + i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())).div_euclid(60)
    };
    (SPAN.0 - 86_400..SPAN.1).step_by(60).map(minute).collect()
}

fn vixie(expression: &Expression, wall: &[i64], calendar: &(i64, Vec<Day>)) -> Vec<i64> {
    let days: Vec<bool> = calendar.1.iter().map(|day| expression.day(day)).collect();
    let matches =
        |minute: i64| expression.time(minute) && days[usize::try_from(minute.div_euclid(1440) - calendar.0).unwrap()];
    let mut runs = Vec::new();
    let mut virtual_minute = wall[0];
    for (index, now) in wall.iter().enumerate() {
        let due = if expression.interval { matches(*now) } else { (virtual_minute + 1..=*now).any(matches) };
        let instant = SPAN.0 - 86_400 + 60 * i64::try_from(index).unwrap();
        if due && instant > SPAN.0 {
            runs.push(instant);
        }
        virtual_minute = virtual_minute.max(*now);
    }
    runs
}

fn ours(text: &str, zone: &str) -> Vec<i64> {
    let schedule = CronSchedule::parse(text, zone).unwrap();
    std::iter::successors(schedule.next_after(SPAN.0 * 1000), |at| schedule.next_after(*at))
        .map(|at| at / 1000)
        .take_while(|at| *at < SPAN.1)
        .collect()
}

#[test]
fn five_years_in_twelve_zones_run_when_vixie_cron_would() {
    let calendar = calendar();
    let mut compared = 0;
    for zone in ZONES {
        let wall = wall(zone.parse().unwrap());
        for text in EXPRESSIONS {
            let (expected, found) = (vixie(&Expression::read(text), &wall, &calendar), ours(text, zone));
            compared += expected.len();
            let first = expected.iter().zip(&found).find(|(one, other)| one != other);
            assert!(expected == found, "{text} in {zone}: {} and {} runs, {first:?}", expected.len(), found.len());
        }
    }
    println!("cron: {compared} runs in {} zones compared with a replay of Vixie cron", ZONES.len());
    assert!(compared > 2_000_000);
}

const PYTHON: &str = r"
import sys
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
from cronsim import CronSim
start, end = int(sys.argv[1]), int(sys.argv[2])
for line in sys.stdin:
    zone, text = line.rstrip('\n').split('\t')
    times = []
    for at in CronSim(text, datetime.fromtimestamp(start, ZoneInfo(zone))):
        at = int(at.astimezone(timezone.utc).timestamp())
        if at >= end: break
        times.append(str(at))
    print(zone, text, ' '.join(times), sep='\t')
";

#[test]
fn five_years_in_twelve_zones_run_when_cronsim_says_but_for_the_differences_listed_here() {
    let python = std::env::var("TRACKSIDE_CRONSIM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import cronsim, zoneinfo"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        println!("NOT RUN: {python} has no package cronsim; schedules were not compared with it");
        return;
    }
    let mut child = Command::new(&python)
        .args(["-c", PYTHON, &SPAN.0.to_string(), &SPAN.1.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    {
        // Each of a quarter of an hour or rarer: cronsim takes its time.
        let mut input = child.stdin.take().unwrap();
        for (zone, text) in ZONES.iter().flat_map(|zone| EXPRESSIONS.iter().map(move |text| (zone, text))) {
            writeln!(input, "{zone}\t{text}").unwrap();
        }
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let mut different: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut compared = 0;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        let theirs: BTreeSet<i64> = parts[2].split(' ').map(|at| at.parse().unwrap()).collect();
        let ours: BTreeSet<i64> = ours(parts[1], parts[0]).into_iter().collect();
        compared += theirs.len();
        for at in theirs.symmetric_difference(&ours) {
            let zone: Tz = parts[0].parse().unwrap();
            let local = zone.timestamp_opt(*at, 0).unwrap();
            let who = if ours.contains(at) { "only ours" } else { "only theirs" };
            different.entry(parts[1].to_owned()).or_default().insert(format!("{} {local} {who}", parts[0]));
        }
    }
    println!(
        "cron: {compared} runs compared with cronsim, {} differ",
        different.values().map(BTreeSet::len).sum::<usize>()
    );
    for (text, times) in &different {
        println!("  {text}: {} times, such as {:?}", times.len(), times.iter().take(4).collect::<Vec<_>>());
    }
    let found: Vec<&str> = different.keys().map(String::as_str).collect();
    assert_eq!(found, INTENDED);
    let lord_howe = |time: &String| time.starts_with("Australia/Lord_Howe ") && time.ends_with("only ours");
    assert!(different.values().flatten().all(lord_howe), "{different:?}");
}

/// `cronsim` steps by whole hours and so misses times right after Lord Howe's changes, which are of half an hour. The replay
/// of Vixie cron agrees with us.
const INTENDED: [&str; 2] = ["*/30 2 * * *", "7 */3 1,15 * 1-5"];

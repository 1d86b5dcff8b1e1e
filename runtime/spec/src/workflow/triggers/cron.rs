//! Checks of cron triggers. Only what can be seen without a calendar; the trigger itself parses the schedule and looks
//! the zone up.

use crate::{
    spec_error::suggest,
    triggers::{CronTimes, CronTrigger, Misfire},
    units::Duration,
    workflow::{checker::Checker, trigger_file::CronTriggerFile},
};

const NAMES: [&str; 7] = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
const SHORTEST_PERIOD_MS: u64 = 1_000;
const LONGEST_PERIOD_MS: u64 = 366 * 86_400_000;
/// A run that is later than half a day is hardly the run of its time any more.
const LONGEST_JITTER_MS: u64 = 43_200_000;
const MOST_MISSED: u32 = 1000;

pub(super) fn check(cron: CronTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> CronTrigger {
    let path = |key: &'static str| ["triggers", position, "cron", key];
    let zone = timezone(cron.timezone.as_deref(), position, checker);
    let times = match (cron.schedule, cron.every) {
        (Some(schedule), None) => {
            let text = schedule.trim().to_owned();
            self::schedule(&text, position, checker);
            CronTimes::Schedule { text, timezone: zone }
        }
        (None, Some(period)) => {
            every(period, cron.timezone.is_some(), position, checker);
            CronTimes::Every(period)
        }
        (None, None) => {
            let help = Some("schedule: \"30 2 * * *\", or every: 90s".to_owned());
            let path = ["triggers", position, "cron"];
            checker.at_key("TS-0102", &path, "a cron trigger needs `schedule` or `every`", help);
            CronTimes::Every(Duration::from_millis(SHORTEST_PERIOD_MS))
        }
        (Some(_), Some(period)) => {
            checker.at_key("TS-0110", &path("every"), "a trigger has `schedule` or `every`, not both", None);
            CronTimes::Every(period)
        }
    };
    if cron.misfire == Misfire::Skip && cron.misfire_window.is_some() {
        checker.at_key("TS-0110", &path("misfire_window"), "with `misfire: skip` nothing is made up for", None);
    }
    if !(1..=MOST_MISSED).contains(&cron.misfire_max) {
        checker.at("TS-0103", &path("misfire_max"), format!("between 1 and {MOST_MISSED}"), None);
    }
    let jitter = cron.jitter.unwrap_or_default();
    if jitter.as_millis() > LONGEST_JITTER_MS {
        checker.at("TS-0103", &path("jitter"), "at most 12h", None);
    }
    CronTrigger {
        times,
        misfire: cron.misfire,
        misfire_window: cron.misfire_window,
        misfire_max: cron.misfire_max,
        jitter,
        overlap: cron.overlap,
    }
}

fn schedule(schedule: &str, position: &str, checker: &mut Checker<'_, '_>) {
    let path = ["triggers", position, "cron", "schedule"];
    let fields = schedule.split_whitespace().count();
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | ',' | '-' | '?' | '#' | ' ' | '\t');
    if schedule.starts_with('@') {
        if !NAMES.contains(&schedule) {
            let help = suggest(schedule, &NAMES);
            checker.at("TS-0109", &path, format!("there is no schedule called `{schedule}`"), help);
        }
    } else if !(5..=6).contains(&fields) {
        let help = Some("minute hour day-of-month month day-of-week, for example \"30 2 * * *\"".to_owned());
        let message = format!("a schedule has five fields, or six with seconds first; this has {fields}");
        checker.at("TS-0109", &path, message, help);
    } else if let Some(odd) = schedule.chars().find(|c| !inside(*c)) {
        checker.at("TS-0109", &path, format!("`{odd}` has no meaning in a schedule"), None);
    }
}

fn timezone(given: Option<&str>, position: &str, checker: &mut Checker<'_, '_>) -> String {
    let zone = given.unwrap_or("UTC");
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-');
    if zone.is_empty() || zone.len() > 64 || !zone.chars().all(inside) {
        let help = Some("write an IANA name such as Europe/Paris or UTC".to_owned());
        checker.at("TS-0109", &["triggers", position, "cron", "timezone"], "this is no time zone", help);
    }
    zone.to_owned()
}

fn every(period: Duration, has_zone: bool, position: &str, checker: &mut Checker<'_, '_>) {
    if !(SHORTEST_PERIOD_MS..=LONGEST_PERIOD_MS).contains(&period.as_millis()) {
        checker.at("TS-0103", &["triggers", position, "cron", "every"], "between 1s and 366d", None);
    }
    if has_zone {
        let path = ["triggers", position, "cron", "timezone"];
        checker.at_key("TS-0110", &path, "an interval has no time zone: it is for `schedule`", None);
    }
}

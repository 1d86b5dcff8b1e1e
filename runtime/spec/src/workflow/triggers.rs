//! Checks of `triggers`.

use super::{
    checker::Checker,
    file::{CronTriggerFile, FileTriggerFile, TriggerFile},
    words,
};
use crate::plan::{CronTrigger, FileTrigger, Trigger, TriggerKind};

const MAX_TRIGGERS: usize = 32;

/// A file that has not changed for a day is as settled as it gets.
const LONGEST_SETTLE_MS: u64 = 86_400_000;

const SCHEDULE_NAMES: [&str; 7] = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];

pub(super) fn check(workflow: &str, triggers: Vec<TriggerFile>, checker: &mut Checker<'_, '_>) -> Vec<Trigger> {
    if triggers.len() > MAX_TRIGGERS {
        let message = format!("{} triggers; the limit is {MAX_TRIGGERS}", triggers.len());
        checker.at_key("TS-0108", &["triggers"], message, None);
    }
    let make = |(index, trigger)| {
        let position = format!("{index}");
        let (kind, name) = match trigger {
            TriggerFile::File(file) => (TriggerKind::File(self::file(file, &position, checker)), "file"),
            TriggerFile::Cron(cron) => (TriggerKind::Cron(self::cron(cron, &position, checker)), "cron"),
        };
        Trigger { id: format!("{workflow}/{name}-{index}"), kind }
    };
    triggers.into_iter().enumerate().map(make).collect()
}

fn file(file: FileTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> FileTrigger {
    let path = |key: &'static str| ["triggers", position, "file", key];
    if let Some(reason) = words::path_problem(&file.path) {
        checker.at("TS-0103", &path("path"), format!("this is no folder: {reason}"), None);
    }
    if let Some(reason) = words::path_problem(&file.glob) {
        checker.at("TS-0103", &path("glob"), format!("this is no pattern: {reason}"), None);
    } else if let Err(error) = globset::GlobBuilder::new(&file.glob).literal_separator(true).build() {
        checker.at("TS-0103", &path("glob"), format!("this is no pattern: {}", error.kind()), None);
    } else if file.glob.starts_with('/') || words::climbs(&file.glob) {
        let help = Some("put the folder into `path` and a pattern such as \"**/*.csv\" here".to_owned());
        checker.at("TS-0103", &path("glob"), "the pattern is for paths below the folder", help);
    }
    if file.settle.as_millis() > LONGEST_SETTLE_MS {
        checker.at("TS-0103", &path("settle"), "at most 1d", None);
    }
    FileTrigger {
        path: file.path,
        glob: file.glob,
        settle: file.settle,
        identity: file.identity,
        existing: file.existing,
        claim: file.claim,
    }
}

/// Only what can be seen without a calendar; the trigger itself parses the schedule and looks the zone up.
fn cron(cron: CronTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> CronTrigger {
    let path = |key: &'static str| ["triggers", position, "cron", key];
    let schedule = cron.schedule.trim();
    let fields = schedule.split_whitespace().count();
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '*' | '/' | ',' | '-' | '?' | '#') || c == ' ';
    if schedule.starts_with('@') {
        if !SCHEDULE_NAMES.contains(&schedule) {
            let help = crate::spec_error::suggest(schedule, &SCHEDULE_NAMES);
            checker.at("TS-0109", &path("schedule"), format!("there is no schedule called `{schedule}`"), help);
        }
    } else if !(5..=6).contains(&fields) {
        let help = Some("minute hour day-of-month month day-of-week, for example \"30 2 * * *\"".to_owned());
        let message = format!("a schedule has five fields, or six with seconds first; this has {fields}");
        checker.at("TS-0109", &path("schedule"), message, help);
    } else if let Some(odd) = schedule.chars().find(|c| !inside(*c)) {
        checker.at("TS-0109", &path("schedule"), format!("`{odd}` has no meaning in a schedule"), None);
    }
    let zone = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '+' | '-');
    if cron.timezone.is_empty() || cron.timezone.len() > 64 || !cron.timezone.chars().all(zone) {
        let help = Some("write an IANA name such as Europe/Paris or UTC".to_owned());
        checker.at("TS-0109", &path("timezone"), "this is no time zone", help);
    }
    CronTrigger { schedule: schedule.to_owned(), timezone: cron.timezone, misfire: cron.misfire }
}

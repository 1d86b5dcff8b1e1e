//! Runs for past times of a schedule. The ledger knows each time that has had its run, whoever started it.

use serde_json::{Map, Value};
use trackside_engine::RunId;
use trackside_facts::{Cause, RunFile, TriggerDocument};
use trackside_node::{
    core::{Fire, LedgerEntry},
    rfc3339,
};
use trackside_spec::{CronTimes, CronTrigger, Digest, Plan, TriggerKind};
use trackside_store::{Reader, StoreError};
use trackside_triggers::cron::Times;

use crate::{start::StartError, wire::BackfillTime};

/// A time that has been checked.
pub(crate) struct PastTime {
    pub(crate) trigger: String,
    key: String,
    at_ms: i64,
}

/// The times of a schedule in a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastTimes {
    /// The trigger's id.
    pub trigger: String,
    /// The key that the ledger has them under.
    key: String,
    /// The times in order, milliseconds since 1970.
    pub at_ms: Vec<i64>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// Past times by whether they have had their run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SortedTimes {
    /// Those that have, each with the run where one is known.
    pub done: Vec<(i64, Option<RunId>)>,
    /// The others.
    pub open: Vec<i64>,
}

impl PastTimes {
    /// Asks the ledger which of them have had their run; without one none has.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn sorted(&self, reader: Option<&Reader>) -> Result<SortedTimes, StoreError> {
        let mut sorted = SortedTimes::default();
        for at_ms in &self.at_ms {
            match reader.map(|reader| reader.ledger(&self.key, &identity(*at_ms))).transpose()?.flatten() {
                Some(row) => sorted.done.push((*at_ms, row.run)),
                None => sorted.open.push(*at_ms),
            }
        }
        Ok(sorted)
    }
}

/// What the ledger calls a time.
fn identity(at_ms: i64) -> String {
    format!("at:{at_ms}")
}

/// The times of a workflow's schedule from `from_ms` to `to_ms`, both included, at most `limit` of them. Without
/// `trigger` the workflow must have one schedule.
///
/// # Errors
/// [`StartError::Backfill`] when there is no such schedule, or it is an interval, whose times hang on when it began.
pub fn past_times(
    plan: &Plan,
    trigger: Option<&str>,
    (from_ms, to_ms): (i64, i64),
    limit: usize,
) -> Result<PastTimes, StartError> {
    let (id, cron) = schedule_of(plan, trigger)?;
    let times = calendar(id, cron)?;
    let all = std::iter::successors(times.next_after(from_ms.saturating_sub(1)), |at| times.next_after(*at));
    let mut at_ms: Vec<i64> = all.take_while(|at| *at <= to_ms).take(limit.saturating_add(1)).collect();
    let more = at_ms.len() > limit;
    at_ms.truncate(limit);
    Ok(PastTimes { trigger: id.to_owned(), key: key(id, cron), at_ms, more })
}

/// As the core has it: a schedule that was changed has its own times.
fn key(id: &str, cron: &CronTrigger) -> String {
    format!("{id} {}", cron.times.key())
}

fn schedule_of<'p>(plan: &'p Plan, trigger: Option<&str>) -> Result<(&'p str, &'p CronTrigger), StartError> {
    let schedules: Vec<(&str, &CronTrigger)> = plan
        .triggers
        .iter()
        .filter_map(|trigger| match &trigger.kind {
            TriggerKind::Cron(cron) => Some((trigger.id.as_str(), cron)),
            _ => None,
        })
        .collect();
    let known: Vec<&str> = schedules.iter().map(|(id, _)| *id).collect();
    let refuse = |reason: String| Err(StartError::Backfill { reason });
    match (trigger, schedules.as_slice()) {
        (_, []) => refuse(format!("workflow `{}` has no schedule: there are no times to make up for", plan.name)),
        (None, [only]) => Ok(*only),
        (None, _) => refuse(format!(
            "workflow `{}` has several schedules; name one with --trigger: {}",
            plan.name,
            known.join(", ")
        )),
        (Some(id), all) => match all.iter().find(|(other, _)| *other == id) {
            Some(found) => Ok(*found),
            None => refuse(format!("`{id}` is no schedule of workflow `{}`; it has {}", plan.name, known.join(", "))),
        },
    }
}

fn calendar(id: &str, cron: &CronTrigger) -> Result<Times, StartError> {
    if let CronTimes::Every(period) = &cron.times {
        let reason =
            format!("{id} comes every {period}: its times hang on when it began; only schedules have past times");
        return Err(StartError::Backfill { reason });
    }
    Times::parse(&cron.times).map_err(|error| StartError::Backfill { reason: format!("{id}: {error}") })
}

/// Checks a time that somebody wants a run for.
pub(crate) fn past_time(plan: &Plan, time: &BackfillTime, now_ms: i64) -> Result<PastTime, StartError> {
    let (id, cron) = schedule_of(plan, Some(&time.trigger))?;
    let times = calendar(id, cron)?;
    let at_ms = time.at_ms;
    if times.next_after(at_ms.saturating_sub(1)) != Some(at_ms) {
        return Err(StartError::Backfill { reason: format!("{} is no time of {id}", rfc3339(at_ms)) });
    }
    if at_ms > now_ms {
        let reason = format!("{} is still to come; {id} starts its run then", rfc3339(at_ms));
        return Err(StartError::Backfill { reason });
    }
    Ok(PastTime { trigger: id.to_owned(), key: key(id, cron), at_ms })
}

/// The wish for a run that looks to its steps like the schedule's own.
pub(crate) fn past_run(
    workflow: String,
    params: Map<String, Value>,
    artifacts: Vec<Digest>,
    file: Option<RunFile>,
    past: PastTime,
) -> Fire {
    let PastTime { trigger: id, key, at_ms } = past;
    let when = rfc3339(at_ms);
    let cause = Cause::Backfill { file };
    let kind = cause.run_kind();
    let trigger = TriggerDocument::new(&id, at_ms, cause);
    let identity = identity(at_ms);
    Fire {
        workflow,
        kind,
        trigger,
        params,
        logical_time_ms: at_ms,
        ledger: vec![LedgerEntry { trigger: key, identity, path: when, stat: String::new() }],
        artifacts,
        hold: None,
        rows: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use trackside_spec::load_workflow;

    use super::*;

    fn plan(triggers: &str) -> Plan {
        let text = format!("version: 1\nname: w\ntriggers:\n{triggers}steps:\n  a: {{ plugin: echo }}\n");
        load_workflow("w.yaml", &text).unwrap()
    }

    const HOURLY: &str = "  - cron: { schedule: \"@hourly\" }\n";
    const HOUR: i64 = 3_600_000;

    #[test]
    fn both_ends_of_the_span_count_and_the_limit_is_told() {
        let plan = plan(HOURLY);
        let all = past_times(&plan, None, (0, 2 * HOUR), 10).unwrap();
        assert_eq!((all.trigger.as_str(), all.at_ms, all.more), ("w/cron-0", vec![0, HOUR, 2 * HOUR], false));
        let some = past_times(&plan, Some("w/cron-0"), (1, 5 * HOUR), 2).unwrap();
        assert_eq!((some.at_ms, some.more), (vec![HOUR, 2 * HOUR], true));
    }

    #[test]
    fn what_has_no_past_times_is_refused() {
        for (triggers, trigger, word) in [
            ("  - file: { path: in }\n", None, "no schedule"),
            ("  - cron: { every: 90s }\n", None, "hang on when it began"),
            ("  - cron: { schedule: \"@hourly\" }\n  - cron: { schedule: \"@daily\" }\n", None, "several"),
            (HOURLY, Some("w/cron-7"), "w/cron-0"),
        ] {
            let error = past_times(&plan(triggers), trigger, (0, HOUR), 9).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn only_past_times_of_the_schedule_are_taken() {
        let plan = plan(HOURLY);
        let time = |at_ms| BackfillTime { trigger: "w/cron-0".to_owned(), at_ms };
        assert!(past_time(&plan, &time(HOUR), HOUR).is_ok());
        assert!(past_time(&plan, &time(HOUR + 1), 2 * HOUR).is_err());
        assert!(past_time(&plan, &time(2 * HOUR), HOUR).is_err());
    }
}

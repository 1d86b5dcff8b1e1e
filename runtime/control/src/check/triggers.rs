//! What starts a workflow and how its graph is made, in a few words; when its schedules come.

use std::collections::BTreeMap;

use trackside_node::Project;
use trackside_spec::{Action, CronTimes, CronTrigger, Plan, RunEnding, Trigger, TriggerKind, check_triggers};
use trackside_store::{Clock, Reader, StoreError, SystemClock};
use trackside_triggers::cron::{Times, jitter_offset};

use super::checked::CheckedFile;

/// A schedule and its next times.
pub struct Schedule {
    /// The trigger's id.
    pub trigger: String,
    /// As the file has it.
    pub text: String,
    /// Its zone.
    pub zone: String,
    /// When it comes.
    pub next: Next,
}

/// When a schedule comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The next times, milliseconds since 1970.
    pub times: Vec<i64>,
    /// How much later runs start on this box.
    pub delay_ms: i64,
    /// An interval that has not begun: the times are counted from now.
    pub estimated: bool,
    /// There is jitter, and the box has no name yet that it could be derived from.
    pub delay_unknown: bool,
}

/// The problems of the triggers of named files, seen together with the project that they belong to. Without files the
/// project has told them already.
pub(super) fn check(project: &Project, checked: &mut [CheckedFile]) {
    let mut plans: BTreeMap<&str, &Plan> =
        project.workflows.iter().map(|(name, plan)| (name.as_str(), plan.as_ref())).collect();
    let named: Vec<_> = checked.iter().filter_map(|file| file.plan.clone()).collect();
    // A named file stands in for the project's workflow of that name.
    plans.extend(named.iter().map(|plan| (plan.name.as_str(), plan.as_ref())));
    let plans: Vec<&Plan> = plans.into_values().collect();
    for problem in check_triggers(&plans, &project.config) {
        let of = |file: &&mut CheckedFile| file.plan.as_ref().is_some_and(|plan| plan.name == problem.workflow);
        if let Some(file) = checked.iter_mut().find(of)
            && let Some(plan) = &file.plan
        {
            file.findings.problems.push(problem.at(&file.file, plan));
        }
    }
}

/// The schedules of a workflow.
pub(super) fn schedules(plan: &Plan, reader: Option<&Reader>, count: usize) -> Result<Vec<Schedule>, StoreError> {
    let mut schedules = Vec::new();
    for trigger in &plan.triggers {
        let TriggerKind::Cron(cron) = &trigger.kind else { continue };
        let (text, zone) = match &cron.times {
            CronTimes::Schedule { text, timezone } => (text.clone(), timezone.clone()),
            CronTimes::Every(period) => (format!("every {period}"), "UTC".to_owned()),
        };
        let next = next_times(trigger, cron, reader, SystemClock.now_ms(), count)?;
        schedules.push(Schedule { trigger: trigger.id.clone(), text, zone, next });
    }
    Ok(schedules)
}

/// The next times of a schedule. Those of an interval are counted from the last one that the store knows.
///
/// # Errors
/// When the database refuses.
pub fn next_times(
    trigger: &Trigger,
    cron: &CronTrigger,
    reader: Option<&Reader>,
    now_ms: i64,
    count: usize,
) -> Result<Next, StoreError> {
    let position = match reader {
        Some(reader) => reader.position(&format!("{} {}", trigger.id, cron.times.key()))?,
        None => None,
    };
    let box_id = reader.map(Reader::box_id).transpose()?.filter(|id| !id.is_empty());
    let jitter = cron.jitter.as_millis() > 0;
    let Ok(times) = Times::parse(&cron.times) else {
        return Ok(Next { times: Vec::new(), delay_ms: 0, estimated: false, delay_unknown: false });
    };
    let (begin, estimated) = match (&times, position) {
        (Times::Every { period_ms }, Some(position)) if position <= now_ms => {
            (now_ms - now_ms.saturating_sub(position).rem_euclid(*period_ms), false)
        }
        // The clock was set back: it goes on from where it was.
        (Times::Every { .. }, Some(position)) => (position, false),
        (Times::Every { .. }, None) => (now_ms, true),
        (Times::Calendar(_), position) => (position.unwrap_or(now_ms).max(now_ms), false),
    };
    let all = std::iter::successors(times.next_after(begin), |at| times.next_after(*at));
    Ok(Next {
        times: all.take(count).collect(),
        delay_ms: box_id.as_ref().map_or(0, |id| jitter_offset(id, &trigger.id, cron.jitter)),
        estimated,
        delay_unknown: jitter && box_id.is_none(),
    })
}

/// What a trigger waits for, in a few words.
#[must_use]
pub fn describe_trigger(trigger: &Trigger) -> String {
    match &trigger.kind {
        TriggerKind::File(file) => {
            let batch = file.batch.map(|batch| format!(" in batches of {}", batch.max_files)).unwrap_or_default();
            format!("watches {}/{}{batch}", file.path.trim_end_matches('/'), file.globs.join(", "))
        }
        TriggerKind::Cron(cron) => match &cron.times {
            CronTimes::Schedule { text, timezone } => format!("cron {text} ({timezone})"),
            CronTimes::Every(period) => format!("every {period}"),
        },
        TriggerKind::Webhook(hook) => format!("takes POST /hooks/{}", hook.name),
        TriggerKind::Mqtt(mqtt) => format!("listens to {} at {}", mqtt.topic, mqtt.broker),
        TriggerKind::Workflow(other) => {
            let ends: Vec<&str> = other
                .on
                .iter()
                .map(|end| match end {
                    RunEnding::Succeeded => "succeeded",
                    RunEnding::Failed => "failed",
                    RunEnding::Cancelled => "cancelled",
                })
                .collect();
            format!("follows workflow {} ({})", other.name, ends.join(", "))
        }
        TriggerKind::Dataset(dataset) => format!("follows dataset {}", dataset.name),
        TriggerKind::Event(event) => {
            let condition = event.condition.as_ref().map(|condition| format!(" where {}", condition.text()));
            format!("follows event {}{}", event.name, condition.unwrap_or_default())
        }
        TriggerKind::Drift(drift) => {
            let turns: Vec<&str> = drift.on.iter().map(|turn| turn.name()).collect();
            format!("follows the drift of {} ({})", drift.name, turns.join(", "))
        }
        TriggerKind::Poll(poll) => format!("asks {} every {}", poll.shown_url(), poll.every),
    }
}

/// What is special about the graph of a workflow, in a few words each.
#[must_use]
pub fn describe_graph(plan: &Plan) -> Vec<String> {
    let ordinary = &plan.steps[..plan.ordinary_steps()];
    let count = |number: usize, what: &str| (number > 0).then(|| format!("{number} {what}"));
    let of = |test: &dyn Fn(&trackside_spec::Step) -> bool| ordinary.iter().filter(|step| test(step)).count();
    let calls = ordinary.iter().filter_map(|step| match &step.action {
        Action::Workflow(call) => Some(format!("starts {}", call.workflow)),
        _ => None,
    });
    let mutexes: std::collections::BTreeSet<&str> =
        plan.steps.iter().filter_map(|step| step.mutex.as_deref()).collect();
    let mut parts: Vec<String> = [
        count(of(&|step| step.foreach.is_some()), "for each item"),
        count(of(&|step| matches!(step.action, Action::Approval(_))), "to approve"),
        count(of(&|step| matches!(step.action, Action::Wait(_))), "waiting"),
        plan.concurrency.as_ref().map(|group| format!("at most {} in its group", group.limit)),
        (!mutexes.is_empty()).then(|| format!("mutex {}", mutexes.into_iter().collect::<Vec<_>>().join(", "))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut calls: Vec<String> = calls.collect();
    calls.dedup();
    parts.extend(calls);
    parts
}

#[cfg(test)]
mod tests {
    use trackside_spec::load_workflow;

    use super::*;

    fn plan(text: &str) -> Plan {
        load_workflow("w.yaml", &format!("version: 1\nname: w\n{text}")).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn an_interval_that_has_not_begun_is_counted_from_now_and_says_so() {
        let plan = plan("triggers: [{ cron: { every: 90s } }]\nsteps:\n  a: { plugin: echo }\n");
        let TriggerKind::Cron(cron) = &plan.triggers[0].kind else { panic!("no schedule") };
        let next = next_times(&plan.triggers[0], cron, None, 1_000, 2).unwrap();
        assert_eq!((next.times.as_slice(), next.estimated), ([91_000, 181_000].as_slice(), true));
    }

    #[test]
    fn the_graph_is_told_in_a_few_words() {
        let plan = plan(
            "steps:\n  a: { plugin: echo, foreach: [1, 2], mutex: robot }\n  b: { approval: { message: ok }, needs: [a] }\n",
        );
        assert_eq!(describe_graph(&plan), ["1 for each item", "1 to approve", "mutex robot"]);
    }
}

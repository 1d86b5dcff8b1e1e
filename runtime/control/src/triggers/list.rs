//! How triggers stand.

use serde::Serialize;
use trackside_facts::PollState;
use trackside_node::rfc3339;
use trackside_spec::{CronTimes, CronTrigger, Plan, Trigger, TriggerKind};
use trackside_store::{Clock, PausedRow, Reader};

use crate::{InUse, QueryError, describe_trigger, next_times};

/// A trigger, as it stands. The JSON form is what `trigger list --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct TriggerState {
    /// Its id.
    pub trigger: String,
    /// Its workflow.
    pub workflow: String,
    /// Whose definition it is of: `node` or `files`.
    pub from: &'static str,
    /// `file`, `cron` and so on.
    pub kind: &'static str,
    /// What it waits for.
    pub what: String,
    /// When it comes next, RFC 3339; none where it is no schedule.
    pub next: Option<Vec<String>>,
    /// How much later its runs start on this box.
    pub delayed_by_ms: Option<i64>,
    /// When it started a run last, milliseconds since 1970.
    pub last_run_ms: Option<i64>,
    /// When it looked last, milliseconds since 1970, where it polls.
    pub last_look_ms: Option<i64>,
    /// What it saw then.
    pub last_look: Option<String>,
    /// Whether it starts nothing until it is resumed.
    pub paused: bool,
    /// Since when, RFC 3339.
    pub paused_since: Option<String>,
    /// By whom.
    pub paused_by: Option<String>,
    /// When it comes next, milliseconds since 1970.
    #[serde(skip)]
    pub next_ms: Option<i64>,
    /// The zone that its schedule is written in.
    #[serde(skip)]
    pub zone: String,
}

/// The triggers of the definitions that count, by workflow; of one workflow, or of all.
///
/// # Errors
/// When the database refuses.
pub fn trigger_states(
    in_use: &InUse,
    reader: Option<&Reader>,
    workflow: Option<&str>,
    clock: &dyn Clock,
) -> Result<Vec<TriggerState>, QueryError> {
    let paused = reader.map(Reader::paused).transpose()?.unwrap_or_default();
    let wanted = |plan: &Plan| workflow.is_none_or(|workflow| workflow == plan.name);
    let plans = in_use.workflows.values().filter(|plan| wanted(plan));
    let triggers = plans.flat_map(|plan| plan.triggers.iter().map(move |trigger| (plan, trigger)));
    triggers
        .map(|(plan, trigger)| {
            let paused = paused.iter().find(|row| row.trigger == trigger.id);
            state((&plan.name, in_use.origin()), trigger, reader, paused, clock)
        })
        .collect()
}

fn state(
    (workflow, from): (&str, &'static str),
    trigger: &Trigger,
    reader: Option<&Reader>,
    paused: Option<&PausedRow>,
    clock: &dyn Clock,
) -> Result<TriggerState, QueryError> {
    let next = match &trigger.kind {
        TriggerKind::Cron(cron) => Some(next_times(trigger, cron, reader, clock.now_ms(), 1)?),
        _ => None,
    };
    let accepted = reader.map(|reader| reader.accepted(&trigger.id, None, 1)).transpose()?.unwrap_or_default();
    let look = reader.map(|reader| last_look(trigger, reader)).transpose()?.flatten();
    Ok(TriggerState {
        trigger: trigger.id.clone(),
        workflow: workflow.to_owned(),
        from,
        kind: trigger.kind.name(),
        what: describe_trigger(trigger),
        next: next.as_ref().map(|next| next.times.iter().map(|at| rfc3339(*at)).collect()),
        delayed_by_ms: next.as_ref().map(|next| next.delay_ms),
        last_run_ms: accepted.first().filter(|row| row.run.is_some()).map(|row| row.at_ms),
        last_look_ms: look.as_ref().map(|look| look.looked_ms),
        last_look: look.as_ref().map(PollState::in_words),
        paused: paused.is_some(),
        paused_since: paused.map(|row| rfc3339(row.at_ms)),
        paused_by: paused.map(|row| row.by.clone()),
        next_ms: next.and_then(|next| next.times.first().copied()),
        zone: zone(trigger).to_owned(),
    })
}

/// The zone that a schedule is written in.
pub(super) fn zone(trigger: &Trigger) -> &str {
    match &trigger.kind {
        TriggerKind::Cron(CronTrigger { times: CronTimes::Schedule { timezone, .. }, .. }) => timezone,
        _ => "UTC",
    }
}

/// The last look of a poll trigger that is on disk, where it is about what the trigger asks for now.
pub(super) fn last_look(trigger: &Trigger, reader: &Reader) -> Result<Option<PollState>, QueryError> {
    let TriggerKind::Poll(poll) = &trigger.kind else { return Ok(None) };
    let text = reader.trigger_state(&trigger.id, PollState::KEY)?;
    Ok(text.and_then(|text| PollState::read(&text)).filter(|look| look.of == poll.key() && look.looked_ms > 0))
}

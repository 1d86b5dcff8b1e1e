//! What a trigger would do now. Nothing is started, moved or written.

use serde::Serialize;
use serde_json::Map;
use trackside_node::{Project, rfc3339};
use trackside_spec::{CronTrigger, Overlap, Plan, Trigger, TriggerKind, nearest};
use trackside_store::{Clock, Reader, RunFilter};

use super::{
    files::files,
    list::{last_look, zone},
};
use crate::{InUse, QueryError, describe_trigger, duration_ms, next_times};

/// What a trigger would do. The JSON form is what `trigger test --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct TriggerOutlook {
    /// Its id.
    pub trigger: String,
    /// What it waits for.
    pub what: String,
    /// Whether it starts nothing until it is resumed.
    pub paused: bool,
    /// The next times, or the files that lie there.
    pub outlook: Vec<Outlook>,
    /// What keeps every run from starting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The zone that its schedule is written in.
    #[serde(skip)]
    pub zone: String,
    /// The folder that it watches, relative to the project.
    #[serde(skip)]
    pub folder: Option<String>,
}

/// One thing that would happen.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// A file's path below the folder, or a time.
    pub about: String,
    /// `start`, or why not.
    pub would: &'static str,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The time, milliseconds since 1970, where it is about one.
    #[serde(skip)]
    pub at_ms: Option<i64>,
}

/// What the trigger with this id would do now.
///
/// # Errors
/// When there is no such trigger, or the database refuses.
pub fn trigger_outlook(
    project: &Project,
    in_use: &InUse,
    reader: Option<&Reader>,
    id: &str,
    clock: &dyn Clock,
) -> Result<TriggerOutlook, QueryError> {
    let (plan, trigger) = find(in_use, id)?;
    let paused =
        reader.map(Reader::paused).transpose()?.unwrap_or_default().iter().any(|row| row.trigger == trigger.id);
    let mut folder = None;
    let outlook = match &trigger.kind {
        TriggerKind::File(file) => {
            folder = Some(file.path.clone());
            files(project, trigger, file, reader, paused)?
        }
        TriggerKind::Cron(cron) => times(plan, trigger, cron, reader, paused, clock)?,
        TriggerKind::Poll(_) => vec![poll(trigger, reader, paused)?],
        TriggerKind::Webhook(_)
        | TriggerKind::Mqtt(_)
        | TriggerKind::Workflow(_)
        | TriggerKind::Dataset(_)
        | TriggerKind::Event(_)
        | TriggerKind::Drift(_) => {
            let would = if paused { "paused" } else { "wait" };
            vec![Outlook { about: describe_trigger(trigger), would, detail: String::new(), at_ms: None }]
        }
    };
    let problem = match trigger.kind.has_payload() {
        true => None,
        // Its runs bring no parameters: each must have a default.
        false => plan.bind_params(&Map::new()).err().map(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("; ")
        }),
    };
    Ok(TriggerOutlook {
        trigger: trigger.id.clone(),
        what: describe_trigger(trigger),
        paused,
        outlook,
        problem,
        zone: zone(trigger).to_owned(),
        folder,
    })
}

fn find<'p>(in_use: &'p InUse, id: &str) -> Result<(&'p Plan, &'p Trigger), QueryError> {
    let all = || in_use.workflows.values().flat_map(|plan| plan.triggers.iter().map(move |one| (plan.as_ref(), one)));
    if let Some(found) = all().find(|(_, trigger)| trigger.id == id) {
        return Ok(found);
    }
    let known: Vec<&str> = all().map(|(_, trigger)| trigger.id.as_str()).collect();
    let remedy = match (nearest(id, known.iter().copied()), known.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "the project has none".to_owned(),
        (None, known) => format!("the project has: {}", known.join(", ")),
    };
    Err(QueryError::NoTrigger { trigger: id.to_owned(), remedy })
}

/// What a look now would be held against.
fn poll(trigger: &Trigger, reader: Option<&Reader>, paused: bool) -> Result<Outlook, QueryError> {
    let look = reader.map(|reader| last_look(trigger, reader)).transpose()?.flatten();
    let detail = match look {
        None => "it has not looked yet".to_owned(),
        Some(look) => format!("{} it saw version {}, {}", rfc3339(look.looked_ms), look.version, look.in_words()),
    };
    let would = if paused { "paused" } else { "look" };
    Ok(Outlook { about: describe_trigger(trigger), would, detail, at_ms: None })
}

fn times(
    plan: &Plan,
    trigger: &Trigger,
    cron: &CronTrigger,
    reader: Option<&Reader>,
    paused: bool,
    clock: &dyn Clock,
) -> Result<Vec<Outlook>, QueryError> {
    let next = next_times(trigger, cron, reader, clock.now_ms(), 5)?;
    let busy = match reader {
        None => None,
        Some(reader) => {
            let filter = RunFilter {
                workflow: Some(plan.name.clone()),
                state: Some("running".to_owned()),
                before: None,
                limit: 50,
            };
            reader.runs(&filter)?.into_iter().find(|run| run.trigger == "cron").map(|run| run.run)
        }
    };
    let overlap = match (busy, cron.overlap) {
        (None, _) | (_, Overlap::Allow) => String::new(),
        (Some(run), Overlap::Skip) => format!("unless run {run} is still under way"),
        (Some(run), Overlap::Queue) => format!("after run {run}"),
        (Some(run), Overlap::CancelPrevious) => format!("and cancels run {run}"),
    };
    let delay = (next.delay_ms > 0).then(|| format!("{} after it (jitter)", duration_ms(next.delay_ms)));
    let detail = [delay, (!overlap.is_empty()).then_some(overlap)].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let would = if paused { "paused" } else { "start" };
    let outlook = |at: &i64| Outlook { about: rfc3339(*at), would, detail: detail.clone(), at_ms: Some(*at) };
    Ok(next.times.iter().map(outlook).collect())
}

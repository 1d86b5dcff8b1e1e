//! `trackside trigger list`

use crate::message::Message;
use clap::Args;
use serde_json::{Value, json};
use trackside_control::{InUse, Next, describe_trigger, next_times, no_workflow};
use trackside_facts::PollState;
use trackside_node::rfc3339;
use trackside_spec::{CronTimes, CronTrigger, Trigger, TriggerKind};
use trackside_store::{Clock, PausedRow, Reader, SystemClock};

use super::all;
use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Paint, Table, escape, local_time, zoned_time},
};

/// List triggers: what they wait for, when they come next, which are paused
///
/// Where a node runs, they are those of the definitions that it uses; otherwise those of the files. The last line says which.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this workflow's
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
}

struct Line<'p> {
    workflow: &'p str,
    trigger: &'p Trigger,
    next: Option<Next>,
    last: Option<i64>,
    look: Option<PollState>,
    paused: Option<PausedRow>,
}

/// Lists them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let reader = context.reader_of(&project)?;
    let in_use = runtime()?.block_on(InUse::of(&project, reader.as_ref()))?;
    let mut lines = Vec::new();
    for (plan, trigger) in all(&in_use.workflows) {
        if arguments.workflow.as_ref().is_none_or(|wanted| *wanted == plan.name) {
            lines.push(line(&plan.name, trigger, reader.as_ref())?);
        }
    }
    let console = context.console;
    if let Some(name) = &arguments.workflow
        && !in_use.workflows.contains_key(name)
        && project.problem_of(name).is_none()
    {
        console.warn(Message::of(&no_workflow(&project, name)));
    }
    if console.json {
        return console.print_json(&lines.iter().map(|line| document(line, in_use.origin())).collect::<Vec<_>>());
    }
    if lines.is_empty() {
        console.say(&format!("No triggers that fit. {}", in_use.source()));
        return Ok(());
    }
    let mut table = Table::headed(&["TRIGGER", "STATE", "WHAT", "NEXT", "LAST RUN"]);
    for line in &lines {
        let (state, dress): (&str, fn(Paint, &str) -> String) = match &line.paused {
            Some(_) => ("paused", Paint::yellow),
            None => ("active", Paint::green),
        };
        let next = line.next.as_ref().and_then(|next| next.times.first());
        table.row([
            Cell::new(line.trigger.id.as_str()),
            Cell::dressed(state, dress),
            escape(&what(line)).into_owned().into(),
            next.map(|at| zoned_time(*at, zone(line.trigger))).unwrap_or_default().into(),
            line.last.map(local_time).unwrap_or_default().into(),
        ]);
    }
    console.print(&table.render(console.out))?;
    console.say(&in_use.source());
    Ok(())
}

/// What it waits for, and what it last saw.
fn what(line: &Line<'_>) -> String {
    let what = describe_trigger(line.trigger);
    match &line.look {
        Some(look) => format!("{what}; {}: {}", local_time(look.looked_ms), look.in_words()),
        None => what,
    }
}

/// The zone that a schedule is written in.
pub fn zone(trigger: &Trigger) -> &str {
    match &trigger.kind {
        TriggerKind::Cron(CronTrigger { times: CronTimes::Schedule { timezone, .. }, .. }) => timezone,
        _ => "UTC",
    }
}

fn line<'p>(workflow: &'p str, trigger: &'p Trigger, reader: Option<&Reader>) -> Result<Line<'p>, Failure> {
    let next = match &trigger.kind {
        TriggerKind::Cron(cron) => Some(next_times(trigger, cron, reader, SystemClock.now_ms(), 1)?),
        _ => None,
    };
    let (mut last, mut look, mut paused) = (None, None, None);
    if let Some(reader) = reader {
        last = reader.accepted(&trigger.id, None, 1)?.first().filter(|row| row.run.is_some()).map(|row| row.at_ms);
        look = last_look(trigger, reader)?;
        paused = reader.paused()?.into_iter().find(|row| row.trigger == trigger.id);
    }
    Ok(Line { workflow, trigger, next, last, look, paused })
}

/// The last look of a poll trigger that is on disk, where it is about what the trigger asks for now.
pub fn last_look(trigger: &Trigger, reader: &Reader) -> Result<Option<PollState>, Failure> {
    let TriggerKind::Poll(poll) = &trigger.kind else { return Ok(None) };
    let text = reader.trigger_state(&trigger.id, PollState::KEY)?;
    Ok(text.and_then(|text| PollState::read(&text)).filter(|look| look.of == poll.key() && look.looked_ms > 0))
}

fn document(line: &Line<'_>, from: &str) -> Value {
    json!({
        "trigger": line.trigger.id,
        "workflow": line.workflow,
        "from": from,
        "kind": line.trigger.kind.name(),
        "what": describe_trigger(line.trigger),
        "next": line.next.as_ref().map(|next| next.times.iter().map(|at| rfc3339(*at)).collect::<Vec<_>>()),
        "delayed_by_ms": line.next.as_ref().map(|next| next.delay_ms),
        "last_run_ms": line.last,
        "last_look_ms": line.look.as_ref().map(|look| look.looked_ms),
        "last_look": line.look.as_ref().map(PollState::in_words),
        "paused": line.paused.is_some(),
        "paused_since": line.paused.as_ref().map(|row| rfc3339(row.at_ms)),
        "paused_by": line.paused.as_ref().map(|row| row.by.as_str()),
    })
}

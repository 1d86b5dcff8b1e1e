//! `trackside trigger list`

use crate::message::Message;
use clap::Args;
use trackside_control::{InUse, TriggerState, no_workflow, trigger_states};
use trackside_store::SystemClock;

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

/// Lists them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let reader = context.reader_of(&project)?;
    let in_use = runtime()?.block_on(InUse::of(&project, reader.as_ref()))?;
    let states = trigger_states(&in_use, reader.as_ref(), arguments.workflow.as_deref(), &SystemClock)?;
    let console = context.console;
    if let Some(name) = &arguments.workflow
        && !in_use.workflows.contains_key(name)
        && project.problem_of(name).is_none()
    {
        console.warn(Message::of(&no_workflow(&project, name)));
    }
    if console.json {
        return console.print_json(&states);
    }
    if states.is_empty() {
        console.say(&format!("No triggers that fit. {}", in_use.source()));
        return Ok(());
    }
    let mut table = Table::headed(&["TRIGGER", "STATE", "WHAT", "NEXT", "LAST RUN"]);
    for state in &states {
        let (word, dress): (&str, fn(Paint, &str) -> String) =
            if state.paused { ("paused", Paint::yellow) } else { ("active", Paint::green) };
        table.row([
            Cell::new(state.trigger.as_str()),
            Cell::dressed(word, dress),
            escape(&what(state)).into_owned().into(),
            state.next_ms.map(|at| zoned_time(at, &state.zone)).unwrap_or_default().into(),
            state.last_run_ms.map(local_time).unwrap_or_default().into(),
        ]);
    }
    console.print(&table.render(console.out))?;
    console.say(&in_use.source());
    Ok(())
}

/// What it waits for, and what it last saw.
fn what(state: &TriggerState) -> String {
    match (state.last_look_ms, &state.last_look) {
        (Some(at), Some(look)) => format!("{}; {}: {look}", state.what, local_time(at)),
        _ => state.what.clone(),
    }
}

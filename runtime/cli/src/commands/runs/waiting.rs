//! `trackside runs list --waiting`

use trackside_control::{WaitingStep, WaitsFor, waiting_steps};
use trackside_store::Reader;

use crate::{
    context::Context,
    failure::Failure,
    output::{Table, escape, shorten},
};

/// Prints the steps that wait for a person, a time or an event, those of the newest runs first.
pub fn execute(
    context: &Context,
    reader: Option<&Reader>,
    workflow: Option<String>,
    limit: u32,
) -> Result<(), Failure> {
    let console = context.console;
    let waiting = match reader {
        Some(reader) => waiting_steps(reader, workflow, limit)?,
        None => Vec::new(),
    };
    if console.json {
        return console.print_json(&waiting);
    }
    if waiting.is_empty() {
        console.say("Nothing waits for a decision, a time or an event.");
        return Ok(());
    }
    let mut table = Table::headed(&["RUN", "WORKFLOW", "STEP", "FOR", "WHO", "UNTIL", "WHAT"]);
    for WaitingStep { run, workflow, step, waits_for } in &waiting {
        let (kind, who, until, what) = match waits_for {
            WaitsFor::Decision(asks) if asks.approvers.is_empty() => {
                ("decision", "anybody".to_owned(), &asks.until, asks.message.as_str())
            }
            WaitsFor::Decision(asks) => ("decision", asks.approvers.join(", "), &asks.until, asks.message.as_str()),
            WaitsFor::Event { event, until } => ("event", String::new(), until, event.as_str()),
            WaitsFor::Time { until } => ("time", String::new(), until, ""),
        };
        table.row([
            run.to_string().into(),
            workflow.as_str().into(),
            step.as_str().into(),
            kind.into(),
            shorten(&escape(&who), 40).into(),
            until.clone().unwrap_or_default().into(),
            shorten(&escape(what), 80).into(),
        ]);
    }
    console.print(&table.render(console.out))
}

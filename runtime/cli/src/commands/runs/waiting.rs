//! `trackside runs list --waiting`

use trackside_control::{WaitingStep, waiting_steps};
use trackside_store::Reader;

use crate::{
    context::Context,
    failure::Failure,
    output::{Table, escape, shorten},
};

/// Prints the steps that wait for a person, those of the newest runs first.
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
        console.say("Nothing waits for a decision.");
        return Ok(());
    }
    let mut table = Table::headed(&["RUN", "WORKFLOW", "STEP", "WHO", "UNTIL", "WHAT"]);
    for WaitingStep { run, workflow, step, asks } in &waiting {
        let who = if asks.approvers.is_empty() { "anybody".to_owned() } else { asks.approvers.join(", ") };
        table.row([
            run.to_string().into(),
            workflow.as_str().into(),
            step.as_str().into(),
            shorten(&escape(&who), 40).into(),
            asks.until.clone().unwrap_or_default().into(),
            shorten(&escape(&asks.message), 80).into(),
        ]);
    }
    console.print(&table.render(console.out))
}

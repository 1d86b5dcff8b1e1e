//! `trackside runs list --waiting`

use serde::Serialize;
use trackside_engine::RunId;
use trackside_store::{Reader, RunFilter};

use crate::{
    context::Context,
    failure::Failure,
    output::{Table, escape, shorten},
    view::{Asks, RunView},
};

/// Runs that are looked through; a node has fewer under way.
const LOOKED_THROUGH: u32 = 10_000;

/// A step that waits for a person.
#[derive(Serialize)]
struct Waiting {
    run: RunId,
    workflow: String,
    step: String,
    #[serde(flatten)]
    asks: Asks,
}

/// Prints the steps that wait for a person, those of the newest runs first.
pub fn execute(
    context: &Context,
    reader: Option<&Reader>,
    workflow: Option<String>,
    limit: u32,
) -> Result<(), Failure> {
    let console = context.console;
    let mut waiting = Vec::new();
    if let Some(reader) = reader {
        let state = Some("running".to_owned());
        for row in reader.runs(&RunFilter { workflow, state, before: None, limit: LOOKED_THROUGH })? {
            let Some(view) = RunView::read(reader, row.run)? else { continue };
            for step in view.steps {
                let Some(asks) = step.asks else { continue };
                waiting.push(Waiting { run: view.run, workflow: view.workflow.clone(), step: step.id, asks });
            }
            if waiting.len() >= limit as usize {
                break;
            }
        }
    }
    waiting.truncate(limit as usize);
    if console.json {
        return console.print_json(&waiting);
    }
    if waiting.is_empty() {
        console.say("Nothing waits for a decision.");
        return Ok(());
    }
    let mut table = Table::headed(&["RUN", "WORKFLOW", "STEP", "WHO", "UNTIL", "WHAT"]);
    for Waiting { run, workflow, step, asks } in &waiting {
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

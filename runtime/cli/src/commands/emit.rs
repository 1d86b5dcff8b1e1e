//! `trackside emit`

use clap::Args;
use serde_json::Value;
use trackside_codes::code;
use trackside_control::{EmitEvent, Session};
use trackside_spec::read_outside;

use crate::{
    accepting::accepted,
    context::{Context, runtime},
    failure::Failure,
    output::{count, escape},
};

/// Emit an event: workflows with an `event` trigger of that name start, and steps that wait for it go on
///
/// What it sets off is on disk when the command ends. An event that nobody waits for is gone: it is not kept for who comes
/// later. A step emits one with the plugin `emit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside emit door-opened\n  trackside emit batch-done --data '{\"batch\": 7}'")]
pub struct Arguments {
    /// The event's name: letters, digits, `.`, `_` and `-`
    name: String,
    /// What it brings: any JSON, at most 64 KiB; `event.data` for who waits for it
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
}

/// Emits it.
pub fn execute(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let data = match &arguments.data {
        None => Value::Null,
        Some(text) => read_outside(text.as_bytes())
            .map_err(|error| Failure::new(code!("TS-0741"), format!("--data is no JSON: {error}")))?,
    };
    let data_dir = context.node_dir()?;
    let console = context.console;
    let event = EmitEvent { name: arguments.name, data };
    let emitted = runtime()?.block_on(async {
        let session = Session::with_node(&data_dir).await?;
        let asked = session.control().emit(event);
        accepted(console, &session, "the node takes the event", asked).await
    })?;
    if console.json {
        return console.print_json(&emitted);
    }
    if emitted.started.is_empty() && emitted.resumed.is_empty() {
        console.say(&format!("Nobody waits for an event `{}`.", escape(&emitted.name)));
    }
    let started: Vec<String> = emitted.started.iter().map(ToString::to_string).collect();
    if !started.is_empty() {
        console.say(&format!("{} started: {}", count(started.len() as u64, "run"), started.join(", ")));
    }
    let resumed: Vec<String> = emitted.resumed.iter().map(ToString::to_string).collect();
    if !resumed.is_empty() {
        console.say(&format!("{} waited for it: {}", count(resumed.len() as u64, "run"), resumed.join(", ")));
    }
    Ok(())
}

//! `trackside approve`

use std::sync::Arc;

use clap::Args;
use serde_json::json;
use trackside_control::{Client, Decided, Decision, decide, find_run, user_name};
use trackside_node::{Node, NodeOptions};
use trackside_store::SystemClock;

use crate::{
    accepting::accepted,
    context::{Context, runtime},
    failure::Failure,
    output::escape,
};

/// Decide about a step that waits for a person
///
/// `trackside runs list --waiting` prints what waits. Who decides is the Unix user that runs this command; a step with
/// `approvers` takes decisions of those alone.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside approve last release\n  trackside approve 06f2k8 release --reject --comment \"not on a Friday\""
)]
pub struct Arguments {
    /// The run's id, its beginning, or `last`
    run: String,
    /// The step that waits
    step: String,
    /// Say no: the step fails with `rejected`
    #[arg(long)]
    reject: bool,
    /// What there is to say about it; kept with the run
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
}

/// Decides, over the socket of the running node or, where none runs, with a node for this moment.
pub fn execute(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let run = find_run(&reader, &arguments.run)?;
    drop(reader);
    let decision = Decision { approve: !arguments.reject, comment: arguments.comment };
    let runtime = runtime()?;
    let decided = match runtime.block_on(Client::find(&project.data_dir()))? {
        Some(client) => {
            let asked = client.decide(run, &arguments.step, &decision);
            runtime.block_on(accepted(context.console, &client, "the node accepts the decision", asked))?
        }
        None => {
            let node = Node::start(&project, &NodeOptions { triggers: false, clock: Arc::new(SystemClock) })?;
            let by = user_name(rustix::process::getuid().as_raw());
            let decided = runtime.block_on(decide(&node.handle(), run, &arguments.step, &by, &decision));
            // Outside of the runtime: the node waits for its threads.
            drop(node);
            decided?;
            context.console.say("No node is running: the run goes on at the next `trackside serve`.");
            Decided { run, step: arguments.step, approved: decision.approve, by }
        }
    };
    let console = context.console;
    if console.json {
        return console.print_json(&json!(decided));
    }
    let word = if decided.approved { "approved" } else { "rejected" };
    console.print(&format!("{word} {} of run {} as {}", escape(&decided.step), decided.run, escape(&decided.by)))
}

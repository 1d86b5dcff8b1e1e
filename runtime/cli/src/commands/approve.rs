//! `trackside approve`

use clap::Args;
use serde_json::json;
use trackside_control::{Decision, Session, find_run, user_name};

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
    let session = Session::open(&project, &user_name(rustix::process::getuid().as_raw()), &runtime)?;
    let asked = session.control().decide(run, &arguments.step, decision);
    let decided = runtime.block_on(accepted(context.console, &session, "the node accepts the decision", asked));
    let is_remote = session.is_remote();
    // Outside of the runtime: a node of this process waits for its threads.
    drop(session);
    let decided = decided?;
    if !is_remote {
        context.console.say("No node is running: the run goes on at the next `trackside serve`.");
    }
    let console = context.console;
    if console.json {
        return console.print_json(&json!(decided));
    }
    let word = if decided.approved { "approved" } else { "rejected" };
    console.print(&format!("{word} {} of run {} as {}", escape(&decided.step), decided.run, escape(&decided.by)))
}

//! `trackside rollout promote`, `abort`, `hold`, `resume`

use clap::Args;
use trackside_node::Say;

use super::status::line;
use crate::{
    accepting::accepted,
    commands::model::session,
    context::{Context, runtime},
    failure::Failure,
};

/// Let the candidate take over now, whatever the evidence
#[derive(Debug, Args)]
pub struct Promote {
    /// The model's name, or workflow/NAME
    model: String,
}

/// Take the candidate back now
#[derive(Debug, Args)]
pub struct Abort {
    /// The model's name, or workflow/NAME
    model: String,
}

/// Keep the share as it is and promote nothing, until `resume`; a gate that breaks takes the candidate back all the same
#[derive(Debug, Args)]
pub struct Hold {
    /// The model's name, or workflow/NAME
    model: String,
}

/// Let a rollout go on that is held, that asks, or that was stopped
#[derive(Debug, Args)]
pub struct Resume {
    /// The model's name, or workflow/NAME
    model: String,
}

/// See [`Promote`].
pub fn promote(context: &Context, arguments: &Promote) -> Result<(), Failure> {
    say(context, &arguments.model, Say::Promote)
}

/// See [`Abort`].
pub fn abort(context: &Context, arguments: &Abort) -> Result<(), Failure> {
    say(context, &arguments.model, Say::Abort)
}

/// See [`Hold`].
pub fn hold(context: &Context, arguments: &Hold) -> Result<(), Failure> {
    say(context, &arguments.model, Say::Hold)
}

/// See [`Resume`].
pub fn resume(context: &Context, arguments: &Resume) -> Result<(), Failure> {
    say(context, &arguments.model, Say::Resume)
}

fn say(context: &Context, model: &str, say: Say) -> Result<(), Failure> {
    let project = context.project()?;
    let console = context.console;
    let now = runtime()?.block_on(async {
        let session = session(project).await?;
        let asked = session.control().say_rollout(model, say);
        accepted(console, &session, "the node accepts it", asked).await.map_err(Failure::from)
    })?;
    if console.json {
        return console.print_json(&now);
    }
    console.say(&line(&now));
    Ok(())
}

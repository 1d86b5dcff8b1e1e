//! `trackside trigger pause | resume`

use clap::Args;
use serde_json::json;
use trackside_control::Session;

use crate::{
    accepting::{HERE, accepted},
    context::{Context, runtime},
    failure::Failure,
};

/// Let a trigger start nothing until it is resumed
///
/// The pause outlives a restart. Files stay where they are and start their runs afterwards; times that come meanwhile are
/// recorded as `paused` and are not made up for (`trackside backfill` does that). Runs under way go on, and the workflow
/// can be run by hand.
#[derive(Debug, Args)]
pub struct Pause {
    /// Its id, as `trackside trigger list` prints it
    trigger: String,
}

/// Let a paused trigger start runs again
#[derive(Debug, Args)]
pub struct Resume {
    /// Its id, as `trackside trigger list` prints it
    trigger: String,
}

/// Pauses.
pub fn pause(context: &Context, arguments: &Pause) -> Result<(), Failure> {
    set(context, &arguments.trigger, true)
}

/// Resumes.
pub fn resume(context: &Context, arguments: &Resume) -> Result<(), Failure> {
    set(context, &arguments.trigger, false)
}

fn set(context: &Context, trigger: &str, pause: bool) -> Result<(), Failure> {
    let project = context.project()?;
    let changed = runtime()?.block_on(async {
        let session = Session::without_node(project, HERE).await?;
        let asked = session.control().pause_trigger(trigger, pause);
        accepted(context.console, &session, "the node accepts it", asked).await
    })?;
    let changed = changed.changed;
    if context.console.json {
        return context.console.print_json(&json!({ "trigger": trigger, "paused": pause, "changed": changed }));
    }
    let word = match (pause, changed) {
        (true, true) => "is paused",
        (true, false) => "was paused already",
        (false, true) => "is resumed",
        (false, false) => "was not paused",
    };
    context.console.say(&format!("{trigger} {word}."));
    Ok(())
}

//! `trackside trigger pause | resume`

use clap::Args;
use serde_json::json;
use trackside_server::Client;
use trackside_store::{Clock, Committer, Durability, PausedRow, Reader, SystemClock, Txn, Write};

use super::find;
use crate::{
    accepting::accepted,
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
    let data_dir = project.data_dir();
    let runtime = runtime()?;
    let changed = match runtime.block_on(Client::find(&data_dir))? {
        Some(client) => {
            let asked = client.pause_trigger(trigger, pause);
            runtime.block_on(accepted(context.console, &client, "the node accepts it", asked))?.changed
        }
        None => {
            let mut committer = Committer::open(&data_dir, Durability::Full)?;
            let paused = Reader::open(&data_dir)?.paused()?.iter().any(|row| row.trigger == trigger);
            // One that the project has no longer can still be resumed.
            if !paused {
                find(&project.workflows, trigger)?;
            }
            if paused != pause {
                let (trigger, at_ms) = (trigger.to_owned(), SystemClock.now_ms());
                let by = "the command line".to_owned();
                let write = match pause {
                    true => Write::Paused(PausedRow { trigger, at_ms, by }),
                    false => Write::Resumed { trigger, at_ms, by },
                };
                committer.commit(&[Txn::of(vec![write])])?;
            }
            paused != pause
        }
    };
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

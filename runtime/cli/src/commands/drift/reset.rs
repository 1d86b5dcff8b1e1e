//! `trackside drift reset`

use clap::Args;
use trackside_control::Session;

use crate::{
    accepting::{HERE, accepted},
    context::{Context, runtime},
    failure::Failure,
    output::escape,
};

/// Make a reference anew: what comes from now on is what later windows are compared with
///
/// For when what has moved is right: a new sensor, another season, a process that was changed. Windows and alarm of all versions go.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  trackside drift reset pump-anomaly")]
pub struct Arguments {
    /// The name of a model or a dataset
    name: String,
}

/// Has it made anew.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let console = context.console;
    let reset = runtime()?.block_on(async {
        let session = Session::without_node(project, HERE).await?;
        let asked = session.control().reset_drift(&arguments.name);
        accepted(console, &session, "the reference is made anew", asked).await.map_err(Failure::from)
    })?;
    if console.json {
        return console.print_json(&reset);
    }
    console.say(&format!("The next rows of {} are its reference.", escape(&reset.name)));
    Ok(())
}

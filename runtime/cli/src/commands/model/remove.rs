//! `trackside model remove`

use clap::Args;
use trackside_codes::code;
use trackside_spec::{ModelRef, ModelVersion};

use super::registered::session;
use crate::{
    accepting::accepted,
    context::{Context, runtime},
    failure::Failure,
};

/// Remove a version of a model that no alias names
///
/// Its files go with it. Its number is never given again, and its history stays.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside model remove pump-anomaly@2")]
pub struct Arguments {
    /// The version, by its number: NAME@3
    #[arg(value_name = "NAME@VERSION")]
    version: ModelRef,
}

/// Removes it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let reference = &arguments.version;
    let ModelVersion::Number(version) = reference.version else {
        let text = format!(
            "{reference} names no single version; say its number, as in {}@3: `trackside model list {}` shows them",
            reference.name, reference.name
        );
        return Err(Failure::new(code!("TS-0550"), text));
    };
    let project = context.project()?;
    let console = context.console;
    let removed = runtime()?.block_on(async {
        let session = session(project).await?;
        let asked = session.control().remove_model(&reference.name, version);
        accepted(console, &session, "the node accepts it", asked).await.map_err(Failure::from)
    })?;
    if console.json {
        return console.print_json(&removed);
    }
    console.say(&format!("{}@{} is removed.", removed.name, removed.version));
    Ok(())
}

//! `trackside model alias`

use clap::Args;
use trackside_spec::{check_model_alias, check_model_name};

use super::{add::moved_line, registered::session};
use crate::{
    accepting::accepted,
    context::{Context, runtime},
    failure::Failure,
};

/// Let an alias name a version of a model, or remove it
///
/// Workflows and clients that name NAME@ALIAS get that version from then on. `champion` is what NAME alone means.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside model alias pump-anomaly champion 3\n  trackside model alias pump-anomaly candidate --delete"
)]
pub struct Arguments {
    /// The model's name
    name: String,
    /// The alias: lower-case letters, digits, `-`
    alias: String,
    /// The number of the version that it names from now on
    #[arg(required_unless_present = "delete", conflicts_with = "delete", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    /// Remove the alias
    #[arg(long)]
    delete: bool,
}

/// Moves it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, alias, version, .. } = arguments;
    check_model_name(name)?;
    check_model_alias(alias)?;
    let project = context.project()?;
    let console = context.console;
    let moved = runtime()?.block_on(async {
        let session = session(project).await?;
        let asked = session.control().move_model_alias(name, alias, *version);
        accepted(console, &session, "the node accepts it", asked).await.map_err(Failure::from)
    })?;
    if console.json {
        return console.print_json(&moved);
    }
    console.say(&moved_line(&moved));
    Ok(())
}

//! `trackside model rollback`

use clap::Args;
use trackside_spec::{CHAMPION, check_model_alias, check_model_name};

use super::{add::moved_line, registered::session};
use crate::{
    accepting::accepted,
    context::{Context, runtime},
    failure::Failure,
};

/// Move an alias of a model back to what it named before its last move
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside model rollback pump-anomaly")]
pub struct Arguments {
    /// The model's name
    name: String,
    /// The alias
    #[arg(long, value_name = "NAME", default_value = CHAMPION)]
    alias: String,
}

/// Moves it back.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, alias } = arguments;
    check_model_name(name)?;
    check_model_alias(alias)?;
    let project = context.project()?;
    let console = context.console;
    let moved = runtime()?.block_on(async {
        let session = session(project).await?;
        let asked = session.control().roll_back_model(name, alias);
        accepted(console, &session, "the node accepts it", asked).await.map_err(Failure::from)
    })?;
    if console.json {
        return console.print_json(&moved);
    }
    console.say(&moved_line(&moved));
    Ok(())
}

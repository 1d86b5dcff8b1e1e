//! `trackside plugin build`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use trackside_kit::{Built, Kind};

use crate::{context::Context, failure::Failure, output::bytes, progress::telling};

/// Build a plugin project
///
/// Runs the command of its plugin.toml, makes a component of the result where the language's tool makes a core module,
/// and puts it into dist/.
#[derive(Debug, Args)]
pub struct Build {
    /// The plugin project
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Builds it.
pub fn execute(context: &Context, arguments: &Build) -> Result<(), Failure> {
    let console = context.console;
    let built = telling(console, "building", || trackside_kit::build(&arguments.dir))?;
    if console.json {
        return console.print_json(&json!({ "name": built.name, "file": built.path, "size": built.size }));
    }
    console.print(&format!("{}\n", line(&built)))
}

/// What was built, in a line.
pub fn line(built: &Built) -> String {
    let kind = match built.kind {
        Kind::Component => "a component",
        Kind::Encoded => "a component, encoded from a core module",
        Kind::Command => "a WASI command",
    };
    format!("{}  {}, {kind}", built.path.display(), bytes(built.size))
}

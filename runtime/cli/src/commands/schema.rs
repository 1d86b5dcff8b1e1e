//! `trackside schema`

use clap::{Args, ValueEnum};
use trackside_spec::{node_schema, workflow_schema};

use crate::{context::Context, failure::Failure};

/// Print the JSON Schema of a file that people write
///
/// Of workflow files or of trackside.toml, in draft 2020-12, for editors and other checkers.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which file's
    #[arg(value_enum)]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Workflow files
    Workflow,
    /// trackside.toml
    Node,
}

/// Prints it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    context.console.print_json(&match arguments.what {
        What::Workflow => workflow_schema(),
        What::Node => node_schema(),
    })
}

//! `trackside schema`

use clap::{Args, ValueEnum};
use trackside_spec::{node_schema, workflow_schema};

use crate::{context::Context, failure::Failure};

/// Prints the JSON Schema (draft 2020-12) of workflow files or of trackside.toml, for editors and other checkers.
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

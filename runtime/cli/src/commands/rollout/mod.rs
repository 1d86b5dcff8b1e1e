//! `trackside rollout`: a new version beside the one in service, and what follows.

mod explain;
mod plan;
mod say;
mod shape;
mod start;
mod status;

use clap::Subcommand;

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Start(start::Arguments),
    Status(status::Arguments),
    Explain(explain::Arguments),
    Plan(plan::Arguments),
    Promote(say::Promote),
    Abort(say::Abort),
    Hold(say::Hold),
    Resume(say::Resume),
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Start(arguments) => start::execute(context, arguments),
        Command::Status(arguments) => status::execute(context, arguments),
        Command::Explain(arguments) => explain::execute(context, arguments),
        Command::Plan(arguments) => plan::execute(context, arguments),
        Command::Promote(arguments) => say::promote(context, arguments),
        Command::Abort(arguments) => say::abort(context, arguments),
        Command::Hold(arguments) => say::hold(context, arguments),
        Command::Resume(arguments) => say::resume(context, arguments),
    }
}

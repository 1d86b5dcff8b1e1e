//! `trackside drift`: what has moved away from what it was.

mod reset;
mod show;

use clap::Subcommand;

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Show(show::Arguments),
    Reset(reset::Arguments),
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Show(arguments) => show::execute(context, arguments),
        Command::Reset(arguments) => reset::execute(context, arguments),
    }
}

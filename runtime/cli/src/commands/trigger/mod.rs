//! `trackside trigger`: what starts runs, pausing it, and what it would do.

mod list;
mod pause;
mod test;

use clap::Subcommand;

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::Arguments),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Test(test::Arguments),
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::execute(context, arguments),
        Command::Pause(arguments) => pause::pause(context, arguments),
        Command::Resume(arguments) => pause::resume(context, arguments),
        Command::Test(arguments) => test::execute(context, arguments),
    }
}

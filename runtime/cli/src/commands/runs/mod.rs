//! `trackside runs`: what has run, and what is to become of it. What is only shown is read from the store directly; a node
//! may or may not be running.

mod control;
mod list;
mod logs;
mod show;
mod usage;
mod waiting;

use clap::Subcommand;

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::Arguments),
    Show(show::Arguments),
    Logs(logs::Arguments),
    Cancel(control::Cancel),
    Pause(control::Pause),
    Resume(control::Resume),
    Retry(control::Retry),
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::execute(context, arguments),
        Command::Show(arguments) => show::execute(context, arguments),
        Command::Logs(arguments) => logs::execute(context, arguments),
        Command::Cancel(arguments) => control::cancel(context, arguments),
        Command::Pause(arguments) => control::pause(context, arguments),
        Command::Resume(arguments) => control::resume(context, arguments),
        Command::Retry(arguments) => control::retry(context, arguments),
    }
}

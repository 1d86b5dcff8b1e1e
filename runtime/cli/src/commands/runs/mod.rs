//! `trackside runs`: what has run. Reads the store directly; a node may or may not be running.

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
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::execute(context, arguments),
        Command::Show(arguments) => show::execute(context, arguments),
        Command::Logs(arguments) => logs::execute(context, arguments),
    }
}

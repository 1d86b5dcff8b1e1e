//! `trackside runs`: what has run. Reads the store directly; a node may or may not be running.

mod list;
mod logs;
mod show;

use clap::Subcommand;

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List runs, newest first
    List(list::Arguments),
    /// Show one run: steps, outputs, errors, deliveries
    Show(show::Arguments),
    /// Print what the steps of a run logged
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

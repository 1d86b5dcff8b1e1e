//! `trackside token`: who may ask the node over a network.

mod create;
mod list;
mod revoke;

use clap::Subcommand;

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Create(create::Arguments),
    List(list::Arguments),
    Revoke(revoke::Arguments),
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Create(arguments) => create::execute(context, arguments),
        Command::List(arguments) => list::execute(context, arguments),
        Command::Revoke(arguments) => revoke::execute(context, arguments),
    }
}

//! The `trackside` command: parses the command line, runs one command, turns its end into an exit code.

mod accepting;
mod allocator;
mod args;
mod commands;
mod console;
mod context;
mod environment;
mod failure;
mod live;
mod logging;
mod message;
mod notify;
mod output;
mod progress;
mod view;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    environment::prepare();
    match args::Cli::try_parse() {
        Ok(cli) => commands::run(cli),
        Err(error) => {
            // Help and version come this way too. Where nobody reads, there is nobody to tell.
            let _ = error.print();
            if error.use_stderr() { failure::Exit::Usage.into() } else { ExitCode::SUCCESS }
        }
    }
}

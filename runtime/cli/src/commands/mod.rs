//! One file for each command.

pub mod approve;
pub mod artifact;
pub mod backfill;
pub mod bench;
pub mod check;
pub mod demo;
pub mod drift;
pub mod emit;
pub mod engine;
pub mod explain;
pub mod grants;
pub mod init;
pub mod installed;
pub mod label;
pub mod model;
pub mod plugin;
pub mod prune;
pub mod reference;
pub mod reload;
pub mod replay;
pub mod rollout;
pub mod run;
pub mod runs;
pub mod samples;
pub mod schema;
pub mod serve;
pub mod status;
pub mod token;
pub mod trigger;
pub mod usage;

use std::process::ExitCode;

use crate::{
    args::{Cli, Command},
    console::Console,
    context::Context,
    failure::Failure,
    logging,
};

/// Runs a command and tells how it ended.
pub fn run(cli: Cli) -> ExitCode {
    if let Command::CompileWorker { order } = &cli.command {
        // Before anything is looked at: it has no project, no folder and no log.
        return trackside_sandbox::compile_worker(order);
    }
    if let Command::ModelWorker { order } = &cli.command {
        return trackside_models::model_worker(order);
    }
    let console = Console::new(&cli.global);
    match dispatch(cli, console) {
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(Failure::Ended(exit, message)) => {
            if !message.is_empty() {
                console.complain(&message);
            }
            exit.into()
        }
    }
}

fn dispatch(cli: Cli, console: Console) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let context = Context::new(&global, console)?;
    // A service tells what it does; a command that a person waits for tells what is wrong.
    let level = match &command {
        Command::Serve(_) => serve::log_level(&context)?,
        _ => "warn",
    };
    logging::start(&global, console, level);
    match command {
        Command::Demo(arguments) => demo::execute(&context, &arguments),
        Command::Init(arguments) => init::execute(&context, &arguments),
        Command::Check(arguments) => check::execute(&context, &arguments),
        Command::Run(arguments) => run::execute(&context, arguments),
        Command::Serve(_) => serve::execute(&context),
        Command::Reload(_) => reload::execute(&context),
        Command::Status(_) => status::execute(&context),
        Command::Approve(arguments) => approve::execute(&context, arguments),
        Command::Runs(command) => runs::execute(&context, &command),
        Command::Explain(arguments) => explain::execute(&context, &arguments),
        Command::Drift(command) => drift::execute(&context, &command),
        Command::Rollout(command) => rollout::execute(&context, &command),
        Command::Token(command) => token::execute(&context, &command),
        Command::Trigger(command) => trigger::execute(&context, &command),
        Command::Backfill(arguments) => backfill::execute(&context, &arguments),
        Command::Replay(arguments) => replay::execute(&context, &arguments),
        Command::Plugin(command) => plugin::execute(&context, &command),
        Command::Samples(command) => samples::execute(&context, command),
        Command::Label(arguments) => label::execute(&context, arguments),
        Command::Model(command) => model::execute(&context, &command),
        Command::Engine(command) => engine::execute(&context, &command),
        Command::Emit(arguments) => emit::execute(&context, arguments),
        Command::Prune(arguments) => prune::execute(&context, &arguments),
        Command::Usage(arguments) => usage::execute(&context, &arguments),
        Command::Artifact(command) => artifact::execute(&context, &command),
        Command::Bench(arguments) => bench::execute(&context, &arguments),
        Command::Schema(arguments) => schema::execute(&context, &arguments),
        Command::Reference(arguments) => reference::execute(&context, &arguments),
        // Has been run before.
        Command::CompileWorker { .. } | Command::ModelWorker { .. } => Ok(()),
    }
}

//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::{
    commands,
    context::{COMPILE_WORKER, MODEL_WORKER},
    failure::EXIT_CODES,
};

/// A small local orchestrator for edge boxes.
///
/// Workflows start on a schedule, when a file, a message or a webhook arrives, or by hand; their steps are sandboxed WebAssembly components and
/// local ONNX models; every result is on disk before anyone is told of it.
///
/// Data goes to standard output, talk to standard error.
#[derive(Debug, Parser)]
#[command(
    name = "trackside",
    version,
    after_long_help = EXIT_CODES,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
// Under a heading of their own: among a command's options they would stand between them, by their places here.
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The project's folder; without it the nearest one upwards that has a trackside.toml, else this folder
    /// [env: TRACKSIDE_PROJECT]
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more; twice: everything. The environment variable TRACKSIDE_LOG sets levels by module
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours; NO_COLOR is heeded
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// The commands. Those without a text here have theirs at their arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(commands::demo::Arguments),
    Init(commands::init::Arguments),
    Check(commands::check::Arguments),
    Run(commands::run::Arguments),
    Serve(commands::serve::Arguments),
    Reload(commands::reload::Arguments),
    Status(commands::status::Arguments),
    Approve(commands::approve::Arguments),
    /// Look at runs, stop, pause and repeat them
    #[command(subcommand)]
    Runs(commands::runs::Command),
    Explain(commands::explain::Arguments),
    /// Look at triggers, pause and resume them
    #[command(subcommand)]
    Trigger(commands::trigger::Command),
    Backfill(commands::backfill::Arguments),
    Replay(commands::replay::Arguments),
    /// Make, build, test, install, sign and publish plugins
    #[command(subcommand)]
    Plugin(commands::plugin::Command),
    Emit(commands::emit::Arguments),
    /// Keep models in versions, look at them and try them
    #[command(subcommand)]
    Model(commands::model::Command),
    /// See what has moved away from what it was
    #[command(subcommand)]
    Drift(commands::drift::Command),
    Label(commands::label::Arguments),
    /// Look at inputs that a label would teach most for, label and export them
    #[command(subcommand)]
    Samples(commands::samples::Command),
    /// Try a new version of a model beside the one in service, and let evidence decide
    #[command(subcommand)]
    Rollout(commands::rollout::Command),
    /// Say who may ask the inference server
    #[command(subcommand)]
    Token(commands::token::Command),
    /// Look at ONNX engines and install one
    #[command(subcommand)]
    Engine(commands::engine::Command),
    Prune(commands::prune::Arguments),
    Usage(commands::usage::Arguments),
    /// Take artifacts out of the store, and check them
    #[command(subcommand)]
    Artifact(commands::artifact::Command),
    /// Measure what this box can do
    Bench(commands::bench::Arguments),
    Schema(commands::schema::Arguments),
    #[command(hide = true)]
    Reference(commands::reference::Arguments),
    /// Compile what the node gives, within bounds
    #[command(hide = true, name = COMPILE_WORKER)]
    CompileWorker {
        /// What the node added to the command line.
        order: Vec<String>,
    },
    /// Look at a model that the node gives, within bounds
    #[command(hide = true, name = MODEL_WORKER)]
    ModelWorker {
        /// What the node added to the command line.
        order: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_are_taken_before_and_after_the_command() {
        let before = Cli::try_parse_from(["trackside", "--json", "--project", "/p", "runs", "list"]).unwrap();
        let after = Cli::try_parse_from(["trackside", "runs", "list", "--json", "--project", "/p"]).unwrap();
        assert!(before.global.json && after.global.json);
        assert_eq!(before.global.project, after.global.project);
    }
}

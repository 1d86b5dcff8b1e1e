//! `trackside engine`: what runs ONNX models on this box.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use trackside_models::install::{PINNED_VERSION, Progress, install_onnxruntime, install_onnxruntime_from};
use trackside_node::project_models;

use crate::{
    context::{Context, own_data},
    failure::Failure,
    output::{Cell, Paint, Table, escape},
};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the engines and where they come from
    List,
    Install(Install),
}

/// Install ONNX Runtime into the project's data folder
///
/// Fetches the pinned version with your own pip, checks its digest, and puts the library into the data folder. Nothing else of this box is touched. Doing it again does nothing.
#[derive(Debug, Args)]
pub struct Install {
    /// The Python whose pip fetches it
    #[arg(long, value_name = "PY", default_value = "python3")]
    python: PathBuf,
    /// Install from this wheel instead of fetching one: for boxes without a network
    #[arg(long, value_name = "WHEEL", conflicts_with = "python")]
    from: Option<PathBuf>,
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List => list(context),
        Command::Install(arguments) => install(context, arguments),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let project = context.any_project()?;
    // The data folder may have one: not to be let in is not the same as that there is none.
    own_data(&project)?;
    let models = project_models(&project);
    let engines = models.engines().list();
    let console = context.console;
    if console.json {
        return console.print_json(&engines);
    }
    let mut table = Table::headed(&["ENGINE", "VERSION", "STATE", "FROM"]);
    for engine in &engines {
        let from = match (&engine.origin, engine.available) {
            (Some(path), _) => path.display().to_string(),
            (None, true) => "part of this binary".to_owned(),
            (None, false) => String::new(),
        };
        let state = if engine.available {
            Cell::dressed("available", Paint::green)
        } else {
            Cell::dressed("missing", Paint::yellow)
        };
        let version = engine.version.clone().unwrap_or_default();
        table.row([Cell::new(engine.kind.name()), version.into(), state, from.into()]);
    }
    console.print(&table.render(console.out))?;
    for warning in engines.iter().filter_map(|engine| engine.warning.as_ref()) {
        console.say(&format!("\nwarning[{}]: {}", warning.code, escape(&warning.text)));
    }
    for engine in engines.iter().filter(|engine| !engine.available) {
        console.say(&format!("\n{} is missing; what was tried:", engine.kind.name()));
        for tried in &engine.tried {
            console.say(&format!("  {} ({}): {}", tried.path.display(), tried.source, escape(&tried.reason)));
        }
        console.say("`trackside engine install` gets it; models that the built-in engine can run do without it.");
    }
    Ok(())
}

fn install(context: &Context, arguments: &Install) -> Result<(), Failure> {
    let project = context.project()?;
    let data_dir = project.data_dir();
    let console = context.console;
    let mut progress = |progress: Progress| {
        console.say(match progress {
            Progress::Downloading => "Downloading ONNX Runtime (about 28 MB) with pip …",
            Progress::Verifying => "Comparing its digest …",
            Progress::Unpacking => "Unpacking the library …",
        });
    };
    let installed = match &arguments.from {
        Some(wheel) => install_onnxruntime_from(&data_dir, wheel, &mut progress)?,
        None => install_onnxruntime(&data_dir, &arguments.python, &mut progress)?,
    };
    if console.json {
        return console.print_json(&installed);
    }
    let already = if installed.already_there { " was there already" } else { " is installed" };
    console.say(&format!("ONNX Runtime {PINNED_VERSION}{already}: {}", installed.library.display()));
    console.say("A running node uses it after a restart.");
    Ok(())
}

//! `trackside model`: models in versions, what a model file is, which engine can run it, and what it gives.

mod accuracy;
mod add;
mod alias;
mod diff;
mod export;
mod history;
mod import;
mod inspect;
mod limits;
mod list;
mod load;
mod predict;
mod registered;
mod remove;
mod rollback;
mod sign;
mod status;
mod verify;

use crate::failure::Exit;
use std::path::Path;
use trackside_codes::code;

pub use registered::session;

use clap::{Subcommand, ValueEnum};
use trackside_models::{EngineChoice, ModelLimits, ModelSource};
use trackside_node::{Models, Project, project_models};

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Add(add::Arguments),
    List(list::Arguments),
    Status(status::Arguments),
    Accuracy(accuracy::Arguments),
    Load(load::Arguments),
    Inspect(inspect::Arguments),
    Predict(predict::Arguments),
    History(history::Arguments),
    Diff(diff::Arguments),
    Alias(alias::Arguments),
    Rollback(rollback::Arguments),
    Remove(remove::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
}

/// Which engine.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Engine {
    /// The one that workflows would use
    Auto,
    /// ONNX Runtime
    Onnxruntime,
    /// The built-in one
    Rten,
}

impl From<Engine> for EngineChoice {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Auto => Self::Auto,
            Engine::Onnxruntime => Self::OnnxRuntime,
            Engine::Rten => Self::Rten,
        }
    }
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => add::execute(context, arguments),
        Command::List(arguments) => list::execute(context, arguments),
        Command::Status(arguments) => status::execute(context, arguments),
        Command::Accuracy(arguments) => accuracy::execute(context, arguments),
        Command::Load(arguments) => load::execute(context, arguments),
        Command::Inspect(arguments) => inspect::execute(context, arguments),
        Command::Predict(arguments) => predict::execute(context, arguments),
        Command::History(arguments) => history::execute(context, arguments),
        Command::Diff(arguments) => diff::execute(context, arguments),
        Command::Alias(arguments) => alias::execute(context, arguments),
        Command::Rollback(arguments) => rollback::execute(context, arguments),
        Command::Remove(arguments) => remove::execute(context, arguments),
        Command::Export(arguments) => export::execute(context, arguments),
        Command::Import(arguments) => import::execute(context, arguments),
        Command::Sign(arguments) => sign::execute(context, arguments),
        Command::Verify(arguments) => verify::execute(context, arguments),
    }
}

/// The models of a project.
fn models(project: &Project) -> Models {
    project_models(project)
}

/// Whether a name leads into the registry: it is no file, and the project declares no model of that name.
fn is_registered(project: &Project, name: &str) -> bool {
    Path::new(name).extension().is_none_or(|extension| extension != "onnx")
        && project.config.models.get(name).is_none_or(|model| model.path.is_none())
}

/// A model of the project or of the registry by its name, or a file wherever it lies.
fn source(context: &Context, project: &Project, models: &Models, name: &str) -> Result<ModelSource, Failure> {
    let path = Path::new(name);
    let is_path = path.extension().is_some_and(|extension| extension == "onnx");
    if is_path && path.is_file() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let limits = ModelLimits::of(&project.config.model_limits);
        return Ok(ModelSource { time: models.run_limit(), limits, ..ModelSource::new(name, path) });
    }
    if is_registered(project, name) {
        return Ok(registered::find(context, project, models, name)?.source);
    }
    let source = models.source(name, None)?;
    // Not a model that can not be used, but a path that leads nowhere.
    match source.path.try_exists() {
        Ok(false) if is_path => Err(Failure::ended(
            Exit::Usage,
            code!("TS-0501"),
            format!(
                "there is no model file {}; give the path of an .onnx file, or a name of [models] in trackside.toml",
                source.path.display()
            ),
        )),
        _ => Ok(source),
    }
}

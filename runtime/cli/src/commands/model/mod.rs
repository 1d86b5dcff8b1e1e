//! `trackside model`: what a model file is, which engine can run it, and what it gives.

mod inspect;
mod predict;

use crate::failure::Exit;
use std::path::Path;
use trackside_codes::code;

use clap::{Subcommand, ValueEnum};
use trackside_models::{EngineChoice, ModelSource};
use trackside_node::{Models, Project, models_beside};

use crate::{context::Context, failure::Failure};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Inspect(inspect::Arguments),
    Predict(predict::Arguments),
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
        Command::Inspect(arguments) => inspect::execute(context, arguments),
        Command::Predict(arguments) => predict::execute(context, arguments),
    }
}

/// The models of a project.
fn models(project: &Project) -> Models {
    models_beside(project)
}

/// A model of the project by its name, or a file wherever it lies.
fn source(models: &Models, name: &str) -> Result<ModelSource, Failure> {
    let path = Path::new(name);
    let is_path = path.extension().is_some_and(|extension| extension == "onnx");
    if is_path && path.is_file() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        return Ok(ModelSource { time: models.run_limit(), ..ModelSource::new(name, path) });
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

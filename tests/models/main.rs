//! The promise: a model gives the same numbers on whatever engine runs it, or says why it can not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod broken;
mod defaults;
mod engines;
mod golden;
mod install;
mod limits;
mod model_signing;
mod onnx;
mod outputs;
mod predict;
mod pulled;
mod quiet;
mod registry;
mod registry_hostile;
mod rows;
mod signed;
mod status;
mod tables;
mod verify;

use crate::support::{Project, optional, repository};

/// The example's model, which both engines run.
pub const MODEL: &str = "models/pump-anomaly.onnx";
/// Its sample.
pub const SAMPLE: &str = "models/pump-anomaly.selftest.safetensors";

/// A project with the example's model, whose config has these lines.
pub fn project(config: &str) -> Project {
    let project = Project::new();
    for file in [MODEL, SAMPLE] {
        project.write(file, std::fs::read(repository::example("pump-watch").join(file)).unwrap());
    }
    project.write("trackside.toml", config);
    project
}

/// The lines of a config that name the ONNX Runtime of this machine; none where there is none.
pub fn runtime_of(what: &str) -> String {
    let library = optional::onnxruntime(what);
    library.map_or_else(String::new, |library| format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()))
}

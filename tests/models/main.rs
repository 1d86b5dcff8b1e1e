//! The promise: a model gives the same numbers on whatever engine runs it, or says why it can not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod install;
mod onnx;
mod predict;

use crate::support::{Project, repository};

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

//! What bounds a model: its own limits, and those of the box for all of them, as they are in force.

use serde::Serialize;
use trackside_models::{ProbeLimits, half_of_box};
use trackside_node::{Project, model_settings};
use trackside_spec::config::ModelLimitsConfig;

use super::{ServedLimits, place::run_limit};

/// All that bounds a model. Each part is a table of trackside.toml, with the keys of there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelBounds {
    /// `[models.NAME]`: how it is served.
    pub models: ServedLimits,
    /// `[model_limits]`: what it may be, and what looking at it may cost.
    pub model_limits: FileBounds,
    /// `[engine]`.
    pub engine: EngineBounds,
    /// `[limits]`.
    pub limits: StepBounds,
    /// `[inference]`.
    pub inference: ClientBounds,
}

/// What a model may be, and what looking at one may cost that nobody knows yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileBounds {
    /// Memory of the process that looks at it.
    pub memory_bytes: u64,
    /// Its computing time.
    pub cpu_ms: u64,
    /// Its time.
    pub wall_ms: u64,
    /// Files.
    pub files: u32,
    /// Bytes of all files.
    pub bytes: u64,
    /// Weight files beside the model.
    pub weights: u32,
    /// Bytes of a path.
    pub path: u32,
    /// Folders in each other.
    pub depth: u32,
    /// Bytes of the manifest.
    pub manifest_bytes: u64,
    /// Bytes of the signatures.
    pub signatures_bytes: u64,
    /// Bytes of the golden vectors.
    pub golden_bytes: u64,
}

/// What all loaded models may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EngineBounds {
    /// Memory; none where the box does not say how much it has.
    pub memory_bytes: Option<u64>,
}

/// What a step may give a model, and how long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StepBounds {
    /// Time of a run.
    pub wall_ms: u64,
    /// Bytes of the tensors of a step.
    pub tensor_bytes: u64,
}

/// What clients outside may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClientBounds {
    /// Bytes of a request.
    pub body_bytes: u64,
    /// Connections at a time.
    pub connections: u32,
    /// How long a client may take to send, and to take its answer.
    pub patience_ms: u64,
}

/// What bounds the model that a workflow calls `name`: also a path.
#[must_use]
pub fn model_bounds(project: &Project, name: &str) -> ModelBounds {
    let config = &project.config;
    let own = model_settings(config, name);
    let probe = ProbeLimits::of(&config.model_limits, run_limit(project));
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let ModelLimitsConfig { files, bytes, weights, path, depth, manifest, signatures, golden, .. } =
        config.model_limits;
    ModelBounds {
        models: ServedLimits::from(&own),
        model_limits: FileBounds {
            memory_bytes: probe.memory,
            cpu_ms: ms(probe.cpu),
            wall_ms: ms(probe.time),
            files,
            bytes: bytes.as_bytes(),
            weights,
            path,
            depth,
            manifest_bytes: manifest.as_bytes(),
            signatures_bytes: signatures.as_bytes(),
            golden_bytes: golden.as_bytes(),
        },
        engine: EngineBounds {
            memory_bytes: config.engine.memory.map(trackside_spec::ByteSize::as_bytes).or_else(half_of_box),
        },
        limits: StepBounds { wall_ms: ms(run_limit(project)), tensor_bytes: config.limits.tensor.as_bytes() },
        inference: ClientBounds {
            body_bytes: config.inference.body.as_bytes(),
            connections: config.inference.connections,
            patience_ms: config.inference.patience.as_millis(),
        },
    }
}

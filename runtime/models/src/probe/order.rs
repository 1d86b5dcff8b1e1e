//! What the parent asks, and what it is answered. Both are the same program, so the form is nobody else's business.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trackside_spec::config::EngineChoice;

use crate::{engines::EngineKind, file::ModelLimits, package::Signature, port::Tested};

/// Which engines there are, and which one is to be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSettings {
    /// The model's name in messages.
    pub name: String,
    /// The engine.
    pub choice: EngineChoice,
    /// A safetensors file with golden vectors.
    pub golden: Option<PathBuf>,
    /// The library of ONNX Runtime that the config names.
    pub configured: Option<PathBuf>,
    /// The node's data folder.
    pub data_dir: PathBuf,
    /// The engine that `auto` tries first.
    pub prefer: EngineKind,
    /// The longest that one run may take, in milliseconds.
    pub run_ms: u64,
    /// What is read of the model.
    pub limits: ModelLimits,
}

/// What came of looking at a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it takes and gives.
    pub signature: Signature,
    /// The engine that runs it, as `onnxruntime 1.32.0`.
    pub engine: String,
    /// How it was tested there.
    pub tested: Tested,
    /// What an operator should know.
    pub caveats: Vec<String>,
    /// What may make its numbers wrong on this box.
    pub warnings: Vec<ProbeWarning>,
}

/// A warning, as it comes from the other process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeWarning {
    /// Its code.
    pub code: String,
    /// What it is and what to do.
    pub text: String,
}

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Which weight files a model names.
    Weights(PathBuf, ModelLimits),
    /// What the model in this file is, and how it does.
    Probe(PathBuf, ProbeSettings),
}

/// What comes of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The names of the weight files.
    Weights(Vec<String>),
    /// All about the model.
    Probe(Box<Probe>),
    /// It can not be used: a code, and a text.
    Refused(String, String),
}

//! What can go wrong between a model file and its result.

use std::path::PathBuf;
use trackside_codes::{Code, Coded, Reason, code};

use crate::engines::{EngineId, Tried, tried_lines};

/// Why a model could not be read, loaded or run. Every variant has a stable [`code`](ModelError::code).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be read.
    #[error("failed to read the model {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// The file is not an ONNX model, or a damaged one.
    #[error("{} is not a readable ONNX model: {reason}. Check that the file was copied whole (`sha256sum`), or export it again", path.display())]
    NotOnnx {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        #[source]
        reason: Reason,
    },
    /// The file is a model that Trackside cannot use: an input that it cannot give, no output that it can take.
    #[error("Trackside cannot use the model {}: {reason}", path.display())]
    Ports {
        /// The file.
        path: PathBuf,
        /// Which input or output, what it is, and what to do.
        #[source]
        reason: Reason,
    },
    /// The file is more than Trackside reads.
    #[error("the model {} is more than Trackside reads: {reason}", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// Which limit.
        #[source]
        reason: Reason,
    },
    /// A file has another content than it must have.
    #[error(
        "{} has another content than when the model was registered, and is not loaded. Find out who changed it; add or import the \
         model again, or move its aliases to another version", path.display()
    )]
    OtherContent {
        /// The file.
        path: PathBuf,
    },
    /// A file has another content than when it was signed, or the signature does not name it.
    #[error(
        "{} is not what the model's signature names, and is not loaded. Find out who changed it; take the file that was signed, or sign \
         the model again", path.display()
    )]
    OtherThanSigned {
        /// The file.
        path: PathBuf,
    },
    /// Whoever keeps the box does not want it loaded.
    #[error("the model {model} is not loaded: {text}")]
    Refused {
        /// The model.
        model: String,
        /// Why, in the words of who refuses.
        text: String,
        /// The code of that.
        code: Code,
    },
    /// A weight file is missing, or named in a way that is not allowed.
    #[error("failed to read the weight file {file:?} of the model {}: {reason}. Weight files must lie beside the model", path.display())]
    ExternalData {
        /// The model.
        path: PathBuf,
        /// The weight file as the model names it.
        file: String,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// No library of ONNX Runtime can be used.
    #[error(
        "ONNX Runtime is not available; looked at: {}. Run `trackside engine install`, or set the library's path in trackside.toml",
        tried_lines(tried)
    )]
    NoOnnxRuntime {
        /// What was looked at, in order.
        tried: Vec<Tried>,
    },
    /// A library was set by hand that is not the one this process runs on.
    #[error("ONNX Runtime is already loaded from {}: a process can hold one. Restart it to use {}", loaded.display(), asked.display())]
    OtherRuntimeLoaded {
        /// What is loaded.
        loaded: PathBuf,
        /// What was asked for.
        asked: PathBuf,
    },
    /// No engine that may run the model can.
    #[error(
        "{} run the model {model}: {reason}. {}",
        if there.is_some() { "the built-in engine, which was asked for, cannot" } else { "no engine of this box can" },
        remedy(there.as_deref())
    )]
    Unsupported {
        /// The model's name.
        model: String,
        /// Operators that the built-in engine lacks.
        missing: Vec<String>,
        /// What else speaks against each engine.
        #[source]
        reason: Reason,
        /// The ONNX Runtime that is on this box and was not to be used.
        there: Option<Box<EngineId>>,
    },
    /// The engine refuses the model.
    #[error("{engine} refuses the model {model}: {reason}")]
    Load {
        /// The model's name.
        model: String,
        /// The engine.
        engine: EngineId,
        /// Its own words.
        #[source]
        reason: Reason,
    },
    /// The model does not do on the engine what it should.
    #[error("the model {model} failed its self-test on {engine}: {reason}")]
    SelfTest {
        /// The model's name.
        model: String,
        /// The engine.
        engine: EngineId,
        /// What differs, and where.
        #[source]
        reason: Reason,
        /// Whether it did not end in time: another engine is no remedy.
        endless: bool,
    },
    /// The sample for the self-test cannot be used.
    #[error("failed to use the self-test file {}: {reason}", path.display())]
    Sample {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// An input is missing, unknown, or of another type or shape.
    #[error("input {input:?} of the model {model}: {reason}")]
    Input {
        /// The model's name.
        model: String,
        /// The input.
        input: String,
        /// What is wrong, with both sides.
        #[source]
        reason: Reason,
    },
    /// An output was asked for that the model does not have.
    #[error("the model {model} has no output {output:?}; it gives {known}")]
    Output {
        /// The model's name.
        model: String,
        /// What was asked for.
        output: String,
        /// What there is.
        known: String,
    },
    /// The deadline passed.
    #[error("the model {model} was stopped at its deadline after {waited_ms} ms{note}")]
    Timeout {
        /// The model's name.
        model: String,
        /// Time since the call, waiting for a session included.
        waited_ms: u64,
        /// Where the time went, when that is known; starts with a separator.
        note: String,
    },
    /// The caller cancelled.
    #[error("the run of the model {model} was cancelled")]
    Cancelled {
        /// The model's name.
        model: String,
    },
    /// The engine failed while it ran.
    #[error("the model {model} failed on {engine}: {reason}")]
    Run {
        /// The model's name.
        model: String,
        /// The engine.
        engine: EngineId,
        /// Its own words.
        #[source]
        reason: Reason,
    },
}

impl Coded for ModelError {
    fn code(&self) -> Code {
        match self {
            Self::File { .. } => code!("TS-0501"),
            Self::NotOnnx { .. } => code!("TS-0502"),
            Self::Ports { .. } => code!("TS-0540"),
            Self::TooMuch { .. } => code!("TS-0541"),
            Self::OtherContent { .. } => code!("TS-0557"),
            Self::OtherThanSigned { .. } => code!("TS-0594"),
            Self::Refused { code, .. } => *code,
            Self::ExternalData { .. } => code!("TS-0503"),
            Self::NoOnnxRuntime { .. } => code!("TS-0504"),
            Self::OtherRuntimeLoaded { .. } => code!("TS-0505"),
            Self::Unsupported { .. } => code!("TS-0506"),
            Self::Load { .. } => code!("TS-0507"),
            Self::SelfTest { .. } => code!("TS-0508"),
            Self::Sample { .. } => code!("TS-0509"),
            Self::Input { .. } => code!("TS-0510"),
            Self::Output { .. } => code!("TS-0511"),
            Self::Timeout { .. } => code!("TS-0512"),
            Self::Cancelled { .. } => code!("TS-0513"),
            Self::Run { .. } => code!("TS-0514"),
        }
    }
}

/// What to do about a model that the built-in engine refuses.
fn remedy(there: Option<&EngineId>) -> String {
    match there {
        None => "Run `trackside engine install` to get ONNX Runtime, which can run more".to_owned(),
        Some(engine) => format!(
            "{engine} is on this box: take it with `--engine onnxruntime`, or `engine: onnxruntime` at the step, or \
             engine = \"auto\" in trackside.toml"
        ),
    }
}

impl ModelError {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

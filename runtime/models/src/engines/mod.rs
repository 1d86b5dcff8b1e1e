//! The engines: what they have in common, where they are found, and the two there are.

mod discover;
mod locate;
mod onnxruntime;
mod python;
mod rten;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use trackside_codes::Reason;

use serde::{Deserialize, Serialize};
use trackside_spec::{Tensor, config::Provider};

pub use discover::{EngineSettings, EngineStatus, Engines};
pub use locate::Tried;
pub(crate) use locate::tried_lines;

use crate::file::ModelFile;
use crate::output::{Output, OutputPort};
use crate::port::Port;
use crate::stop::{Stop, Stopped};

/// An ONNX engine.
pub trait Engine: Send + Sync {
    /// Which one, which version, from where.
    fn id(&self) -> EngineId;

    /// Makes `model` ready.
    ///
    /// # Errors
    /// The engine's own words.
    fn open(&self, model: &ModelFile, ports: Ports<'_>, wanted: Wanted<'_>) -> Result<Box<dyn Runner>, Reason>;
}

/// The checked inputs and outputs of a model.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// What it takes.
    pub inputs: &'a [Port],
    /// What it gives.
    pub outputs: &'a [OutputPort],
}

/// How a model is to run.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Runs at a time.
    pub sessions: usize,
    /// What is to compute it, the most wanted first; the processor is always the last.
    pub providers: &'a [Provider],
}

/// A model on an engine.
pub trait Runner: Send + Sync {
    /// Runs it: `inputs` in the order of the model's ports and already checked against them, `None` where an optional
    /// one is left out; `wanted` the indices of the outputs to give, in this order.
    ///
    /// # Errors
    /// When the run is stopped, or fails.
    fn run(&self, inputs: Vec<Option<Tensor>>, wanted: &[usize], stop: Stop<'_>) -> Result<Ran, RunFailure>;

    /// Whether constant int8 weights are multiplied exactly with uint8 values whatever the processor has. ONNX Runtime
    /// cannot always be made to.
    fn is_exact(&self) -> bool {
        true
    }

    /// What was wanted to compute it and does not, each with why.
    fn not_used(&self) -> &[(Provider, String)] {
        &[]
    }
}

/// What a run gave.
#[derive(Debug)]
pub struct Ran {
    /// The outputs.
    pub outputs: Vec<Output>,
    /// How long it waited for a free session.
    pub queued: Duration,
    /// Where the time went after that.
    pub spent: Spent,
}

/// Where the time of a run went, once it had a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Checking the inputs and making the engine's own values of them.
    pub input: Duration,
    /// In the engine.
    pub infer: Duration,
    /// Making tensors of what the engine gave.
    pub output: Duration,
}

impl Spent {
    /// All of it.
    #[must_use]
    pub fn all(&self) -> Duration {
        self.input + self.infer + self.output
    }
}

/// Three stretches behind one another, each measured as it ends.
pub(crate) struct Stopwatch {
    since: Instant,
    spent: Spent,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { since: Instant::now(), spent: Spent::default() }
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.since, now)
    }

    /// The inputs are the engine's.
    pub(crate) fn given(&mut self) {
        self.spent.input = self.lap();
    }

    /// The engine has ended.
    pub(crate) fn ran(&mut self) {
        self.spent.infer = self.lap();
    }

    /// The outputs are taken.
    pub(crate) fn taken(mut self) -> Spent {
        self.spent.output = self.lap();
        self.spent
    }
}

/// Why a run gave nothing.
#[derive(Debug)]
pub enum RunFailure {
    /// It was stopped; what is known about where the time went.
    Stopped(Stopped, String),
    /// An input's values, not its type or shape, are impossible: its position and the reason.
    Input(usize, Reason),
    /// The engine failed, in its own words.
    Failed(Reason),
}

/// The engines that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Microsoft's, a shared library: runs everything that can be expected of an edge box.
    OnnxRuntime,
    /// Part of the binary: runs what is proved to give ONNX Runtime's numbers.
    Rten,
}

impl EngineKind {
    /// The name in configuration and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnnxRuntime => "onnxruntime",
            Self::Rten => "rten",
        }
    }
}

/// An engine, exactly: recorded with every run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineId {
    /// Which one.
    pub kind: EngineKind,
    /// Its version; `unknown` when the library does not tell.
    pub version: String,
    /// The library's path; `None` for what is part of the binary.
    pub origin: Option<PathBuf>,
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.version)
    }
}

/// The text of what a panic carried.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the engine panicked: {}", text.unwrap_or("it did not say why"))
}

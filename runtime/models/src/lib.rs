//! Local ONNX models: one trait, two engines, chosen per model.
//!
//! - [`Engines`] finds the engines of this box and loads a [`Model`] on the one that suits it: ONNX Runtime, a shared
//!   library that is looked for and loaded when the first model needs it, or the built-in one, our interpreter.
//! - [`package`] is a model as it is kept, moved and signed; [`Prober`] looks at one that nobody knows yet, in a process of its own.
//! - [`Model`] runs: blocking, from any thread, with a deadline and a [`CancelToken`].
//! - [`onnx`] reads model files without an engine; [`tensor_io`] moves tensors in and out of safetensors, JSON and
//!   `ndarray`; [`install`] fetches the pinned ONNX Runtime.
//!
//! The node and the CLI may call this room. It knows nothing of the store or the sandbox, starts no thread and loads
//! no library before the first model is loaded, and never lets a model file name a path outside its own folder.

mod engines;
mod error;
mod file;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod install;
mod memory;
mod model;
pub mod onnx;
mod output;
pub mod package;
mod pool;
mod port;
mod probe;
mod processor;
mod selftest;
mod stop;
pub mod tensor_io;
mod warning;
mod watchdog;

pub use engines::{
    Engine, EngineId, EngineKind, EngineSettings, EngineStatus, Engines, Ports, Ran, RunFailure, Runner, Spent, Tried,
    Wanted,
};
pub use error::ModelError;
pub use file::{ExternalFile, ModelFile, ModelLimits};
pub use memory::half_of_box;
pub use model::{Model, ModelSource, RunOutput};
pub use output::{Form, JsonPort, MAX_JSON_TEXT, MAX_JSON_VALUES, MapForm, Output, OutputPort};
pub use port::{ExternalInfo, LeftOut, ModelInfo, Port, Tested, takes};
pub use probe::{Probe, ProbeError, ProbeLimits, ProbeSettings, ProbeWarning, Prober, model_worker};
pub use processor::Processor;
pub use selftest::MADE_ON;
pub use stop::{Stop, Stopped};
pub use trackside_spec::config::EngineChoice;
pub use trackside_sync::CancelToken;
pub use warning::Warning;

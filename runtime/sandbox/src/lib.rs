//! Runs plugins: WebAssembly components, and WASI commands, that can do only what a workflow grants them.
//!
//! The node calls this room. It loads a component once ([`Sandbox::load`]) and runs it once per attempt of a step
//! ([`Plugin::run`]), each time in a fresh instance (but for steps that ask for a warm one) with bounds on memory, processor time, wall clock and everything
//! that a guest can make the host hold. What a guest wants of the box comes through [`StepHost`], which the node
//! implements; state writes and effects are only collected here and are the node's to commit. This room may never
//! touch the store, a model engine or a workflow file, never give a guest a path or a socket, and never execute native
//! code that it has not compiled itself or verified.

mod bindings;
mod cache;
mod call;
mod clocks;
mod command;
mod compile;
mod cpu_meter;
mod descriptor;
mod engine;
mod error;
mod failure;
mod files;
mod foresight;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grants;
mod host;
mod host_api;
mod interfaces;
mod limiter;
mod net;
mod nobody;
mod output;
mod plugin;
mod recorder;
mod redact;
mod report;
mod run;
mod schema_cost;
mod slots;
mod store_data;
mod surface;
mod ticker;
mod top_k;
mod warm;
mod wasi;

pub use call::{CallLimits, Reuse, StepCall};
pub use command::{
    call::{CommandCall, CommandStdin},
    folder::InputFolder,
};
pub use compile::{CompileProgram, CompileWorker, compile_worker};
pub use descriptor::{ArtifactPort, Descriptor, Want};
pub use engine::{Layout, Sandbox, SandboxSettings};
pub use error::{LoadError, SandboxError};
pub use failure::StepFailure;
pub use foresight::{Foreseen, Foresight, useless_grant};
pub use host_api::{
    ArtifactSink, BoxFuture, HttpRequest, HttpResponse, InferenceFailure, ModelHandle, ModelPort, ModelSignature,
    SecretValue, StateEntry, StepHost,
};
pub use nobody::Nobody;
pub use plugin::{CacheOutcome, Plugin};
pub use report::{
    CallUsage, Completion, Expect, IfPresent, LogLevel, LogLine, Metric, MetricValue, OutboxEntry, Progress, Span,
    StateOp, StateScope, StateWrite, StepReport,
};
pub use trackside_net::Resolve;
pub use trackside_sync::CancelToken;

//! Write a Trackside step in Rust: about ten lines of your own.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use trackside_sdk::{Step, StepError};
//!
//! #[derive(Deserialize)]
//! struct Input { name: String }
//!
//! #[derive(Serialize)]
//! struct Output { greeting: String }
//!
//! fn run(input: Input, _step: &Step) -> Result<Output, StepError> {
//!     Ok(Output { greeting: format!("Hello, {}", input.name) })
//! }
//!
//! trackside_sdk::plugin! {
//!     name: "greet",
//!     summary: "Greets somebody",
//!     input_schema: r#"{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}"#,
//!     output_schema: r#"{"type": "object", "properties": {"greeting": {"type": "string"}}}"#,
//!     deterministic: true,
//!     run: run,
//! }
//! # fn main() {}
//! ```
//!
//! On a WebAssembly target the crate talks to the host through the contract in `wit/`. On every other target it talks
//! to an in-memory host, so that a plugin's logic is tested by a plain `cargo test`: see [`testing`].
//!
//! - [`Step`] is the door to everything: inputs, outputs, state, outbox, progress.
//! - [`StepError`] is the one error type; `?` turns I/O, JSON and host errors into it.
//! - [`plugin!`] declares what the plugin is and exports it.
//! - Large data goes through [`Artifact`] ([`std::io::Read`]) and [`ArtifactWriter`] ([`std::io::Write`]).

mod artifact;
mod describe;
mod error;
mod host;
pub mod http;
pub mod model;
mod outbox;
mod outcome;
pub mod plugin;
mod secret;
mod state;
mod step;
pub mod telemetry;
pub mod tensor;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use artifact::{Artifact, ArtifactRef, ArtifactWriter, Reader};
#[cfg(feature = "schemars")]
pub use describe::schema_of;
pub use describe::{Descriptor, Port, Want};
pub use error::StepError;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use host::bindings;
pub use host::{
    artifacts::ArtifactError, http::HttpError, inference::InferenceError, outbox::IfPresent, outbox::OutboxError,
    secrets::SecretError, state::StateError,
};
pub use outcome::{IntoOutcome, Outcome};
pub use plugin::Plugin;
pub use secret::Secret;
pub use state::State;
pub use step::{Info, Step};

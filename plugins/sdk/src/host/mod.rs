//! The host behind the SDK: modules named after the contract's interfaces.
//!
//! On WebAssembly they are the generated bindings. Elsewhere they are an in-memory host with the same types and
//! signatures, so that everything above this module is the same code in production and under test.

#[cfg(target_family = "wasm")]
mod wasm;
#[cfg(target_family = "wasm")]
pub use wasm::bindings::{
    self,
    trackside::plugin::{artifacts, context, http, inference, outbox, secrets, state, telemetry},
};

#[cfg(not(target_family = "wasm"))]
pub mod fake;
#[cfg(not(target_family = "wasm"))]
pub use fake::{artifacts, context, http, inference, outbox, secrets, state, telemetry};

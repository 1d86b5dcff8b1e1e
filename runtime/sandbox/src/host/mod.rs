//! The contract's imports, one file per WIT interface that the host provides.
//!
//! All of them are always linked; what a step was not granted answers `denied` with the YAML that would grant it.

pub(crate) mod artifacts;
mod context;
mod http;
pub(crate) mod inference;
pub(crate) mod metrics;
mod names;
mod outbox;
pub(crate) mod secrets;
pub(crate) mod staged;
mod state;
mod telemetry;
#[cfg(test)]
mod tests;
mod wasi_http;
pub(crate) mod writer;

use wasmtime::{
    Engine,
    component::{HasSelf, Linker},
};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;

use crate::{bindings, store_data::CallData};

pub use http::Response;
pub use telemetry::OpenSpan;

impl bindings::trackside::plugin::common::Host for CallData {}

/// A linker with WASI 0.2, wasi:http for outgoing requests, and the whole contract.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<CallData>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Ours knows logical time; see `clocks`.
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<CallData, HasSelf<CallData>>(&mut linker, |data| data)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    bindings::Plugin::add_to_linker::<CallData, HasSelf<CallData>>(&mut linker, |data| data)?;
    Ok(linker)
}

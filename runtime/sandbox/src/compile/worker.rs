//! The worker: bounds itself, reads WebAssembly from standard input, writes native code to standard output.
//!
//! Standard output carries the code's length (eight bytes, little-endian) and the code. What is wrong with the
//! WebAssembly is said on standard error, in the compiler's words, and ends the worker with 1.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use trackside_codes::{Class, Reason};
use trackside_worker::Bounds;
use wasmtime::Engine;

use super::order::Order;
use crate::engine::config;

/// File descriptors: the three standard ones and no other.
const DESCRIPTORS: u64 = 3;
/// Native stack of a compiling thread.
const STACK: usize = 8 << 20;

/// Compiles what comes on standard input. `arguments` are those that the parent added to the worker's command line.
#[must_use]
pub fn compile_worker(arguments: &[String]) -> ExitCode {
    let Some(order) = Order::from_arguments(arguments) else {
        return end("this command is for the node itself: it compiles what the node gives it");
    };
    match work(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => end(&reason.to_string()),
    }
}

fn end(message: &str) -> ExitCode {
    // The parent reads it; when there is none any more, nobody does.
    let _ = io::stderr().write_all(message.as_bytes());
    ExitCode::FAILURE
}

fn work(order: &Order) -> Result<(), Reason> {
    let failed = |what: &str, error: io::Error| Reason::because(Class::Setup, format!("{what}: {error}"), error);
    let refused = |error: wasmtime::Error| Reason::because(Class::Unusable, format!("{error:#}"), error);
    // Threads first: they are ours, and starting them may open files.
    let mut pool = rayon::ThreadPoolBuilder::new().num_threads(order.threads).stack_size(STACK);
    pool = pool.thread_name(|_| "compile".to_owned());
    let pool = pool.build().map_err(|error| Reason::by(Class::Setup, error))?;
    // No file can be opened but the three standard ones, and no socket.
    let bounds =
        Bounds { memory: order.memory, cpu_seconds: order.cpu_seconds, file_size: 0, descriptors: Some(DESCRIPTORS) };
    bounds.set().map_err(|error| failed("cannot bound itself", error))?;

    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm).map_err(|error| failed("cannot read the component", error))?;
    let engine = Engine::new(&config(order.layout, order.threads > 1, order.counts)).map_err(refused)?;
    let compile = || if order.is_module { engine.precompile_module(&wasm) } else { engine.precompile_component(&wasm) };
    let code = pool.install(compile).map_err(refused)?;
    let mut output = io::stdout().lock();
    let length = (code.len() as u64).to_le_bytes();
    output
        .write_all(&length)
        .and_then(|()| output.write_all(&code))
        .and_then(|()| output.flush())
        .map_err(|error| failed("cannot hand over the code", error))
}

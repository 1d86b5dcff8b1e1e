//! Compiling, in a process of its own: nobody promises what a hostile component makes a compiler do, so it does it where
//! memory, time and files are bounded by the kernel and nothing of the node can be reached.
//!
//! - `order`: what the parent tells the worker, on its command line
//! - `parent`: starts a worker, feeds it, bounds it, takes its code
//! - `worker`: the other side, which `trackside compile-worker` runs

mod order;
mod parent;
mod worker;

pub use order::{CompileProgram, CompileWorker};
pub use worker::compile_worker;

use crate::{
    cache::{self, Code},
    engine::Shared,
    error::{LoadError, refused},
};

/// Compiles a component or a core module.
pub(crate) fn compile(shared: &Shared, wasm: &[u8], is_module: bool, name: &str) -> Result<Code, LoadError> {
    if let Some(worker) = &shared.worker {
        let order = order::Order::new(worker, shared.layout, shared.counts, shared.compile_threads, is_module);
        match parent::compile(worker, &order, wasm, name) {
            Ok(code) => return Ok(code),
            Err(parent::Failure::Load(error)) => return Err(error),
            Err(parent::Failure::NotStarted(error)) => {
                let program = worker.program.program.display();
                tracing::warn!(
                    plugin = name,
                    "compiling in this process, without limits: cannot start {program}: {error}"
                );
            }
        }
    }
    here(shared, wasm, is_module).map_err(|error| LoadError::Compile { name: name.to_owned(), reason: refused(error) })
}

/// In this process, on at most so many threads, which end with the compilation. A compiler that panics over what it was
/// given refuses it.
fn here(shared: &Shared, wasm: &[u8], is_module: bool) -> wasmtime::Result<Code> {
    let threads = shared.compile_threads;
    let compile = || {
        if threads <= 1 {
            return cache::trust_compiler(&shared.engine, wasm, is_module);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| cache::trust_compiler(&shared.engine, wasm, is_module))
    };
    // The compiler keeps nothing between two compilations that a panic could leave half done.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(compile)).unwrap_or_else(|_| {
        wasmtime::bail!("the compiler panicked over it; the log above has the place: please report it")
    })
}

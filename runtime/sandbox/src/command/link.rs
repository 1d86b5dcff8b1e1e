//! What programs are given: WASI and nothing else.

use std::sync::OnceLock;

use wasmtime::{Engine, component};
use wasmtime_wasi::{I32Exit, p1};

use super::{data::CommandData, kind::PREVIEW_1};
use crate::error::{LoadError, defect};

/// The linkers of both forms, each made when a program first needs it.
#[derive(Default)]
pub(crate) struct Linkers {
    module: OnceLock<wasmtime::Linker<CommandData>>,
    component: OnceLock<component::Linker<CommandData>>,
}

impl Linkers {
    pub(super) fn module(&self, engine: &Engine) -> Result<&wasmtime::Linker<CommandData>, LoadError> {
        get(&self.module, || module(engine))
    }

    pub(super) fn component(&self, engine: &Engine) -> Result<&component::Linker<CommandData>, LoadError> {
        get(&self.component, || {
            let mut linker = component::Linker::new(engine);
            wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
            Ok(linker)
        })
    }
}

fn get<T>(cell: &OnceLock<T>, make: impl FnOnce() -> wasmtime::Result<T>) -> Result<&T, LoadError> {
    if let Some(linker) = cell.get() {
        return Ok(linker);
    }
    let linker = make().map_err(|error| LoadError::Internal(defect(error)))?;
    Ok(cell.get_or_init(|| linker))
}

fn module(engine: &Engine) -> wasmtime::Result<wasmtime::Linker<CommandData>> {
    let mut linker = wasmtime::Linker::new(engine);
    p1::add_to_linker_async(&mut linker, |data: &mut CommandData| &mut data.wasi)?;
    // The library refuses codes from 126 on; tools use them. The whole number goes on: no shell is between that would cut
    // 256 to 0, which is success.
    linker.allow_shadowing(true);
    linker.func_wrap(PREVIEW_1, "proc_exit", |code: i32| -> wasmtime::Result<()> { Err(I32Exit(code).into()) })?;
    linker.allow_shadowing(false);
    Ok(linker)
}

//! Is it a WASI command, and can it run here? Decided by the names and types of what it imports and exports, before
//! it is compiled.

use serde::{Deserialize, Serialize};
use wasmtime::{Engine, InstancePre, Module, component::Component};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::{Linkers, data::CommandData};
use crate::{
    error::{LoadError, refused},
    interfaces,
    surface::ModuleSurface,
};

/// The module name of preview 1's functions.
pub(super) const PREVIEW_1: &str = "wasi_snapshot_preview1";
/// What preview 2 commands export.
const RUN: &str = "wasi:cli/run@0.2.";

/// The two forms of a WASI command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Form {
    /// A core module with `_start` that imports preview 1.
    Module,
    /// A component that exports `wasi:cli/run`.
    Component,
}

/// A program that is compiled, checked and ready.
pub(crate) enum Program {
    /// A core module.
    Module(InstancePre<CommandData>),
    /// A component.
    Component(CommandPre<CommandData>),
}

impl Program {
    /// Which form it has.
    pub(crate) const fn form(&self) -> Form {
        match self {
            Self::Module(_) => Form::Module,
            Self::Component(_) => Form::Component,
        }
    }

    /// Links a module that [`check_module`] has let pass.
    pub(crate) fn module(linkers: &Linkers, engine: &Engine, module: &Module, name: &str) -> Result<Self, LoadError> {
        linkers.module(engine)?.instantiate_pre(module).map(Self::Module).map_err(|error| misfit(name, error))
    }

    /// Links a component that [`check_component`] has let pass.
    pub(crate) fn component(
        linkers: &Linkers,
        engine: &Engine,
        component: &Component,
        name: &str,
    ) -> Result<Self, LoadError> {
        let linked = linkers.component(engine)?.instantiate_pre(component).and_then(CommandPre::new);
        linked.map(Self::Component).map_err(|error| misfit(name, error))
    }
}

/// Whether a component with these exports is a WASI command.
pub(crate) fn is_command(exports: &[String]) -> bool {
    let is_ours = exports.iter().any(|full| full.starts_with("trackside:plugin/"));
    !is_ours && exports.iter().any(|full| full.starts_with(RUN))
}

/// `module.name` of each import, sorted.
pub(crate) fn module_imports(module: &ModuleSurface) -> Vec<String> {
    let mut imports: Vec<String> = module.imports.iter().map(|(from, name)| format!("{from}.{name}")).collect();
    imports.sort();
    imports.dedup();
    imports
}

fn misfit(name: &str, error: wasmtime::Error) -> LoadError {
    LoadError::CommandDoesNotFit { name: name.to_owned(), reason: refused(error) }
}

/// Refuses a core module that is no command, or that needs something else than preview 1.
pub(crate) fn check_module(name: &str, module: &ModuleSurface) -> Result<(), LoadError> {
    let refuse = |found, remedy| Err(LoadError::NotACommand { name: name.to_owned(), found, remedy });
    let foreign: Vec<String> = module
        .imports
        .iter()
        .filter(|(from, _)| from != PREVIEW_1)
        .map(|(from, import)| format!("{from}.{import}"))
        .collect();
    match module.start {
        Some(true) => {}
        Some(false) => {
            return refuse("its `_start` takes or gives values", "build it as a program (`fn main`, `int main`)");
        }
        None if foreign.iter().any(|import| import.contains("trackside:plugin/")) => {
            return refuse(
                "it is the core of a plugin, not yet a component",
                "make a component of it: `trackside plugin build`, or `wasm-tools component new`",
            );
        }
        None if module.initialize => {
            return refuse(
                "it is a reactor (a library with `_initialize`, no `_start`)",
                "build it as a program (`fn main`, `int main`; no `-mexec-model=reactor`, no `-buildmode=c-shared`)",
            );
        }
        None => {
            return refuse(
                "it exports no `_start`",
                "build it as a program for target wasm32-wasip1, or make a component of it",
            );
        }
    }
    if !foreign.is_empty() {
        let remedy = match foreign.first() {
            Some(first) if first.starts_with("wasi_unstable.") => {
                "it is built for preview 0: build it again with a toolchain of 2020 or later"
            }
            Some(first) if first.starts_with("wasi.") => "threads are not offered: build it without them",
            _ => "a command gets `wasi_snapshot_preview1` and nothing else: build it for target wasm32-wasip1",
        };
        let imports = interfaces::list(&foreign);
        return Err(LoadError::CommandImports { name: name.to_owned(), imports, remedy });
    }
    if !module.memory {
        return refuse("it exports no `memory` that WASI could read and write", "export its memory as `memory`");
    }
    Ok(())
}

/// Refuses a component that imports more than a command gets.
pub(crate) fn check_component(name: &str, imports: &[String]) -> Result<(), LoadError> {
    let unknown = imports.iter().filter(|full| !interfaces::is_wasi(full)).cloned().collect::<Vec<_>>();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(LoadError::CommandImports {
        name: name.to_owned(),
        imports: interfaces::list(&unknown),
        remedy: "a command gets `wasi:*@0.2` up to 0.2.12 without wasi:http; what needs more is a plugin of world \
                 `trackside:plugin/plugin@0.1.0`",
    })
}

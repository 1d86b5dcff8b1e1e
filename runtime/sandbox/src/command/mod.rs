//! WASI commands as steps: programs with arguments, standard streams and an exit code, in the same bounds as plugins.
//!
//! - `kind`: is a core module or component such a program, and can it run here?
//! - `preview`: does preview 1 have what a module imports?
//! - `about`: the description that a program cannot give of itself
//! - `call`: what a program is called with
//! - `folder`: the read-only files below `/in`
//! - `stdin`, `stdout`: its streams, bounded
//! - `data`: what one call carries
//! - `run`: one call from begin to end

pub(crate) mod about;
pub(crate) mod call;
pub(crate) mod data;
pub(crate) mod folder;
pub(crate) mod kind;
mod link;
pub(crate) mod preview;
pub(crate) mod run;
mod stdin;
mod stdout;
#[cfg(test)]
mod suite;

pub(crate) use kind::{Form, Program};
pub(crate) use link::Linkers;

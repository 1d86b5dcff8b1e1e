//! Steps that run a component.

use serde::{Deserialize, Serialize};

use super::StepKind;
use crate::{expr::Template, grant::Allow, limits::Limits, reuse::Reuse};

/// A call of a plugin.
#[derive(Debug)]
pub struct PluginCall {
    /// A name (installed, `plugins/NAME.wasm` in the project, or bundled), a reference (`oci://…`) or a path ending in
    /// `.wasm`.
    pub plugin: String,
    /// The input document.
    pub with: Template,
    /// How to call it when it is a WASI command.
    pub command: Option<Box<Command>>,
    /// Bounds; every field has the node's default when the file says nothing.
    pub limits: Box<Limits>,
    /// Whether the instance is kept for the next attempts. Never for a WASI command.
    pub reuse: Option<Reuse>,
    /// What the step may do beyond computing. Empty: a pure function of its inputs.
    pub allow: Allow,
}

/// How a WASI command is called.
#[derive(Debug)]
pub struct Command {
    /// An object: `args` (list of texts), `env` (names to texts), `stdin` (absent: the step's `with`), `files` (names
    /// to artifacts, or to paths of the project where they are constant).
    pub given: Template,
    /// What standard output is.
    pub stdout: CommandStdout,
    /// What the exit code says.
    pub exit: ExitCodes,
}

/// What the standard output of a WASI command is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandStdout {
    /// A JSON document.
    #[default]
    Json,
    /// A text, UTF-8.
    Text,
    /// Bytes: they become an artifact, output port `stdout`.
    Artifact,
}

/// What the exit codes of a WASI command mean. A code that is in neither list is a failure for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitCodes {
    /// The step is done.
    pub ok: Vec<u8>,
    /// The step failed in a way that may pass.
    pub retry: Vec<u8>,
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self { ok: vec![0], retry: Vec::new() }
    }
}

impl StepKind for PluginCall {
    fn input(&self) -> Option<&Template> {
        Some(&self.with)
    }

    fn templates(&self) -> Vec<(&'static str, &Template)> {
        let command = self.command.as_ref().map(|command| ("command", &command.given));
        [("with", &self.with)].into_iter().chain(command).collect()
    }

    fn limits(&self) -> Limits {
        *self.limits
    }

    fn needs_barrier(&self) -> bool {
        self.allow.has_direct_effects() || self.allow.state
    }

    fn uses_state(&self) -> bool {
        self.allow.state
    }

    fn impurity(&self) -> Option<&'static str> {
        if !self.allow.is_deterministic() {
            return Some("it is not pure: it is granted http, secrets, models, state, clock or random");
        }
        self.reuse.map(|_| "it is not pure: its instance lives on (`reuse`)")
    }
}

//! What the executor, the warming at the start and `replay` ask of a kind of step.

use std::sync::Arc;

use trackside_sandbox::{BoxFuture, CancelToken};
use trackside_spec::config::EngineChoice;
use trackside_store::Hold;

use crate::{
    job::{StepJob, StepResult},
    workshop::Workshop,
};

/// A kind of step that an executor makes attempts of. What the workflow alone says of it is in
/// [`StepKind`](trackside_spec::StepKind).
pub trait Executed {
    /// Makes an attempt with the input that it is given.
    fn run<'a>(&'a self, attempt: Attempt<'a>) -> BoxFuture<'a, StepResult>;

    /// What is to be loaded before the first attempt need not wait for it.
    fn needs(&self) -> Option<Needed>;
}

/// One attempt, and what it is made with.
pub struct Attempt<'a> {
    /// What steps may need.
    pub workshop: &'a Arc<Workshop>,
    /// Which attempt of what, with which input.
    pub job: &'a StepJob,
    /// Keeps what the attempt makes.
    pub hold: &'a Hold,
    /// Thrown when the attempt is to stop.
    pub cancel: CancelToken,
}

/// Something that steps load and share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// A model, on the engine that the step asks for.
    Model(String, Option<EngineChoice>),
    /// A plugin.
    Plugin(String),
}

impl Needed {
    /// What the workflow calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Model(name, _) | Self::Plugin(name) => name,
        }
    }

    /// Loads it; gives what is wrong, for people. Blocks.
    pub fn load(&self, workshop: &Workshop) -> Option<String> {
        match self {
            Self::Model(name, engine) => workshop.models.get(name, *engine).err().map(|error| error.to_string()),
            Self::Plugin(name) => workshop.plugins.get(name).err().map(|error| error.to_string()),
        }
    }
}

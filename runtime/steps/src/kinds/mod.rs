//! The kinds of steps that an executor makes attempts of, a file each.

mod command;
mod executed;
mod label;
mod model;
mod plugin;

use trackside_engine::StepError;
use trackside_spec::Action;

pub use executed::{Attempt, Executed, Needed};

use crate::job::StepResult;

/// The kind of a step, where attempts of it are made at all: the others wait for something, and the core does that.
pub fn of(action: &Action) -> Option<&dyn Executed> {
    match action {
        Action::Plugin(call) => Some(call),
        Action::Model(call) => Some(call),
        Action::Label(call) => Some(call),
        _ => None,
    }
}

/// Makes an attempt with the input that it is given, whatever kind of step it is.
pub async fn run(attempt: Attempt<'_>) -> StepResult {
    let job = attempt.job;
    match of(&job.plan.step(job.step).action) {
        Some(kind) => kind.run(attempt).await,
        None => {
            let error = StepError::fatal("internal-error", "nothing to execute");
            StepResult::failed(job.key(), job.attempt, error)
        }
    }
}

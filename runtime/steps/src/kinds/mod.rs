//! The kinds of steps that an executor makes attempts of.

mod command;
mod model;
mod plugin;

use std::sync::Arc;

use trackside_engine::StepError;
use trackside_sandbox::CancelToken;
use trackside_spec::Action;
use trackside_store::Hold;

use crate::{
    job::{StepJob, StepResult},
    workshop::Workshop,
};

/// Makes an attempt with the input that it is given, whatever kind of step it is.
pub async fn run(workshop: &Arc<Workshop>, job: &StepJob, hold: &Hold, cancel: CancelToken) -> StepResult {
    match &job.plan.step(job.step).action {
        Action::Plugin(_) => plugin::run(workshop, job, hold, cancel).await,
        Action::Model(_) => model::run(workshop, job, hold, cancel).await,
        Action::Workflow(_) | Action::Approval(_) => {
            let error = StepError::fatal("internal-error", "nothing to execute");
            StepResult::failed(job.key(), job.attempt, error)
        }
    }
}

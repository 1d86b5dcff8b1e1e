//! Rollouts: begun, told what a person says, asked about, planned.
//!
//! - `start`: what must hold before one begins
//! - `say`: promote, abort, hold, resume
//! - `ask`: how they stand, what became of them
//! - `plan`: how long one takes, and with which power, before it begins
//! - `remote`: the operations over the socket

mod ask;
mod error;
mod plan;
mod remote;
mod say;
mod start;
mod workflow;

pub use ask::{RolloutEntry, explain_rollout, list_rollouts, show_rollout};
pub use error::RolloutsError;
pub use plan::{GatePlan, PlanRollout, RolloutPlanned, plan_rollout};
pub use say::say_rollout;
pub use start::start_rollout;

use serde::{Deserialize, Serialize};
use trackside_facts::MODEL;
use trackside_node::Say;
use trackside_spec::RolloutPlan;

/// `POST /v1/rollouts`: a rollout that is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRollout {
    /// The model's name; empty where a workflow is rolled out.
    #[serde(default)]
    pub model: String,
    /// The version that is to take over: a number, or an alias.
    #[serde(default)]
    pub candidate: String,
    /// A workflow, instead of a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowCandidate>,
    /// How.
    #[serde(default)]
    pub plan: RolloutPlan,
    /// Whether content that was taken back is tried again before it has cooled down.
    #[serde(default)]
    pub again: bool,
}

/// A new definition of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowCandidate {
    /// The workflow's name.
    pub name: String,
    /// What messages call its file.
    pub file: String,
    /// Its text.
    pub definition: String,
}

/// The name of a rollout's subject in the journal: `NAME` is a model's, and so is `model/NAME`; `workflow/NAME` is a workflow's.
#[must_use]
pub fn rollout_subject(name: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("{MODEL}{name}") }
}

/// What a person says, as the last word of a path.
#[must_use]
pub const fn word_of(say: Say) -> &'static str {
    match say {
        Say::Promote => "promote",
        Say::Abort => "abort",
        Say::Hold => "hold",
        Say::Resume => "resume",
    }
}

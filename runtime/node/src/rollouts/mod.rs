//! Rollouts of models on a node: what people say about them, and what is committed when they change.
//!
//! One at a time, behind the door of the registry: what is decided rests on how things stand, and is on disk before anybody acts by it.

mod document;
mod ground;
mod settle;

pub use document::{RolloutDocument, rollout_document};
pub(crate) use ground::{Ground, WorkflowTrial, WorkflowTrials};
pub(crate) use settle::{PROMOTING, Settled, ended_without, settle};
pub use settle::{RolloutProblem, Say, say_without_node};

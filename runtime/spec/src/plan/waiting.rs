//! What runs and steps wait for: people, other runs, each other.

use serde::{Deserialize, Serialize};

use super::StepKind;
use crate::{expr::Template, units::Duration};

/// Lowest and highest priority.
pub const PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;

/// A step that waits for a person.
#[derive(Debug)]
pub struct Approval {
    /// What is to be decided: a text, with expressions.
    pub message: Template,
    /// How long the decision may take.
    pub deadline: Option<Duration>,
    /// Who may decide; empty = everybody who may use the node.
    pub approvers: Vec<String>,
    /// What happens when nobody decides in time.
    pub on_timeout: OnTimeout,
}

/// What happens when nobody decides in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnTimeout {
    /// As if somebody had rejected it: the step fails with `rejected`.
    #[default]
    Reject,
    /// As if somebody had approved it.
    Approve,
    /// The step fails with `approval-timeout`.
    Fail,
}

/// A step that is a run of another workflow.
#[derive(Debug)]
pub struct ChildCall {
    /// The workflow's name.
    pub workflow: String,
    /// Its parameters: a mapping, with expressions.
    pub params: Template,
}

/// How deep runs may start runs: a run that nobody's step started has depth 0.
pub const MAX_CHILD_DEPTH: u32 = 8;

/// How many runs of a group may be under way at one time.
#[derive(Debug)]
pub struct Concurrency {
    /// The group's name: a text, with expressions over `params` and `trigger`. Groups belong to the node: workflows
    /// that name the same one share it.
    pub group: Template,
    /// Runs under way at one time, at least one.
    pub limit: u32,
    /// What happens to a run for which there is no room.
    pub on_conflict: OnConflict,
}

/// What happens to a run for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// It waits: higher priority first, then first come, first served.
    #[default]
    Queue,
    /// It is not started, and the decision is recorded.
    Skip,
    /// The oldest runs under way are cancelled, and those that wait with them; it starts when they have ended.
    CancelRunning,
}

impl StepKind for ChildCall {
    fn input(&self) -> Option<&Template> {
        Some(&self.params)
    }

    fn templates(&self) -> Vec<(&'static str, &Template)> {
        vec![("params", &self.params)]
    }

    fn impurity(&self) -> Option<&'static str> {
        Some("it is a run of its own; replay that one")
    }
}

impl StepKind for Approval {
    fn input(&self) -> Option<&Template> {
        None
    }

    fn templates(&self) -> Vec<(&'static str, &Template)> {
        vec![("message", &self.message)]
    }

    fn impurity(&self) -> Option<&'static str> {
        Some("a person decided")
    }
}

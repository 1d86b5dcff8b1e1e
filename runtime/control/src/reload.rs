//! Reading the workflow files now, and what is wrong with them.

use std::path::PathBuf;

use hyper::{Method, body::Bytes};
use serde::{Deserialize, Serialize};
use trackside_codes::Coded;
use trackside_node::{Handle, NodeError, Project, WorkflowProblem, WorkflowReason};
use trackside_spec::{Digest, Problem};

use crate::client::{Client, ClientError};

/// What is wrong with a workflow file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProblem {
    /// Relative to the project.
    pub file: PathBuf,
    /// What is wrong, as `trackside check` says it.
    pub message: String,
    /// What kind of problem the whole file has; null where the message tells places in it, each with a code of its own.
    #[serde(default)]
    pub code: Option<String>,
    /// The workflow whose last good version is used all the same.
    pub workflow: Option<String>,
    /// That version.
    pub in_use: Option<Digest>,
}

impl FileProblem {
    /// All of a project.
    #[must_use]
    pub fn of(project: &Project) -> Vec<Self> {
        let of = |problem: &WorkflowProblem| {
            let (workflow, in_use) = problem.kept.clone().unzip();
            let reason = &problem.reason;
            // The reason why a step's plugin can not be used has its code within.
            let is_whole = !reason.has_places() && !matches!(reason, WorkflowReason::Plugin { .. });
            let code = is_whole.then(|| reason.code().to_string());
            Self { file: problem.file.clone(), message: reason.to_string(), code, workflow, in_use }
        };
        project.problems.iter().map(of).collect()
    }

    /// One of `trackside.toml`, found after it was read.
    pub(crate) fn of_config(problem: &Problem) -> Self {
        let (file, message) = (PathBuf::from(&problem.file), problem.to_string());
        Self { file, message, code: None, workflow: None, in_use: None }
    }
}

/// The answer to `POST /v1/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadDocument {
    /// Workflows of which another version is in use now.
    pub changes: Vec<WorkflowChange>,
    /// Files that can not be used.
    pub problems: Vec<FileProblem>,
    /// What is to be said about `trackside.toml`, when it is not what it was at the start.
    pub config_note: Option<String>,
}

/// A workflow of which another version is in use now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowChange {
    /// The workflow.
    pub workflow: String,
    /// Its file, relative to the project.
    pub file: PathBuf,
    /// What was in use; null for a new workflow.
    pub was: Option<Digest>,
    /// What is; null for one that was taken out.
    pub is: Option<Digest>,
}

impl From<trackside_node::Change> for WorkflowChange {
    fn from(change: trackside_node::Change) -> Self {
        let trackside_node::Change { workflow, file, was, is } = change;
        Self { workflow, file, was, is }
    }
}

/// Has the workflow files read. What is right is in use when the answer comes, and the answer says what is not.
///
/// # Errors
/// [`NodeError::Closed`] when the node is going down, or runs without triggers; [`NodeError::Reload`] when the files can not be
/// read.
pub async fn reload(handle: &Handle, by: &str) -> Result<ReloadDocument, NodeError> {
    let reloaded = handle.reload(by).await?;
    Ok(ReloadDocument {
        changes: reloaded.changes.into_iter().map(WorkflowChange::from).collect(),
        problems: FileProblem::of(&reloaded.now.project),
        config_note: reloaded.now.config_note.clone(),
    })
}

impl Client {
    /// Has the workflow files read now.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn reload(&self) -> Result<ReloadDocument, ClientError> {
        // No time limit: a plugin may have to be compiled.
        self.ask(Method::POST, "/v1/reload", Bytes::new()).await
    }
}

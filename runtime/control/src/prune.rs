//! Removing what is not kept, and what that would be.

use std::collections::BTreeMap;

use hyper::{Method, body::Bytes};
use serde::{Deserialize, Serialize};
use trackside_node::{Handle, NodeError, Project, preview_prune};
use trackside_store::{Clock, Reader, StoreError};

use crate::client::{Client, ClientError};

/// `POST /v1/prune`: what was removed. It is on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneDocument {
    /// Runs.
    pub runs: u64,
    /// Files of artifacts.
    pub files: u64,
    /// Bytes, about.
    pub bytes: u64,
}

/// What would be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrunePreview {
    /// By workflow and reason.
    pub would_go: Vec<WouldGo>,
    /// Artifacts that no run names any more.
    pub free_artifacts: u64,
    /// Their bytes.
    pub free_artifact_bytes: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of the artifacts that runs name.
    pub artifact_bytes: u64,
    /// Bytes that both may take together.
    pub bytes_allowed: u64,
    /// Entries of the journal whose runs are not counted above yet: a running node does that within seconds, `prune` at once.
    pub entries_not_counted: u64,
}

/// What of one workflow would go for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WouldGo {
    /// The workflow.
    pub workflow: String,
    /// `age`, `runs`, `bytes` (of the workflow), `box` (`bytes` of the node), `disk`, `logs`, `artifacts`: the last two leave
    /// the run.
    pub because_of: &'static str,
    /// How many runs it is about.
    pub runs: u64,
    /// About so many bytes. An artifact of several runs counts for each.
    pub bytes: u64,
}

/// What would be removed now.
///
/// # Errors
/// When the database refuses.
pub fn prune_preview(project: &Project, reader: &Reader, clock: &dyn Clock) -> Result<PrunePreview, StoreError> {
    let preview = preview_prune(project, reader, clock)?;
    let mut sums: BTreeMap<(String, &'static str), (u64, u64)> = BTreeMap::new();
    for one in &preview.candidates {
        let (runs, bytes) = sums.entry((one.workflow.clone(), one.cause.name())).or_default();
        *runs += 1;
        *bytes = bytes.saturating_add(one.bytes());
    }
    let would_go = sums
        .into_iter()
        .map(|((workflow, because_of), (runs, bytes))| WouldGo { workflow, because_of, runs, bytes })
        .collect();
    Ok(PrunePreview {
        would_go,
        free_artifacts: preview.free.0,
        free_artifact_bytes: preview.free.1,
        database_bytes: preview.database,
        artifact_bytes: preview.artifacts,
        bytes_allowed: preview.bound,
        entries_not_counted: preview.behind,
    })
}

/// Removes what is not kept.
///
/// # Errors
/// [`NodeError::Closed`] when the node is going down; [`NodeError::Prune`] when the database refuses.
pub async fn prune(handle: &Handle) -> Result<PruneDocument, NodeError> {
    Ok(handle.prune().await?.into())
}

impl From<trackside_node::Removed> for PruneDocument {
    fn from(removed: trackside_node::Removed) -> Self {
        Self { runs: removed.runs, files: removed.files, bytes: removed.bytes }
    }
}

impl Client {
    /// Has the node remove what is not kept.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn prune(&self) -> Result<PruneDocument, ClientError> {
        // No time limit: a million runs may have to go.
        self.ask(Method::POST, "/v1/prune", Bytes::new()).await
    }
}

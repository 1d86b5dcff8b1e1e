//! How a node stands.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Instant};
use trackside_codes::Coded;

use hyper::{Method, body::Bytes};
use serde::{Deserialize, Serialize};
use trackside_node::{BrokerStatus, Handle, NodeError};
use trackside_spec::{Digest, Plan, TriggerKind};
use trackside_store::{ActivationRow, Holding};

use crate::{
    FileProblem,
    check::check_keys,
    client::{Client, ClientError, QUICK},
};

/// `GET /v1/status`: how things stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusDocument {
    /// Version of the binary.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// The project's folder.
    pub project: PathBuf,
    /// Seconds since the server came up.
    pub uptime_s: u64,
    /// Runs under way.
    pub live_runs: usize,
    /// Why nothing is acknowledged at the moment, if so.
    pub trouble: Option<String>,
    /// Its code.
    #[serde(default)]
    pub trouble_code: Option<String>,
    /// When something is due next, milliseconds since 1970.
    pub next_deadline_ms: Option<i64>,
    /// Why no schedule is looked at, while the clock is obviously wrong and a workflow has a schedule.
    #[serde(default)]
    pub schedules_wait: Option<String>,
    /// The workflows that this node runs.
    pub workflows: Vec<WorkflowStatus>,
    /// Workflow files that it can not use, relative to the project; of some an earlier version is used.
    pub broken: Vec<PathBuf>,
    /// What is wrong with them.
    #[serde(default)]
    pub problems: Vec<FileProblem>,
    /// What is to be said about `trackside.toml`, when it is not what it was at the start.
    #[serde(default)]
    pub config_note: Option<String>,
    /// How each broker of `[mqtt]` stands.
    #[serde(default)]
    pub brokers: Vec<BrokerStatus>,
}

/// One workflow as the node has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowStatus {
    /// Its name.
    pub name: String,
    /// Its file, relative to the project.
    #[serde(default)]
    pub file: PathBuf,
    /// The definition that new runs start on.
    pub digest: Digest,
    /// How many triggers it has.
    pub triggers: usize,
    /// Since when that is in use, milliseconds since 1970.
    #[serde(default)]
    pub since_ms: Option<i64>,
    /// Who saw to that: a user, a signal, the start, or the folder itself.
    #[serde(default)]
    pub by: Option<String>,
    /// How many of its ended runs are kept.
    #[serde(default)]
    pub runs_kept: u64,
    /// Their bytes: journal, logs and artifacts. An artifact of several runs counts for each.
    #[serde(default)]
    pub bytes_kept: u64,
}

/// How things stand; `since` is when the node came up.
///
/// # Errors
/// [`NodeError::Closed`] when the node is going down.
pub async fn status(handle: &Handle, since: Instant) -> Result<StatusDocument, NodeError> {
    let status = handle.status().await?;
    let now = handle.in_force().borrow().clone();
    let project = &now.project;
    let readers = handle.readers().clone();
    let looked_at = project.clone();
    let ask = move || {
        let keys = check_keys(&looked_at);
        (keys, readers.with(|reader| Ok((reader.in_use()?, reader.holdings()?))))
    };
    let (keys, read) =
        tokio::task::spawn_blocking(ask).await.map_or_else(|_| (Vec::new(), None), |(keys, read)| (keys, Some(read)));
    let (rows, held) = match read {
        Some(Ok(read)) => read,
        // The rest of the answer is of use all the same.
        Some(Err(error)) => {
            tracing::error!(%error, "what is in use since when, and what runs hold, cannot be read");
            Default::default()
        }
        None => Default::default(),
    };
    let held: HashMap<&str, &Holding> = held.iter().map(|one| (one.workflow.as_str(), one)).collect();
    let rows: HashMap<&str, &ActivationRow> = rows.iter().map(|row| (row.workflow.as_str(), row)).collect();
    let workflow = |plan: &Arc<Plan>| {
        let row = rows.get(plan.name.as_str()).filter(|row| row.digest == Some(plan.digest));
        WorkflowStatus {
            name: plan.name.clone(),
            file: project.origins.get(&plan.name).cloned().unwrap_or_default(),
            digest: plan.digest,
            triggers: plan.triggers.len(),
            since_ms: row.map(|row| row.at_ms),
            by: row.map(|row| row.by.clone()),
            runs_kept: held.get(plan.name.as_str()).map_or(0, |held| held.runs),
            bytes_kept: held.get(plan.name.as_str()).map_or(0, |held| held.bytes),
        }
    };
    let mut triggers = project.workflows.values().flat_map(|plan| &plan.triggers);
    let has_schedules = triggers.any(|trigger| matches!(trigger.kind, TriggerKind::Cron(_)));
    // Each file once, in the order of the problems.
    let mut broken: Vec<_> = project.problems.iter().map(|problem| problem.file.clone()).collect();
    broken.dedup();
    Ok(StatusDocument {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        project: project.root.clone(),
        uptime_s: since.elapsed().as_secs(),
        live_runs: status.live_runs,
        trouble_code: status.trouble.as_ref().map(|trouble| trouble.code().to_string()),
        trouble: status.trouble.map(|trouble| trouble.to_string()),
        next_deadline_ms: status.next_deadline_ms,
        schedules_wait: status.schedules_wait.filter(|_| has_schedules),
        workflows: project.workflows.values().map(workflow).collect(),
        broken,
        problems: FileProblem::of(project).into_iter().chain(keys.iter().map(FileProblem::of_config)).collect(),
        config_note: now.config_note.clone(),
        brokers: handle.brokers(),
    })
}

impl Client {
    /// How things stand.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn status(&self) -> Result<StatusDocument, ClientError> {
        let answer = tokio::time::timeout(QUICK, self.ask(Method::GET, "/v1/status", Bytes::new())).await;
        answer.unwrap_or_else(|_| Err(self.lost("it does not answer")))
    }
}

//! How things stand.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::Shared;
use crate::{
    error::ApiError,
    wire::{StatusDocument, WorkflowStatus},
};

/// `GET /v1/status`
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Result<Json<StatusDocument>, ApiError> {
    let status = shared.handle.status().await.map_err(|_| ApiError::closing())?;
    let project = &shared.project;
    let workflow = |plan: &Arc<trackside_spec::Plan>| WorkflowStatus {
        name: plan.name.clone(),
        digest: plan.digest,
        triggers: plan.triggers.len(),
    };
    Ok(Json(StatusDocument {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        project: project.root.clone(),
        uptime_s: shared.started.elapsed().as_secs(),
        live_runs: status.live_runs,
        trouble: status.trouble,
        next_deadline_ms: status.next_deadline_ms,
        workflows: project.workflows.values().map(workflow).collect(),
        broken: project.problems.iter().map(|problem| problem.file.clone()).collect(),
    }))
}

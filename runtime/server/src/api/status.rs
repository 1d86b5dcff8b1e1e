//! How things stand.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use trackside_control::{FileProblem, StatusDocument, WorkflowStatus};
use trackside_spec::TriggerKind;
use trackside_store::ActivationRow;

use super::Shared;
use crate::error::ApiError;

/// `GET /v1/status`
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Result<Json<StatusDocument>, ApiError> {
    let status = shared.handle.status().await.map_err(|_| ApiError::closing())?;
    let now = shared.handle.in_force().borrow().clone();
    let project = &now.project;
    let readers = shared.handle.readers().clone();
    let read = tokio::task::spawn_blocking(move || readers.with(trackside_store::Reader::in_use)).await;
    let rows = match read {
        Ok(Ok(rows)) => rows,
        // The rest of the answer is of use all the same.
        Ok(Err(error)) => {
            tracing::error!(%error, "what is in use since when cannot be read");
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    let rows: HashMap<&str, &ActivationRow> = rows.iter().map(|row| (row.workflow.as_str(), row)).collect();
    let workflow = |plan: &Arc<trackside_spec::Plan>| {
        let row = rows.get(plan.name.as_str()).filter(|row| row.digest == Some(plan.digest));
        WorkflowStatus {
            name: plan.name.clone(),
            file: project.origins.get(&plan.name).cloned().unwrap_or_default(),
            digest: plan.digest,
            triggers: plan.triggers.len(),
            since_ms: row.map(|row| row.at_ms),
            by: row.map(|row| row.by.clone()),
        }
    };
    let mut triggers = project.workflows.values().flat_map(|plan| &plan.triggers);
    let has_schedules = triggers.any(|trigger| matches!(trigger.kind, TriggerKind::Cron(_)));
    // Each file once, in the order of the problems.
    let mut broken: Vec<_> = project.problems.iter().map(|problem| problem.file.clone()).collect();
    broken.dedup();
    Ok(Json(StatusDocument {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        project: project.root.clone(),
        uptime_s: shared.started.elapsed().as_secs(),
        live_runs: status.live_runs,
        trouble: status.trouble,
        next_deadline_ms: status.next_deadline_ms,
        schedules_wait: status.schedules_wait.filter(|_| has_schedules),
        workflows: project.workflows.values().map(workflow).collect(),
        broken,
        problems: FileProblem::of(project),
        config_note: now.config_note.clone(),
        brokers: shared.handle.brokers(),
    }))
}

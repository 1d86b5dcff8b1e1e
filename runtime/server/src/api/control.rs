//! Stopping, pausing, resuming and repeating.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{Request, StatusCode},
};
use trackside_control::{Accepted, Cancelled, ControlError, RetryRun, RunPaused, cancel_run, pause_run, retry_run};

use super::{Peer, Shared, routes::Routes, runs::run_id};
use crate::{body::read_json, error::ApiError};

pub(super) fn routes() -> Routes {
    Routes::default()
        .post("/v1/runs/{id}/cancel", cancel)
        .post("/v1/runs/{id}/pause", pause)
        .post("/v1/runs/{id}/resume", resume)
        .post("/v1/runs/{id}/retry", retry)
}

type RunPath = Result<Path<String>, PathRejection>;

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Busy => Self::busy(),
            ControlError::Node(_) => Self::closing(),
            ControlError::Unreadable { .. } | ControlError::RulesUnknown { .. } | ControlError::Store(_) => {
                Self::internal(error.to_string())
            }
            error => Self::of(&error),
        }
    }
}

/// `POST /v1/runs/{id}/cancel`
async fn cancel(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    id: RunPath,
) -> Result<Json<Cancelled>, ApiError> {
    let run = run_id(id)?;
    cancel_run(&shared.handle, run, &peer.name().await).await?;
    Ok(Json(Cancelled { run, cancelled: true }))
}

/// `POST /v1/runs/{id}/pause`
async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    id: RunPath,
) -> Result<Json<RunPaused>, ApiError> {
    Ok(Json(pause_run(&shared.handle, run_id(id)?, true, &peer.name().await).await?))
}

/// `POST /v1/runs/{id}/resume`
async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    id: RunPath,
) -> Result<Json<RunPaused>, ApiError> {
    Ok(Json(pause_run(&shared.handle, run_id(id)?, false, &peer.name().await).await?))
}

/// `POST /v1/runs/{id}/retry`
async fn retry(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    id: RunPath,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let run = run_id(id)?;
    let request: RetryRun = read_json(request).await?;
    let run = retry_run(&shared.handle, run, request, &peer.name().await).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { run })))
}

//! Stopping, pausing, resuming and repeating.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{Request, StatusCode},
};
use trackside_control::{
    Accepted, Cancelled, ControlError, PauseTrigger, RetryRun, RunPaused, TriggerPaused, cancel_run, pause_run,
    pause_trigger, retry_run,
};

use super::{Peer, Shared, runs::run_id};
use crate::{body::read_json, error::ApiError};

type RunPath = Result<Path<String>, PathRejection>;

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let text = error.to_string();
        // The code has a field of its own here.
        let (code, message) =
            text.strip_prefix('[').and_then(|text| text.split_once("] ")).unwrap_or(("TS-0720", &text));
        match error {
            ControlError::NoRun(_) | ControlError::NoTrigger { .. } => {
                Self::with_status(StatusCode::NOT_FOUND, code, message)
            }
            ControlError::Ended(_) | ControlError::Ending(_) | ControlError::Refused { .. } => {
                Self::with_status(StatusCode::CONFLICT, code, message)
            }
            ControlError::NoStep { .. } | ControlError::OnlyWhat => Self::refused(code, message),
            ControlError::Busy => Self::busy(),
            ControlError::Node(_) => Self::closing(),
            ControlError::Unreadable { .. } | ControlError::Store(_) => Self::internal(text),
        }
    }
}

/// `POST /v1/runs/{id}/cancel`
pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    id: RunPath,
) -> Result<Json<Cancelled>, ApiError> {
    let run = run_id(id)?;
    cancel_run(&shared.handle, run, &peer.name().await).await?;
    Ok(Json(Cancelled { run, cancelled: true }))
}

/// `POST /v1/runs/{id}/pause`
pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    id: RunPath,
) -> Result<Json<RunPaused>, ApiError> {
    Ok(Json(pause_run(&shared.handle, run_id(id)?, true, &peer.name().await).await?))
}

/// `POST /v1/runs/{id}/resume`
pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    id: RunPath,
) -> Result<Json<RunPaused>, ApiError> {
    Ok(Json(pause_run(&shared.handle, run_id(id)?, false, &peer.name().await).await?))
}

/// `POST /v1/runs/{id}/retry`
pub(super) async fn retry(
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

/// `POST /v1/triggers/pause`
pub(super) async fn pause_one(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Result<Json<TriggerPaused>, ApiError> {
    let PauseTrigger { trigger } = read_json(request).await?;
    Ok(Json(pause_trigger(&shared.handle, &shared.handle.project(), &trigger, true, &peer.name().await).await?))
}

/// `POST /v1/triggers/resume`
pub(super) async fn resume_one(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Result<Json<TriggerPaused>, ApiError> {
    let PauseTrigger { trigger } = read_json(request).await?;
    Ok(Json(pause_trigger(&shared.handle, &shared.handle.project(), &trigger, false, &peer.name().await).await?))
}

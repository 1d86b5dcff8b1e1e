//! Deciding about steps that wait for a person.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::Request,
};
use trackside_engine::RunId;

use super::{Peer, Shared};
use crate::{
    body::read_json,
    decide::{DecideError, decide},
    error::ApiError,
    people::user_name,
    wire::{Decided, Decision},
};

impl From<DecideError> for ApiError {
    fn from(error: DecideError) -> Self {
        let text = error.to_string();
        // The code has a field of its own here.
        let message = text.split_once("] ").map_or(text.as_str(), |(_, message)| message);
        match error {
            DecideError::NoRun(run) => Self::no_such_run(&run.to_string()),
            DecideError::Over(run) => Self::not_live(run),
            DecideError::NoStep { .. } => Self::refused("TS-0722", message),
            DecideError::NotAsked(_) => Self::conflict("TS-0723", message),
            DecideError::NotAllowed(_) => Self::forbidden("TS-0724", message),
            DecideError::Store(error) => Self::internal(error.to_string()),
            DecideError::Node(_) => Self::closing(),
        }
    }
}

/// `POST /v1/runs/{id}/approvals/{step}`
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request<Body>,
) -> Result<Json<Decided>, ApiError> {
    let Ok(Path((id, step))) = path else { return Err(ApiError::no_such_run("")) };
    let run: RunId = id.parse().map_err(|_| ApiError::no_such_run(&id))?;
    let decision: Decision = read_json(request).await?;
    // Asked of the kernel, never of the request: nobody decides in another's name.
    let Some(uid) = peer.uid else {
        return Err(ApiError::forbidden("TS-0724", "the system does not say who is at the other end of the socket"));
    };
    let by = tokio::task::spawn_blocking(move || user_name(uid)).await.map_err(|_| ApiError::closing())?;
    decide(&shared.handle, run, &step, &by, &decision).await?;
    Ok(Json(Decided { run, step, approved: decision.approve, by }))
}

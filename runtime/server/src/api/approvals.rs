//! Deciding about steps that wait for a person.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::Request,
};
use trackside_codes::code;
use trackside_control::{DecideError, Decided, Decision, decide};
use trackside_engine::RunId;

use super::{Peer, Shared, routes::Routes};
use crate::{body::read_json, error::ApiError};

impl From<DecideError> for ApiError {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::NoRun(run) => Self::no_such_run(&run.to_string()),
            DecideError::Store(error) => Self::internal(error.to_string()),
            DecideError::Node(_) => Self::closing(),
            error => Self::of(&error),
        }
    }
}

pub(super) fn routes() -> Routes {
    Routes::default().post("/v1/runs/{id}/approvals/{step}", take)
}

/// `POST /v1/runs/{id}/approvals/{step}`
async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request<Body>,
) -> Result<Json<Decided>, ApiError> {
    let Ok(Path((id, step))) = path else { return Err(ApiError::no_such_run("")) };
    let run: RunId = id.parse().map_err(|_| ApiError::no_such_run(&id))?;
    let decision: Decision = read_json(request).await?;
    // Asked of the kernel, never of the request: nobody decides in another's name.
    if peer.uid.is_none() {
        let message = "the system does not say who is at the other end of the socket";
        return Err(ApiError::new(code!("TS-0736"), message));
    }
    let by = peer.name().await;
    Ok(Json(decide(&shared.handle, run, &step, &by, &decision).await?))
}

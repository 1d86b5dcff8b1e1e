//! Starting runs.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{Request, StatusCode},
};
use trackside_control::{Accepted, StartError, StartRun, start_run};
use trackside_engine::RunId;

use super::{Shared, routes::Routes};
use crate::{body::read_json, error::ApiError};

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Busy => Self::busy(),
            StartError::Node(_) => Self::closing(),
            error => Self::of(&error),
        }
    }
}

pub(super) fn routes() -> Routes {
    Routes::default().post("/v1/runs", start)
}

/// `POST /v1/runs`
async fn start(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let request: StartRun = read_json(request).await?;
    let run = start_run(&shared.handle, &shared.handle.project(), request).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { run })))
}

/// The run that a path names; text that is none is like a run that there is not.
pub(super) fn run_id(id: Result<Path<String>, PathRejection>) -> Result<RunId, ApiError> {
    let Ok(Path(id)) = id else { return Err(ApiError::no_such_run("")) };
    id.parse().map_err(|_| ApiError::no_such_run(&id))
}

//! Events of the box's own.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode},
    routing::post,
};
use trackside_control::{EmitEvent, Emitted, emit};

use super::Shared;
use crate::{body::read_json, error::ApiError};

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/v1/events", post(run))
}

/// `POST /v1/events`: what the event set off is on disk when the answer comes.
async fn run(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Emitted>), ApiError> {
    let event: EmitEvent = read_json(request).await?;
    Ok((StatusCode::ACCEPTED, Json(emit(&shared.handle, event).await?)))
}

//! Events of the box's own.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{Request, StatusCode},
};
use trackside_control::{EmitEvent, Emitted, emit};

use super::{Shared, routes::Routes};
use crate::{body::read_json, error::ApiError};

pub(super) fn routes() -> Routes {
    Routes::default().post("/v1/events", run)
}

/// `POST /v1/events`: what the event set off is on disk when the answer comes.
async fn run(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Emitted>), ApiError> {
    let event: EmitEvent = read_json(request).await?;
    Ok((StatusCode::ACCEPTED, Json(emit(&shared.handle, event).await?)))
}

//! How things stand.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use trackside_control::{StatusDocument, status};

use super::Shared;
use crate::error::ApiError;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/v1/status", get(read))
}

/// `GET /v1/status`
async fn read(State(shared): State<Arc<Shared>>) -> Result<Json<StatusDocument>, ApiError> {
    Ok(Json(status(&shared.handle, shared.started).await?))
}

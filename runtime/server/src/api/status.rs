//! How things stand.

use std::sync::Arc;

use axum::{Json, extract::State};
use trackside_control::{StatusDocument, status};

use super::{Shared, routes::Routes};
use crate::error::ApiError;

pub(super) fn routes() -> Routes {
    Routes::default().get("/v1/status", read)
}

/// `GET /v1/status`
async fn read(State(shared): State<Arc<Shared>>) -> Result<Json<StatusDocument>, ApiError> {
    Ok(Json(status(&shared.handle, shared.started).await?))
}

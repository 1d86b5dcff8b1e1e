//! Removing what is not kept.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::post};
use trackside_control::{PruneDocument, prune};

use super::Shared;
use crate::error::ApiError;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/v1/prune", post(run))
}

/// `POST /v1/prune`: what was removed is on disk when the answer comes.
async fn run(State(shared): State<Arc<Shared>>) -> Result<Json<PruneDocument>, ApiError> {
    Ok(Json(prune(&shared.handle).await?))
}

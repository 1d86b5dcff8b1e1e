//! Removing what is not kept.

use std::sync::Arc;

use axum::{Json, extract::State};
use trackside_control::{PruneDocument, prune};

use super::{Shared, routes::Routes};
use crate::error::ApiError;

pub(super) fn routes() -> Routes {
    Routes::default().post("/v1/prune", run)
}

/// `POST /v1/prune`: what was removed is on disk when the answer comes.
async fn run(State(shared): State<Arc<Shared>>) -> Result<Json<PruneDocument>, ApiError> {
    Ok(Json(prune(&shared.handle).await?))
}

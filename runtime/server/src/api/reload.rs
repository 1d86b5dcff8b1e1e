//! Reading the workflow files now.

use std::sync::Arc;

use axum::{Extension, Json, Router, extract::State, routing::post};
use trackside_control::{ReloadDocument, reload};

use super::{Peer, Shared};
use crate::error::ApiError;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/v1/reload", post(read))
}

/// `POST /v1/reload`: what is right is in use when the answer comes, and the answer says what is not.
async fn read(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
) -> Result<Json<ReloadDocument>, ApiError> {
    Ok(Json(reload(&shared.handle, &peer.name().await).await?))
}

//! Reading the workflow files now.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use trackside_control::{ReloadDocument, reload};

use super::{Peer, Shared, routes::Routes};
use crate::error::ApiError;

pub(super) fn routes() -> Routes {
    Routes::default().post("/v1/reload", read)
}

/// `POST /v1/reload`: what is right is in use when the answer comes, and the answer says what is not.
async fn read(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
) -> Result<Json<ReloadDocument>, ApiError> {
    Ok(Json(reload(&shared.handle, &peer.name().await).await?))
}

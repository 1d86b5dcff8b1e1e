//! Tokens.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::Request,
};
use trackside_control::{MakeToken, ModelPlace, TokenMade, TokenRevoked, make_token, revoke_token};

use super::{Peer, Shared, models::on_thread, routes::Routes};
use crate::{body::read_json, error::ApiError};

pub(super) fn routes() -> Routes {
    Routes::default().post("/v1/tokens", make).post("/v1/tokens/{name}/revoke", revoke)
}

/// `POST /v1/tokens`: the token is in the answer, and nowhere else.
async fn make(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Result<Json<TokenMade>, ApiError> {
    let wanted: MakeToken = read_json(request).await?;
    let by = peer.name().await;
    on_thread(move || make_token(&mut ModelPlace::of_node(&shared.handle, &by), &wanted)).await
}

/// `POST /v1/tokens/{name}/revoke`
async fn revoke(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<TokenRevoked>, ApiError> {
    let Path(name) = path.map_err(|_| ApiError::bad_request("the path names no token"))?;
    let by = peer.name().await;
    on_thread(move || revoke_token(&mut ModelPlace::of_node(&shared.handle, &by), &name)).await
}

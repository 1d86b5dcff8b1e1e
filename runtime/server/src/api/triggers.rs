//! Triggers: pausing and resuming them, and how a file stands with one.

use std::sync::Arc;

use axum::{Extension, Json, body::Body, extract::State, http::Request};
use trackside_control::{PauseTrigger, SightDocument, SightOf, TriggerPaused, pause_trigger};

use super::{Peer, Shared, routes::Routes};
use crate::{body::read_json, error::ApiError};

pub(super) fn routes() -> Routes {
    Routes::default()
        .post("/v1/triggers/pause", pause)
        .post("/v1/triggers/resume", resume)
        .post("/v1/triggers/sight", sight)
}

/// `POST /v1/triggers/pause`
async fn pause(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Result<Json<TriggerPaused>, ApiError> {
    let PauseTrigger { trigger } = read_json(request).await?;
    Ok(Json(pause_trigger(&shared.handle, &shared.handle.project(), &trigger, true, &peer.name().await).await?))
}

/// `POST /v1/triggers/resume`
async fn resume(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Result<Json<TriggerPaused>, ApiError> {
    let PauseTrigger { trigger } = read_json(request).await?;
    Ok(Json(pause_trigger(&shared.handle, &shared.handle.project(), &trigger, false, &peer.name().await).await?))
}

/// `POST /v1/triggers/sight`
async fn sight(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Result<Json<SightDocument>, ApiError> {
    let SightOf { trigger, path } = read_json(request).await?;
    Ok(Json(trackside_control::sight(&shared.handle, &trigger, &path).await))
}

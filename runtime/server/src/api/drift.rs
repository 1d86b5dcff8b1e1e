//! Drift.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::PathRejection},
};
use trackside_control::{DriftDocument, DriftReset, ModelPlace, ModelsError, drift, drift_of, reset_drift};

use super::{Peer, Shared, models::on_thread, routes::Routes};
use crate::error::ApiError;

pub(super) fn routes() -> Routes {
    Routes::default().get("/v1/drift", list).get("/v1/drift/{name}", one).post("/v1/drift/{name}/reset", reset)
}

/// `GET /v1/drift`: all that is watched.
async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<DriftDocument>>, ApiError> {
    on_thread(move || shared.handle.readers().with(|reader| drift(reader, None)).map_err(ModelsError::from)).await
}

/// `GET /v1/drift/{name}`: the versions of a model, or a table.
async fn one(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Vec<DriftDocument>>, ApiError> {
    let Path(name) = path.map_err(|_| ApiError::bad_request("the path names nothing that is watched"))?;
    let ask = move || -> Result<Vec<DriftDocument>, ModelsError> {
        let mut found = Err(None);
        shared.handle.readers().with(|reader| {
            found = drift_of(reader, &name).map_err(Some);
            Ok(())
        })?;
        found.map_err(|error| error.unwrap_or(ModelsError::Node(trackside_node::NodeError::Closed)))
    };
    on_thread(ask).await
}

/// `POST /v1/drift/{name}/reset`
async fn reset(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<DriftReset>, ApiError> {
    let Path(name) = path.map_err(|_| ApiError::bad_request("the path names nothing that is watched"))?;
    let by = peer.name().await;
    on_thread(move || reset_drift(&mut ModelPlace::of_node(&shared.handle, &by), &name)).await
}

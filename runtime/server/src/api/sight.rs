//! How one file stands with a trigger.

use std::{path::Path, sync::Arc};

use axum::{Json, body::Body, extract::State, http::Request};
use trackside_control::{SightDocument, SightOf};

use super::Shared;
use crate::{body::read_json, error::ApiError};

/// `POST /v1/triggers/sight`
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
) -> Result<Json<SightDocument>, ApiError> {
    let SightOf { trigger, path } = read_json(request).await?;
    let sight = shared.handle.sight(&trigger, Path::new(&path)).await;
    let (sight, detail) = sight.map(|sight| (sight.name().to_owned(), sight.to_string())).unzip();
    Ok(Json(SightDocument { trigger, path, sight, detail }))
}

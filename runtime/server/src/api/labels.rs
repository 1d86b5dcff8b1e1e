//! What would have been right.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::Request,
};
use serde_json::Value;
use trackside_codes::Coded as _;
use trackside_control::{
    AccuracyDocument, AccuracyError, LabelSample, LabelsTold, SampleError, SampleLabelled, TellLabels, label_sample,
    model_accuracy, tell_labels,
};

use super::{Peer, Shared, models::on_thread, routes::Routes};
use crate::{body::read_json, error::ApiError};

pub(super) fn routes() -> Routes {
    Routes::default()
        .post("/v1/labels", tell)
        .get("/v1/models/{name}/accuracy", accuracy)
        .post("/v1/samples/{id}/label", sample)
}

/// `POST /v1/labels`: what is taken is on disk when the answer comes.
async fn tell(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Result<Json<LabelsTold>, ApiError> {
    let body: Value = read_json(request).await?;
    let is_one = body.get("labels").is_none();
    let asked = TellLabels::of(body).map_err(|error| ApiError::of(&error))?;
    let by = peer.name().await;
    let told = on_thread(move || tell_labels(&shared.handle, asked, &by)).await?;
    match told.refusal().filter(|_| is_one) {
        Some(refusal) => Err(ApiError::new(refusal.code(), refusal.message.clone())),
        None => Ok(told),
    }
}

/// `GET /v1/models/{name}/accuracy`
async fn accuracy(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<AccuracyDocument>, ApiError> {
    let Path(name) = path.map_err(|_| ApiError::bad_request("the path names no model"))?;
    on_thread(move || shared.handle.readers().with(|reader| Ok(model_accuracy(reader, &name)))?).await
}

/// `POST /v1/samples/{id}/label`
async fn sample(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Result<Json<SampleLabelled>, ApiError> {
    let Path(id) = path.map_err(|_| ApiError::bad_request("the path names no sample"))?;
    let LabelSample { value } = read_json(request).await?;
    let by = peer.name().await;
    on_thread(move || label_sample(&shared.handle, &id, value, &by)).await
}

impl From<SampleError> for ApiError {
    fn from(error: SampleError) -> Self {
        match error {
            SampleError::Node(_) => Self::closing(),
            error => Self::of(&error),
        }
    }
}

impl From<AccuracyError> for ApiError {
    fn from(error: AccuracyError) -> Self {
        Self::of(&error)
    }
}

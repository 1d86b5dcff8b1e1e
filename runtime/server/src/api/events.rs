//! A run's events as a stream of JSON lines.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use tokio::sync::watch;
use trackside_control::{FollowError, RunLines, StreamLine};
use trackside_node::NodeError;

use super::{Shared, routes::Routes, runs::run_id};
use crate::{
    body::{Made, Making},
    error::ApiError,
    places::Place,
};

/// Bytes of lines that are sent together, where so many are at hand.
const TOGETHER: usize = 16 << 10;

impl From<FollowError> for ApiError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Closed(_) => Self::closing(),
            FollowError::Gone(_) | FollowError::NotTakenUp(_) => Self::of(&error),
            other => Self::internal(other.to_string()),
        }
    }
}

pub(super) fn routes() -> Routes {
    Routes::default().get("/v1/runs/{id}/events", follow)
}

/// `GET /v1/runs/{id}/events`
async fn follow(
    State(shared): State<Arc<Shared>>,
    Extension(place): Extension<Place>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let run = run_id(id)?;
    if !place.wait() {
        return Err(ApiError::too_many_wait());
    }
    let Some(lines) = RunLines::open(shared.handle.clone(), run).await? else {
        return Err(ApiError::no_such_run(&run.to_string()));
    };
    let stream = Stream { lines, closing: shared.closing.clone() };
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::new(Made::by(stream, more))).into_response())
}

struct Stream {
    lines: RunLines,
    closing: watch::Receiver<bool>,
}

/// The next lines, as many as are at hand; and the stream, unless these are its last.
fn more(mut stream: Stream) -> Making<Stream> {
    Box::pin(async move {
        let next = tokio::select! {
            biased;
            next = stream.lines.next() => next,
            _ = stream.closing.wait_for(|closing| *closing) => Err(FollowError::Closed(NodeError::Closed)),
        };
        let mut next = Some(next.unwrap_or_else(|error| StreamLine::Error(ApiError::from(error).into())));
        let mut bytes = Vec::new();
        while let Some(line) = next {
            bytes.extend_from_slice(&line.to_bytes());
            if !matches!(line, StreamLine::Event(_)) {
                return (bytes.into(), None);
            }
            next = if bytes.len() < TOGETHER { stream.lines.ready() } else { None };
        }
        (bytes.into(), Some(stream))
    })
}

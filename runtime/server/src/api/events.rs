//! A run's events as a stream of JSON lines.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use tokio::sync::{mpsc, watch};
use trackside_control::{FollowError, RunLines, StreamLine};
use trackside_node::NodeError;

use super::{Shared, routes::Routes, runs::run_id};
use crate::{body::Lines, error::ApiError};

/// Lines that may wait for a slow client.
const BUFFER: usize = 64;

impl From<FollowError> for ApiError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Closed(_) => Self::closing(),
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
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let run = run_id(id)?;
    let Some(lines) = RunLines::open(shared.handle.clone(), run).await? else {
        return Err(ApiError::no_such_run(&run.to_string()));
    };
    let (sender, body) = mpsc::channel(BUFFER);
    tokio::spawn(send(lines, sender, shared.closing.clone()));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(body))).into_response())
}

async fn send(mut lines: RunLines, client: mpsc::Sender<Bytes>, mut closing: watch::Receiver<bool>) {
    loop {
        let next = tokio::select! {
            next = lines.next() => next,
            // Nobody reads any more.
            () = client.closed() => return,
            _ = closing.wait_for(|closing| *closing) => Err(FollowError::Closed(NodeError::Closed)),
        };
        let line = next.unwrap_or_else(|error| StreamLine::Error(ApiError::from(error).into()));
        if client.send(line.to_bytes().into()).await.is_err() || !matches!(line, StreamLine::Event(_)) {
            return;
        }
    }
}

//! A run's events as a stream of JSON lines.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::{mpsc, watch};
use trackside_control::{EventLine, FollowError, Followed, RunFollower, StreamLine};
use trackside_engine::{Event, RunId};
use trackside_node::{Handle, RunHead};

use super::{Shared, runs::run_id};
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

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/v1/runs/{id}/events", get(follow))
}

/// `GET /v1/runs/{id}/events`
async fn follow(
    State(shared): State<Arc<Shared>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let run = run_id(id)?;
    let Some(follower) = RunFollower::open(shared.handle.clone(), run).await? else {
        return Err(ApiError::no_such_run(&run.to_string()));
    };
    let steps = step_ids(&shared.handle, run).await;
    let (lines, body) = mpsc::channel(BUFFER);
    tokio::spawn(send(follower, steps, lines, shared.closing.clone()));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(body))).into_response())
}

async fn send(
    mut follower: RunFollower,
    steps: Vec<String>,
    lines: mpsc::Sender<Bytes>,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        let next = tokio::select! {
            next = follower.next() => next,
            // Nobody reads any more.
            () = lines.closed() => return,
            _ = closing.wait_for(|closing| *closing) => Err(FollowError::Closed(trackside_node::NodeError::Closed)),
        };
        let (line, last) = match next {
            Ok(Some(Followed::Event { at_ms, event })) => {
                let step_id = name_of(&event, &steps);
                (StreamLine::Event(Box::new(EventLine { at_ms, step_id, event })), false)
            }
            Ok(Some(Followed::Settled) | None) => (StreamLine::Settled, true),
            Err(error) => (StreamLine::Error(ApiError::from(error).into()), true),
        };
        if lines.send(line.to_bytes().into()).await.is_err() || last {
            return;
        }
    }
}

fn name_of(event: &Event, steps: &[String]) -> Option<String> {
    event.about().and_then(|at| steps.get(at.step.get()).cloned())
}

/// Ids of the steps of the definition that the run started with; none when it can not be read, which costs the lines
/// their `step_id` and nothing else.
async fn step_ids(handle: &Handle, run: RunId) -> Vec<String> {
    let readers = handle.readers().clone();
    let ids = tokio::task::spawn_blocking(move || {
        let plan = readers.with(|reader| RunHead::open(reader, run)).ok().flatten()?.plan.ok()?;
        Some(plan.steps.iter().map(|step| step.id.clone()).collect())
    });
    ids.await.ok().flatten().unwrap_or_default()
}

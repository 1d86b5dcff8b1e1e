//! `POST /hooks/NAME`: what programs outside send.
//!
//! A request is answered with 202 when its run is on disk, and not before. One that waits is answered with 200 when the run's end
//! is.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes, HttpBody},
    extract::{Path, State, rejection::PathRejection},
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use trackside_control::{Accepted, Hook, HookAnswer, HookError, Waited};
use trackside_node::Handle;
use trackside_spec::ByteSize;

use crate::{api::Peer, error::ApiError, places::Place, prompt::MoreToCome, wait::Wait};

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// KiB of bodies in memory at one time.
const BODIES: usize = 128 << 10;
struct Shared {
    handle: Handle,
    closing: watch::Receiver<bool>,
    room: Arc<Semaphore>,
}

/// The page of the webhooks. Which there are is looked up with each request.
pub(crate) fn router(handle: Handle, closing: watch::Receiver<bool>) -> Router {
    let shared = Shared { handle, closing, room: Arc::new(Semaphore::new(BODIES)) };
    Router::new()
        .route("/hooks/{name}", post(take))
        .fallback(async || ApiError::no_such_hook())
        .method_not_allowed_fallback(async || ApiError::no_such_method("POST /hooks/{name}"))
        .with_state(Arc::new(shared))
}

impl From<HookError> for ApiError {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Busy => Self::busy(),
            HookError::Node(_) => Self::closing(),
            error => Self::of(&error),
        }
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    Extension(place): Extension<Place>,
    Extension(peer): Extension<Peer>,
    name: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let project = shared.handle.project();
    let hook = name.ok().and_then(|Path(name)| Hook::find(&project, &name)).ok_or_else(ApiError::no_such_hook)?;
    let (head, body) = request.into_parts();
    let body = read_body(&shared, hook.max_body(), body, &peer.more).await?;
    let wait = Wait::take_place(Wait::asked(&head.uri, &head.headers)?, &place)?;
    let over = wait.map(|wait| wait.over(shared.closing.clone()));
    let mut response = match hook.receive(&shared.handle, &head.headers, body, over).await? {
        HookAnswer::Started(Waited::Ended(ended)) => Json(ended).into_response(),
        HookAnswer::Started(Waited::UnderWay(run)) => (StatusCode::ACCEPTED, Json(Accepted { run })).into_response(),
        HookAnswer::Duplicate => Json(json!({ "duplicate": true })).into_response(),
    };
    Wait::mark(wait, &mut response);
    Ok(response)
}

async fn read_body(
    shared: &Shared,
    limit: ByteSize,
    body: Body,
    more: &MoreToCome,
) -> Result<(Bytes, OwnedSemaphorePermit), ApiError> {
    let read = tokio::time::timeout(BODY_TIME, collect(shared, limit, body, more)).await;
    read.unwrap_or_else(|_| Err(ApiError::too_slow()))
}

/// Takes room for what has come, and not for what is announced: nobody who sends nothing keeps others out.
async fn collect(
    shared: &Shared,
    limit: ByteSize,
    mut body: Body,
    more: &MoreToCome,
) -> Result<(Bytes, OwnedSemaphorePermit), ApiError> {
    let most = usize::try_from(limit.as_bytes()).unwrap_or(usize::MAX);
    let take = |kib: usize| {
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        shared.room.clone().try_acquire_many_owned(kib).map_err(|_| ApiError::too_many())
    };
    let (mut came, mut room) = (Vec::new(), take(0)?);
    while let Some(frame) = more.waited_for(body.frame()).await {
        let frame = frame.map_err(|error| ApiError::bad_request(format!("the body can not be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > most - came.len() {
            return Err(ApiError::body_too_large(&limit.to_string()));
        }
        came.extend_from_slice(&data);
        room.merge(take(came.len().div_ceil(1024) - room.num_permits())?);
        // As announced: that nothing is behind it need not be waited for.
        if body.is_end_stream() {
            break;
        }
    }
    Ok((came.into(), room))
}

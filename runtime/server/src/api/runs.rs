//! Starting runs, and waiting for their ends.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header::LOCATION},
    response::{IntoResponse, Response},
};
use trackside_control::{Accepted, StartError, StartRun, Waited, run_to_end, start_run, wait_for_end};
use trackside_engine::RunId;

use super::{Shared, routes::Routes};
use crate::{
    body::read_json,
    error::ApiError,
    places::Place,
    wait::{Wait, only_wait},
};

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Busy => Self::busy(),
            StartError::Node(_) => Self::closing(),
            error => Self::of(&error),
        }
    }
}

pub(super) fn routes() -> Routes {
    Routes::default().post("/v1/runs", start).get("/v1/runs/{id}", end)
}

/// `POST /v1/runs`
async fn start(
    State(shared): State<Arc<Shared>>,
    Extension(place): Extension<Place>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    // First: a client that is still sending does not hear why it is refused.
    let request: StartRun = read_json(request).await?;
    let wait = asked(&uri, &headers, &place)?;
    let (handle, project) = (&shared.handle, shared.handle.project());
    let waited = match wait {
        Some(wait) => run_to_end(handle, &project, request, wait.over(shared.closing.clone())).await?,
        None => Waited::UnderWay(start_run(handle, &project, request).await?),
    };
    Ok(answer(waited, wait))
}

/// `GET /v1/runs/{id}`
async fn end(
    State(shared): State<Arc<Shared>>,
    Extension(place): Extension<Place>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let run = run_id(id)?;
    let wait = asked(&uri, &headers, &place)?;
    let over = async {
        if let Some(wait) = wait {
            wait.over(shared.closing.clone()).await;
        }
    };
    let waited = wait_for_end(&shared.handle, run, over).await?;
    Ok(answer(waited.ok_or_else(|| ApiError::no_such_run(&run.to_string()))?, wait))
}

fn asked(uri: &Uri, headers: &HeaderMap, place: &Place) -> Result<Option<Wait>, ApiError> {
    only_wait(uri)?;
    Wait::take_place(Wait::asked(uri, headers)?, place)
}

/// How the run ended, or where that can be asked for later.
fn answer(waited: Waited, wait: Option<Wait>) -> Response {
    let mut response = match waited {
        Waited::Ended(ended) => Json(ended).into_response(),
        Waited::UnderWay(run) => {
            let mut response = (StatusCode::ACCEPTED, Json(Accepted { run })).into_response();
            if let Ok(place) = HeaderValue::try_from(format!("/v1/runs/{run}")) {
                response.headers_mut().insert(LOCATION, place);
            }
            response
        }
    };
    Wait::mark(wait, &mut response);
    response
}

/// The run that a path names; text that is none is like a run that there is not.
pub(super) fn run_id(id: Result<Path<String>, PathRejection>) -> Result<RunId, ApiError> {
    let Ok(Path(id)) = id else { return Err(ApiError::no_such_run("")) };
    id.parse().map_err(|_| ApiError::no_such_run(&id))
}

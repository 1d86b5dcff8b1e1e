//! What can go wrong at the socket, and how it is told to a client.

use std::{ops::Deref, path::PathBuf};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use trackside_control::{ErrorDocument, MAX_SOCKET_PATH, Refusal};
use trackside_node::NodeError;

/// Why the server does not start. Codes TS-0701 to TS-0709.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The kernel takes no path of this length.
    #[error(
        "[TS-0701] the socket's path {} has {length} bytes, the system allows {max}; move the project to a shorter path, or \
         set a shorter `data` in [node] of trackside.toml", path.display(), max = MAX_SOCKET_PATH
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// Something lies where the socket should be.
    #[error("[TS-0702] {} is in the way: it is not a socket; move it elsewhere", path.display())]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("[TS-0703] cannot {action} the socket {}: {source}; the data folder must be writable and on a local disk", path.display())]
    Socket {
        /// What was being done.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody can listen there.
    #[error("[TS-0704] cannot listen on {listen} for webhooks: {source}; see [http_server] listen in trackside.toml")]
    Listen {
        /// The address.
        listen: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub(crate) struct ApiError(Refusal);

impl Deref for ApiError {
    type Target = Refusal;

    fn deref(&self) -> &Refusal {
        &self.0
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        error.0
    }
}

impl ApiError {
    fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self(Refusal::new(status.as_u16(), code, message))
    }

    /// TS-0710: the request itself is wrong.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "TS-0710", message)
    }

    /// With a code of its own.
    pub(crate) fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// With a code and a status of its own.
    pub(crate) fn with_status(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self::new(status, code, message)
    }

    /// TS-0714: too much is under way.
    pub(crate) fn busy() -> Self {
        let message = "the node has too many runs under way, or its disk refuses commits; try again in a moment; \
                       `trackside status` (`trouble` in /v1/status) tells which";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TS-0714", message)
    }

    /// TS-0715: there is no such run.
    pub(crate) fn no_such_run(run: &str) -> Self {
        let run: String = run.chars().take(40).collect();
        let message = format!("there is no run {run:?}; `trackside runs list` prints the ids");
        Self::new(StatusCode::NOT_FOUND, "TS-0715", message)
    }

    /// TS-0717: the node is going down.
    pub(crate) fn closing() -> Self {
        let message = "the node is going down; what was accepted goes on at its next start";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TS-0717", message)
    }

    /// TS-0718: more than the API reads.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes; give large data as a file");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TS-0718", message)
    }

    /// TS-0719: the client took too long.
    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "TS-0719", "the body did not arrive in time; send it at once")
    }

    /// TS-0720: the node's own fault.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "TS-0720", message)
    }

    /// TS-0737: there is no such webhook.
    pub(crate) fn no_such_hook() -> Self {
        Self::new(StatusCode::NOT_FOUND, "TS-0737", "there is no such webhook; send POST /hooks/NAME")
    }

    /// TS-0738: more than can be taken now.
    pub(crate) fn too_many() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TS-0738", "too much is under way; send it again in a moment")
    }

    /// TS-0739: somebody has paused the trigger; what sends may try again later.
    pub(crate) fn paused_hook() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TS-0739", "this webhook is paused; send it again later")
    }

    /// TS-0718: more than the webhook takes.
    pub(crate) fn body_too_large(limit: &str) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TS-0718", format!("the body is larger than max_body, {limit}"))
    }

    /// The signature is missing or wrong, with a code of its own.
    pub(crate) fn unsigned(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// TS-0721: no such page.
    pub(crate) fn no_such_path() -> Self {
        let message = "there is nothing here; the API has POST /v1/runs, GET /v1/runs/{id}/events, \
                       POST /v1/runs/{id}/cancel, /pause, /resume, /retry and /approvals/{step}, \
                       POST /v1/triggers/pause and /resume, POST /v1/reload, and GET /v1/status";
        Self::new(StatusCode::NOT_FOUND, "TS-0721", message)
    }

    /// TS-0721: the path is there for another method.
    pub(crate) fn no_such_method() -> Self {
        let mut error = Self::no_such_path();
        error.0.status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
        error
    }
}

impl From<NodeError> for ApiError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Reload(reason) => Self::internal(reason),
            _ => Self::closing(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let busy = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let mut response = (status, Json(ErrorDocument { error: self.0 })).into_response();
        if busy {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

//! What can go wrong at the socket, and how it is told to a client.

use std::{ops::Deref, path::PathBuf};
use trackside_codes::{Class, Code, Coded, Reason, code};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use trackside_control::{ErrorDocument, MAX_SOCKET_PATH, Refusal};
use trackside_node::NodeError;

/// Why the server does not start. Codes TS-0701 to TS-0707.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The kernel takes no path of this length.
    #[error(
        "[{code}] the socket's path {} has {length} bytes, the system allows {max}; move the project to a shorter path, or \
         set a shorter `data` in [node] of trackside.toml", path.display(), max = MAX_SOCKET_PATH,
        code = self.code()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// Something lies where the socket should be.
    #[error("[{code}] {} is in the way: it is not a socket; move it elsewhere", path.display(), code = self.code())]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error(
        "[{code}] cannot {action} the socket {}: {source}; the data folder must be writable and on a local disk", path.display(),
        code = self.code()
    )]
    Socket {
        /// What was being done.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody can listen there.
    #[error(
        "[{code}] cannot listen on {listen} for webhooks: {source}; see [http_server] listen in trackside.toml",
        code = self.code()
    )]
    Listen {
        /// The address.
        listen: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody can listen there.
    #[error(
        "[{code}] cannot listen on {listen} for inference: {source}; see [inference] listen in trackside.toml",
        code = self.code()
    )]
    InferenceListen {
        /// The address.
        listen: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others would reach it without TLS and a token.
    #[error(
        "[{code}] not listening on {listen} for inference: others than this machine reach it, so it needs a certificate \
         and a token; see [inference] in trackside.toml",
        code = self.code()
    )]
    InferenceOpen {
        /// The address.
        listen: String,
    },
    /// Its certificate or key is of no use.
    #[error("[{code}] the certificate or the key of [inference] is of no use: {0}", code = self.code())]
    InferenceTls(#[source] Reason),
}

impl Coded for ServerError {
    fn code(&self) -> Code {
        match self {
            Self::PathTooLong { .. } => code!("TS-0701"),
            Self::Occupied { .. } => code!("TS-0702"),
            Self::Socket { .. } => code!("TS-0703"),
            Self::Listen { .. } => code!("TS-0704"),
            Self::InferenceListen { .. } => code!("TS-0705"),
            Self::InferenceOpen { .. } => code!("TS-0706"),
            Self::InferenceTls(_) => code!("TS-0707"),
        }
    }
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
    /// With the status that goes with the code.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Refusal::new(status_of(code).as_u16(), code, message))
    }

    /// What an error says: its code has a field of its own.
    pub(crate) fn of(error: &impl Coded) -> Self {
        Self::new(error.code(), error.message())
    }

    /// TS-0710: the request itself is wrong.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(code!("TS-0710"), message)
    }

    /// TS-0714: too much is under way.
    pub(crate) fn busy() -> Self {
        let message = "the node has too many runs under way, or its disk refuses commits; try again in a moment; \
                       `trackside status` (`trouble` in /v1/status) tells which";
        Self::new(code!("TS-0714"), message)
    }

    /// TS-0715: there is no such run.
    pub(crate) fn no_such_run(run: &str) -> Self {
        let run: String = run.chars().take(40).collect();
        let message = format!("there is no run {run:?}; `trackside runs list` prints the ids");
        Self::new(code!("TS-0715"), message)
    }

    /// TS-0717: the node is going down.
    pub(crate) fn closing() -> Self {
        let message = "the node is going down; what was accepted goes on at its next start";
        Self::new(code!("TS-0717"), message)
    }

    /// TS-0718: more than the API reads.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes; give large data as a file");
        Self::new(code!("TS-0718"), message)
    }

    /// TS-0719: the client took too long.
    pub(crate) fn too_slow() -> Self {
        Self::new(code!("TS-0719"), "the body did not arrive in time; send it at once")
    }

    /// TS-0720: the node's own fault.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(code!("TS-0720"), message)
    }

    /// TS-0737: there is no such webhook.
    pub(crate) fn no_such_hook() -> Self {
        Self::new(code!("TS-0737"), "there is no such webhook; send POST /hooks/NAME")
    }

    /// TS-0738: more than can be taken now.
    pub(crate) fn too_many() -> Self {
        Self::new(code!("TS-0738"), "too much is under way; send it again in a moment")
    }

    /// TS-0738: more than may wait at one time.
    pub(crate) fn too_many_wait() -> Self {
        let message = "as many clients wait already as may; send it again in a moment, or without waiting";
        Self::new(code!("TS-0738"), message)
    }

    /// TS-0718: more than the webhook takes.
    pub(crate) fn body_too_large(limit: &str) -> Self {
        Self::new(code!("TS-0718"), format!("the body is larger than max_body, {limit}"))
    }

    /// TS-0721: no such page among those that are known.
    pub(crate) fn no_such_path(known: &str) -> Self {
        Self::new(code!("TS-0721"), format!("there is nothing here; the API has {known}"))
    }

    /// TS-0721: the path is there for another method.
    pub(crate) fn no_such_method(known: &str) -> Self {
        let mut error = Self::no_such_path(known);
        error.0.status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
        error
    }
}

/// The HTTP status of a code: that of its class.
fn status_of(code: Code) -> StatusCode {
    /// Named in the body or below the address of something that is there: the request is wrong, not the address.
    const NAMED: [Code; 3] = [code!("TS-0711"), code!("TS-0724"), code!("TS-0734")];
    match code.class() {
        _ if NAMED.contains(&code) => StatusCode::BAD_REQUEST,
        Class::BadInput | Class::BadFile => StatusCode::BAD_REQUEST,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Denied => StatusCode::FORBIDDEN,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Class::Conflict => StatusCode::CONFLICT,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Class::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Class::Busy | Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Setup | Class::Unusable | Class::Disk | Class::Damaged | Class::Failed | Class::Bug | Class::Warning => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl From<NodeError> for ApiError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Reload(reason) => Self::internal(reason.to_string()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_statuses_that_clients_rely_on() {
        let all: [(u16, &[&str]); 11] = [
            (400, &["TS-0440", "TS-0441", "TS-0442", "TS-0443", "TS-0710", "TS-0711", "TS-0712", "TS-0713", "TS-0727"]),
            (400, &["TS-0724", "TS-0734"]),
            (401, &["TS-0430", "TS-0431", "TS-0432", "TS-0433"]),
            (403, &["TS-0736"]),
            (404, &["TS-0715", "TS-0721", "TS-0723", "TS-0737"]),
            (408, &["TS-0719"]),
            (409, &["TS-0716", "TS-0722", "TS-0725", "TS-0728", "TS-0735"]),
            (413, &["TS-0718"]),
            (415, &["TS-0434"]),
            (429, &["TS-0738"]),
            (503, &["TS-0714", "TS-0717", "TS-0739"]),
        ];
        for (status, codes) in all {
            for code in codes {
                assert_eq!(status_of(Code::parse(code).unwrap()).as_u16(), status, "{code}");
            }
        }
        assert_eq!(ApiError::internal("").status, 500);
    }
}

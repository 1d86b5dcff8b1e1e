//! What a client is told when something went wrong, the same on both wires.

use std::time::Duration;

use hyper::StatusCode;
use tonic::Code as Grpc;
use trackside_codes::{Class, Code, Coded, code};
use trackside_spec::Role;

/// The request was cancelled.
const CANCELLED: Code = code!("TS-0513");

/// Codes whose status is not that of their class: an output that is named in a request, a model's deadline and that of who
/// waits for it, what was cancelled, the body's own time, and what is not served at all.
const OWN_STATUS: [(Code, StatusCode); 6] = [
    (code!("TS-0511"), StatusCode::BAD_REQUEST),
    (code!("TS-0512"), StatusCode::GATEWAY_TIMEOUT),
    (CANCELLED, StatusCode::BAD_REQUEST),
    (code!("TS-0579"), StatusCode::GATEWAY_TIMEOUT),
    (code!("TS-0755"), StatusCode::REQUEST_TIMEOUT),
    (code!("TS-0756"), StatusCode::NOT_IMPLEMENTED),
];

/// Why a request gets no answer. The text goes to the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{code}] {text}")]
pub struct Failure {
    code: Code,
    text: String,
    retry_after: Option<Duration>,
    /// Of a page that is there for other methods.
    pub(crate) allow: Option<&'static str>,
    /// Where it is not that of the code.
    own_status: Option<StatusCode>,
}

impl Coded for Failure {
    fn code(&self) -> Code {
        self.code
    }
}

impl Failure {
    /// Of this code; the class of the code decides about the status.
    #[must_use]
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), retry_after: None, allow: None, own_status: None }
    }

    /// What another room says: its code, class and text.
    #[must_use]
    pub fn of(error: &impl Coded) -> Self {
        Self::new(error.code(), error.message())
    }

    /// With its text told otherwise.
    #[must_use]
    pub(crate) fn told(mut self, how: impl FnOnce(String) -> String) -> Self {
        self.text = how(self.text);
        self
    }

    /// With the time after which the same request may do.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// Told as what can not be had now, whatever its class: a model that is not ready.
    #[must_use]
    pub const fn unavailable(mut self) -> Self {
        self.own_status = Some(StatusCode::SERVICE_UNAVAILABLE);
        self
    }

    /// Told as a request that was wrong, unless there is no such model: to load one that can not be loaded.
    #[must_use]
    pub fn not_loaded(mut self) -> Self {
        self.own_status = (self.status() != StatusCode::NOT_FOUND).then_some(StatusCode::BAD_REQUEST);
        self
    }

    /// TS-0750: the request itself is wrong.
    #[must_use]
    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(code!("TS-0750"), text)
    }

    /// TS-0751: the address is none of the protocol's.
    pub(crate) fn no_such_page(method: &str, path: &str) -> Self {
        let path: String = path.chars().take(200).collect();
        Self::new(code!("TS-0751"), format!("there is nothing at {method} {path}; the routes are in docs/inference.md"))
    }

    /// TS-0751: the address is there for other methods.
    pub(crate) fn wrong_method(method: &str, path: &str, allow: &'static str) -> Self {
        let path: String = path.chars().take(200).collect();
        let mut failure = Self::new(code!("TS-0751"), format!("{path} takes {allow}, not {method}"));
        failure.allow = Some(allow);
        failure
    }

    /// TS-0752: it is not known who asks.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let text = "this server wants a token: send the header `Authorization: Bearer TOKEN` with one that it knows";
        Self::new(code!("TS-0752"), text)
    }

    /// TS-0759: it is known who asks, and that is not enough.
    pub(crate) fn not_with(role: Role) -> Self {
        let text = format!(
            "the role of this token, {role}, may not do this; `trackside token create` makes one of another role"
        );
        Self::new(code!("TS-0759"), text)
    }

    /// TS-0753: more than is taken.
    pub(crate) fn too_large(what: &str, limit: usize) -> Self {
        Self::new(code!("TS-0753"), format!("{what} is larger than `body` of [inference] allows, {limit} bytes"))
    }

    /// TS-0754: an encoding that is not read.
    pub(crate) fn unknown_encoding(encoding: &str) -> Self {
        let encoding: String = encoding.chars().take(40).collect();
        Self::new(
            code!("TS-0754"),
            format!("the Content-Encoding {encoding:?} is not read; gzip, deflate and none are"),
        )
    }

    /// TS-0755: the client was too slow.
    pub(crate) fn too_slow(time: Duration) -> Self {
        Self::new(code!("TS-0755"), format!("the body did not arrive within {} s", time.as_secs()))
    }

    /// TS-0756: a part of the protocol, or of its extensions, that is not served.
    #[must_use]
    pub fn unsupported(text: impl Into<String>) -> Self {
        Self::new(code!("TS-0756"), text)
    }

    /// TS-0757: more than can be taken now.
    pub(crate) fn too_many() -> Self {
        let text = "as many bytes of requests are in memory as may be; send it again in a moment";
        Self::new(code!("TS-0757"), text).after(Duration::from_secs(1))
    }

    /// The status of HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        if self.allow.is_some() {
            return StatusCode::METHOD_NOT_ALLOWED;
        }
        if let Some(status) = self.own_status {
            return status;
        }
        if let Some((_, status)) = OWN_STATUS.iter().find(|(code, _)| *code == self.code) {
            return *status;
        }
        match self.code.class() {
            Class::BadInput | Class::BadFile | Class::Conflict => StatusCode::BAD_REQUEST,
            Class::Unauthenticated => StatusCode::UNAUTHORIZED,
            Class::Denied => StatusCode::FORBIDDEN,
            Class::NotFound => StatusCode::NOT_FOUND,
            Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Class::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Class::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Class::Busy | Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Class::TooSlow => StatusCode::GATEWAY_TIMEOUT,
            Class::Setup
            | Class::Unusable
            | Class::Disk
            | Class::Damaged
            | Class::Failed
            | Class::Bug
            | Class::Warning => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The status of gRPC.
    #[must_use]
    pub fn grpc(&self) -> Grpc {
        match self.status() {
            StatusCode::BAD_REQUEST if self.code == CANCELLED => Grpc::Cancelled,
            StatusCode::BAD_REQUEST => Grpc::InvalidArgument,
            StatusCode::UNAUTHORIZED => Grpc::Unauthenticated,
            StatusCode::FORBIDDEN => Grpc::PermissionDenied,
            StatusCode::NOT_FOUND => Grpc::NotFound,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => Grpc::ResourceExhausted,
            StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Grpc::Unimplemented
            }
            StatusCode::SERVICE_UNAVAILABLE => Grpc::Unavailable,
            StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => Grpc::DeadlineExceeded,
            _ => Grpc::Internal,
        }
    }

    /// After so many seconds the same request may do.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        match self.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some(self.retry_after.map_or(1, seconds).max(1))
            }
            _ => None,
        }
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        Self::new(failure.grpc(), failure.to_string())
    }
}

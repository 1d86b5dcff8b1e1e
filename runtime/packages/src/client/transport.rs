//! One request to a registry, and what it says in the words of one when it fails.

use std::time::Duration;

use http_body_util::Full;
use hyper::{
    Request,
    body::{Body as _, Bytes},
    header,
    http::response,
};
use trackside_codes::{Class, Reason};
use trackside_net::{Deadlines, Failure, HttpClient, Url};

use crate::error::RegistryError;

const CONNECT: Duration = Duration::from_secs(10);
/// For the head of an answer. A registry checks what was pushed before it answers.
const HEAD: Duration = Duration::from_secs(60);
/// Between two pieces of a body.
const PIECE: Duration = Duration::from_secs(30);
/// For a whole body, however slowly it drips.
const WHOLE: Duration = Duration::from_secs(900);
/// Bytes in a second that an upload, or the download of something large, may not fall below.
const SLOWEST: u64 = 32 << 10;

/// An answer whose body is still to come.
pub(super) struct Answer {
    answer: trackside_net::Answer,
    host: String,
    what: String,
}

/// Sends a request; `what` is for messages.
pub(super) async fn send(
    target: &Url,
    client: &HttpClient,
    request: Request<Full<Bytes>>,
    what: &str,
) -> Result<Answer, RegistryError> {
    let host = target.authority();
    let request_bytes = request.body().size_hint().upper().unwrap_or(0);
    // A body that is sent takes its time too.
    let head = HEAD + Duration::from_secs(request_bytes / SLOWEST);
    let deadlines = Deadlines { connect: CONNECT, head, piece: PIECE, whole: WHOLE };
    match client.open(target, request, &deadlines).await {
        Ok(answer) => Ok(Answer { answer, host, what: what.to_owned() }),
        Err(failure) => Err(in_its_words(failure, host, what.to_owned())),
    }
}

fn in_its_words(failure: Failure, host: String, what: String) -> RegistryError {
    match failure {
        Failure::Dns { source, .. } | Failure::Connect { source } | Failure::Tls { source } => {
            RegistryError::Connect { host, reason: Reason::by(Class::Unavailable, source) }
        }
        Failure::Timeout { after, .. } => RegistryError::Timeout { host, what, after },
        Failure::TooLarge { limit } => RegistryError::TooLarge { host, what, limit },
        Failure::Url(error) => RegistryError::Malformed { host, what, reason: Reason::by(Class::Unavailable, error) },
        Failure::BrokenOff { .. } => {
            let reason = Reason::by(Class::Unavailable, failure).told(|text| format!("{what} {text}"));
            RegistryError::Connect { host, reason }
        }
        other => RegistryError::Connect { host, reason: Reason::by(Class::Unavailable, other) },
    }
}

impl Answer {
    pub(super) fn head(&self) -> &response::Parts {
        &self.answer.head
    }

    /// The header `name`, if it is there and readable.
    pub(super) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.answer.header(name)
    }

    /// The whole body, at most `limit` bytes of it.
    pub(super) async fn bytes(self, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let Self { answer, host, what } = self;
        answer.bytes(limit).await.map_err(|failure| in_its_words(failure, host, what))
    }

    /// The whole body, at most `limit` bytes of it, piece by piece; a large one may take longer than others.
    pub(super) async fn each(
        self,
        limit: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let Self { answer, host, what } = self;
        let answer = answer.within(WHOLE + Duration::from_secs(limit / SLOWEST));
        let taken = answer.each(limit, |piece| take(piece).map_err(Broken::Here)).await;
        taken.map_err(|broken| match broken {
            Broken::There(failure) => in_its_words(failure, host, what),
            Broken::Here(error) => error,
        })
    }
}

/// Which side a transfer ended at.
enum Broken {
    There(Failure),
    Here(RegistryError),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::There(failure)
    }
}

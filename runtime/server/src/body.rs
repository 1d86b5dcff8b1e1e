//! Bodies: reading a bounded one, sending one part by part.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::Request,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Frame;
use serde::de::DeserializeOwned;
use trackside_spec::{OutsideError, read_outside};

use crate::error::ApiError;

/// The largest body that is read.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Reads a request's JSON body within the limits of size and time.
pub(crate) async fn read_json<T: DeserializeOwned>(request: Request<Body>) -> Result<T, ApiError> {
    read_json_within(BODY_TIME, request).await
}

async fn read_json_within<T: DeserializeOwned>(time: Duration, request: Request<Body>) -> Result<T, ApiError> {
    let collected = tokio::time::timeout(time, Limited::new(request.into_body(), MAX_BODY).collect()).await;
    let bytes = match collected {
        Err(_) => return Err(ApiError::too_slow()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(ApiError::too_large(MAX_BODY)),
        Ok(Err(error)) => return Err(ApiError::bad_request(format!("the body can not be read: {error}"))),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    read_outside(&bytes).map_err(|error| match error {
        OutsideError::Json(error) => ApiError::bad_request(format!(
            "the body must be JSON such as {{\"workflow\": \"hello\", \"params\": {{}}}}: {error}"
        )),
        OutsideError::Lossy(problem) => ApiError::bad_request(format!("the body can not be kept: {problem}")),
    })
}

/// A part that is being made, and what the next one is made of, unless it is the last.
pub(crate) type Making<S> = Pin<Box<dyn Future<Output = (Bytes, Option<S>)> + Send>>;

/// A body whose parts are made when they are wanted: for who does not read none is made ahead.
pub(crate) struct Made<S> {
    making: Option<Making<S>>,
    make: fn(S) -> Making<S>,
}

impl<S> Made<S> {
    /// Made of this, by that.
    pub(crate) fn by(of: S, make: fn(S) -> Making<S>) -> Self {
        Self { making: Some(make(of)), make }
    }
}

impl<S> hyper::body::Body for Made<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(making) = &mut self.making else { return Poll::Ready(None) };
        let (part, rest) = std::task::ready!(making.as_mut().poll(context));
        self.making = rest.map(self.make);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.making.is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_before_it_is_kept() {
        let body = Body::from(vec![b' '; MAX_BODY + 1]);
        let error = read_json::<Value>(Request::new(body)).await.unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (413, "TS-0718"));
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_not_waited_for() {
        let request = Request::new(Body::new(Made::by((), |()| Box::pin(std::future::pending()))));
        let error = read_json_within::<Value>(Duration::ZERO, request).await.unwrap_err();
        assert_eq!(error.code, "TS-0719");
    }

    #[tokio::test]
    async fn what_is_no_json_is_refused_with_an_example() {
        let error = read_json::<Value>(Request::new(Body::from("workflow=a"))).await.unwrap_err();
        assert_eq!(error.status, 400);
        assert!(error.message.contains("\"workflow\""), "{}", error.message);
    }
}

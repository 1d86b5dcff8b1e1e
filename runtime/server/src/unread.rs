//! Requests that are answered before they are read: refused for their size, their token, their path.
//!
//! A connection that is closed while its client still sends is reset, and the client never sees the answer: it reports a broken pipe
//! where it was to read 413. So what is left of such a body is taken and thrown away for a moment, behind the answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{
    Request, Version,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::EXPECT,
};

/// How long, and how much, is taken behind an answer.
const TIME: Duration = Duration::from_secs(2);
const MOST: usize = 64 << 20;

/// The body of a request; what nobody read of it is thrown away when it is dropped.
pub(crate) struct Unread {
    /// `None` once nothing more comes.
    body: Option<Incoming>,
    /// It may be on its way. Of HTTP/2 a client is told alone that nobody reads its stream; and one that says `Expect` sends nothing
    /// before it is asked to.
    comes: bool,
}

impl Unread {
    pub(crate) fn of(request: Request<Incoming>) -> Request<Self> {
        let comes = request.version() != Version::HTTP_2 && !request.headers().contains_key(EXPECT);
        request.map(|body| Self { body: Some(body), comes })
    }
}

impl Body for Unread {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let part = std::task::ready!(Pin::new(body).poll_frame(context));
        if !matches!(part, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(part)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| self.comes && !body.is_end_stream()) else { return };
        // Without a runtime its connection is gone, too.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(TIME, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut left = MOST;
    while let Some(Ok(part)) = body.frame().await {
        let Some(rest) = left.checked_sub(part.data_ref().map_or(0, Bytes::len)) else { break };
        left = rest;
    }
}

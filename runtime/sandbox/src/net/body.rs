//! Bodies of requests: bytes that a guest handed over, or an artifact that is streamed from disk.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};

use crate::files::OpenFile;

const CHUNK: usize = 64 * 1024;

/// The body of a response, from the network or from a host that plays it.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, hyper::Error>;

type Reading = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + Send>>;

/// A request body of known length.
pub(crate) enum RequestBody {
    /// Bytes, until they are sent.
    Bytes(Bytes),
    /// A file.
    File { file: Arc<OpenFile>, position: u64, reading: Option<Reading> },
}

impl RequestBody {
    pub(crate) fn file(file: Arc<OpenFile>) -> Self {
        Self::File { file, position: 0, reading: None }
    }

    /// The body where it is in memory.
    pub(crate) fn in_memory(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::File { .. } => &[],
        }
    }

    /// Bytes that are still to be sent.
    pub(crate) fn left(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { file, position, .. } => file.length().saturating_sub(*position),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = self.get_mut();
        if body.left() == 0 {
            return Poll::Ready(None);
        }
        match body {
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::File { file, position, reading } => {
                let future = reading.get_or_insert_with(|| {
                    let (file, position) = (file.clone(), *position);
                    Box::pin(async move { file.read(position, CHUNK).await })
                });
                let result = std::task::ready!(future.as_mut().poll(context));
                *reading = None;
                Poll::Ready(Some(result.map(|bytes| {
                    *position += bytes.len() as u64;
                    Frame::data(bytes.into())
                })))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

//! Bodies: reading a bounded one, counting one that somebody else reads, and those of answers.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::{
    failure::Failure,
    patience::Busy,
    room::{Held, Room},
};
use crate::{prompt::MoreToCome, unread::Unread};

/// What is made room for at once of a length that is announced.
const AT_ONCE: usize = 1 << 20;

/// Reads a whole body of at most `limit` bytes, within `time`.
///
/// # Errors
/// TS-0753, TS-0755, TS-0757, and TS-0750 when the connection breaks.
pub(crate) async fn read(
    mut body: Unread,
    limit: usize,
    time: Duration,
    held: &mut Held,
    more: &MoreToCome,
) -> Result<Bytes, Failure> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(Failure::too_large("the body", limit));
    }
    // As a rule it came with the head: no timer then, and no copy.
    let first = match more.soon(body.frame()).await {
        Some(first) => first,
        None => match tokio::time::timeout(time, more.waited_for(body.frame())).await {
            Ok(first) => first,
            Err(_) => return Err(Failure::too_slow(time)),
        },
    };
    let mut came = Came { limit, held, whole: Vec::new() };
    let Some(first) = came.data(first)? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        return Ok(first);
    }
    let announced = usize::try_from(announced).unwrap_or(0);
    came.whole.reserve_exact(first.len() + announced.min(AT_ONCE));
    came.whole.extend_from_slice(&first);
    let rest = async {
        while !body.is_end_stream() {
            let Some(data) = came.data(more.waited_for(body.frame()).await)? else { break };
            came.whole.extend_from_slice(&data);
        }
        Ok(())
    };
    tokio::time::timeout(time, rest).await.unwrap_or_else(|_| Err(Failure::too_slow(time)))?;
    Ok(came.whole.into())
}

/// What came of a body.
struct Came<'a> {
    limit: usize,
    held: &'a mut Held,
    whole: Vec<u8>,
}

impl Came<'_> {
    /// The bytes of a part, once there is room for them; `None` behind the last.
    fn data(&mut self, part: Option<Result<Frame<Bytes>, hyper::Error>>) -> Result<Option<Bytes>, Failure> {
        let Some(part) = part else { return Ok(None) };
        let part = part.map_err(|error| Failure::invalid(format!("the body can not be read to its end: {error}")))?;
        let data = part.into_data().unwrap_or_default();
        if data.len() > self.limit - self.whole.len() {
            return Err(Failure::too_large("the body", self.limit));
        }
        self.held.take(data.len())?;
        Ok(Some(data))
    }
}

/// A body whose bytes are counted while somebody else reads it.
pub(crate) struct Counted {
    body: Incoming,
    held: Holds,
    /// How long it may take altogether, unless it is one that stays open.
    time: Option<Duration>,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// What a body holds of the room, for as long as its request is worked on.
#[derive(Clone)]
pub(crate) struct Holds(Arc<Mutex<Held>>);

impl Holds {
    /// What came so far was worked on: of a stream, a message was answered.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Counted {
    pub(crate) fn new(body: Incoming, room: &Room, time: Option<Duration>) -> (Self, Holds) {
        let held = Holds(Arc::new(Mutex::new(room.none())));
        (Self { body, held: held.clone(), time, alarm: None }, held)
    }

    /// Whether it took too long. No alarm is set for what is there.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let Some(time) = self.time else { return false };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        alarm.as_mut().poll(context).is_ready()
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let Poll::Ready(part) = Pin::new(&mut self.body).poll_frame(context) else {
            let late = self.is_late(context).then_some(self.time).flatten();
            return late.map_or(Poll::Pending, |time| Poll::Ready(Some(Err(Failure::too_slow(time).into()))));
        };
        let part = part.map(|part| {
            let part = part.map_err(|error| tonic::Status::cancelled(format!("the stream broke: {error}")))?;
            if let Some(data) = part.data_ref() {
                self.held.0.lock().unwrap_or_else(PoisonError::into_inner).take(data.len())?;
            }
            Ok(part)
        });
        Poll::Ready(part)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer.
pub(crate) enum Answer {
    /// All of it.
    Whole(Option<Bytes>),
    /// Of gRPC: parts and trailers.
    Grpc {
        body: tonic::body::Body,
        /// The connection waits for no other request meanwhile.
        _busy: Option<Busy>,
    },
}

impl From<Vec<u8>> for Answer {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole(Some(bytes.into()))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        match &mut *self {
            Self::Whole(whole) => Poll::Ready(whole.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Grpc { body, .. } => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_none(),
            Self::Grpc { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => SizeHint::with_exact(whole.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Grpc { body, .. } => body.size_hint(),
        }
    }
}

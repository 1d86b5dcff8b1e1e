//! How long a connection may be quiet: long between two requests, as clients keep theirs; not long in the middle of a request's head.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// The longest that a connection waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    /// For the rest of a request's head.
    pub(crate) head: Duration,
    /// For the next request.
    pub(crate) idle: Duration,
    /// For the client to take anything of an answer.
    pub(crate) taken: Duration,
}

/// The requests of a connection: how many are being worked on.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Requests>);

#[derive(Default)]
struct Requests {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// One of them, until it is dropped.
pub(crate) struct Busy(Arc<Requests>);

impl UnderWay {
    pub(crate) fn one(&self) -> Busy {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        Busy(self.0.clone())
    }

    /// Tells this connection from the others that there are.
    pub(crate) fn id(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that is not waited for for ever.
pub(crate) struct Patient<S> {
    stream: S,
    waits: Waits,
    /// Of HTTP/2 only whole frames mean something, and what comes between two requests is none of a head.
    has_heads: bool,
    under_way: UnderWay,
    /// How many requests had begun when it was looked last.
    begun: usize,
    waiting: Waiting,
    since: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
    /// While the client takes nothing of an answer.
    not_taken: Option<Pin<Box<Sleep>>>,
}

/// What a connection that is quiet waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Idle,
    Head,
    /// Nothing: it is being answered.
    Answer,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, waits: Waits, has_heads: bool) -> (Self, UnderWay) {
        let under_way = UnderWay::default();
        let waiting = if has_heads { Waiting::Head } else { Waiting::Idle };
        let (alarm, not_taken, since) = (None, None, Instant::now());
        (
            Self { stream, waits, has_heads, under_way: under_way.clone(), begun: 0, waiting, since, alarm, not_taken },
            under_way,
        )
    }

    /// Notes what it waits for.
    fn look(&mut self, came: bool) {
        let Requests { begun, ended } = &*self.under_way.0;
        let (begun, ended) = (begun.load(Ordering::Relaxed), ended.load(Ordering::Relaxed));
        let is_new = std::mem::replace(&mut self.begun, begun) != begun;
        let waiting = match self.waiting {
            _ if begun != ended => Waiting::Answer,
            // What comes behind an answer begins the next request.
            Waiting::Idle | Waiting::Answer if came && self.has_heads => Waiting::Head,
            Waiting::Head if !is_new => Waiting::Head,
            Waiting::Head if came => Waiting::Head,
            _ => Waiting::Idle,
        };
        if waiting != self.waiting {
            (self.waiting, self.since) = (waiting, Instant::now());
        }
    }

    /// Whether it waited too long. Has the task woken when it will have.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let longest = match self.waiting {
            Waiting::Answer => return false,
            Waiting::Idle => self.waits.idle,
            Waiting::Head => self.waits.head,
        };
        let end = self.since + longest;
        loop {
            // One alarm for many waits: one that rings too early is set again, one that would ring too late at once.
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end.into())));
            if alarm.deadline().into_std() > end {
                alarm.as_mut().reset(end.into());
            }
            if alarm.as_mut().poll(context).is_pending() {
                return false;
            }
            if Instant::now() >= end {
                return true;
            }
            alarm.as_mut().reset(end.into());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        this.look(into.filled().len() > before);
        if read.is_pending() && this.is_over(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S> Patient<S> {
    /// What was written, or that the client took nothing of it for too long.
    fn taken<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.not_taken = None;
            return written;
        }
        let longest = self.waits.taken;
        let alarm = self.not_taken.get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        alarm.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.taken(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.taken(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.taken(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.taken(context, shut)
    }
}

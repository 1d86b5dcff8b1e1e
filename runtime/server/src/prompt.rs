//! Connections on which nobody waits for an acknowledgement.
//!
//! A client that sends the head of a request and then its body, as many do, has its second piece kept back by its own system
//! until the first is acknowledged (Nagle's algorithm). An acknowledgement for which there is nothing to send with it is put off
//! for 40 ms and more. So it is sent at once where a body is waited for.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Says to a connection that more of a request is to come.
#[derive(Clone, Default)]
pub(crate) struct MoreToCome(Arc<AtomicBool>);

impl MoreToCome {
    /// A part of a request, if it is there already or came with what is there.
    pub(crate) async fn soon<T>(&self, part: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            part = part => Some(part),
            () = turn() => None,
        }
    }

    /// Waits for a part of a request. What was sent so far is acknowledged at once if that part is not there.
    pub(crate) async fn waited_for<T>(&self, part: impl Future<Output = T>) -> T {
        let mut part = pin!(part);
        // What came with the head of the request is handed on in the first turn. In the second the connection looks for more.
        for is_missing in [false, true] {
            self.0.store(is_missing, Ordering::Relaxed);
            tokio::select! {
                biased;
                part = &mut part => {
                    self.0.store(false, Ordering::Relaxed);
                    return part;
                }
                () = turn() => {}
            }
        }
        part.await
    }
}

/// A turn of the connection, which reads before it asks who reads its requests.
async fn turn() {
    let mut is_over = false;
    poll_fn(|context| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A connection that heeds that.
pub(crate) struct Prompt {
    stream: TcpStream,
    more: MoreToCome,
}

impl Prompt {
    pub(crate) fn new(stream: TcpStream) -> io::Result<(Self, MoreToCome)> {
        // Nor does the client wait for the pieces of an answer.
        stream.set_nodelay(true)?;
        let more = MoreToCome::default();
        Ok((Self { stream, more: more.clone() }, more))
    }
}

impl AsyncRead for Prompt {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_pending() && self.more.0.swap(false, Ordering::Relaxed) {
            // Where the system does not know it, it is as it was.
            let _ = self.stream.set_quickack(true);
        }
        read
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

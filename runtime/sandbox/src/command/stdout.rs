//! Standard output: kept in memory up to the limit of an output document, or streamed into an artifact.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use tokio::{io::AsyncWrite, sync::Notify};
use trackside_codes::Reason;
use trackside_spec::ArtifactRef;
use trackside_sync::lock;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use crate::{
    files::blocking,
    host_api::{ArtifactSink, StepHost},
};

/// Writes are gathered up to this size before they go to disk.
const BUFFER: usize = 256 << 10;
/// What the stream accepts at once.
const PERMIT: usize = 64 << 10;

/// The program's standard output. Clones share what was written.
#[derive(Clone)]
pub(super) struct Stdout {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// A write to disk has ended.
    ended: Notify,
    /// Where the artifact goes; `None` = memory.
    host: Option<Arc<dyn StepHost>>,
    limit: u64,
}

struct State {
    buffer: Vec<u8>,
    /// Bytes that were written, those on disk included.
    total: u64,
    writes: u64,
    disk: Disk,
    /// Why nothing more is accepted.
    over: Option<Over>,
}

/// The artifact that is being written.
enum Disk {
    /// Made with the first write to disk.
    Idle(Option<Box<dyn ArtifactSink>>),
    /// A blocking thread has the sink.
    Writing,
}

/// Why a program's output was cut off.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Over {
    /// More bytes than it may write.
    #[error("standard output has more than {0} bytes")]
    Limit(u64),
    /// The store does not take it.
    #[error("standard output cannot be stored: {0}")]
    Store(#[source] Reason),
}

impl Stdout {
    /// Kept in memory, at most `limit` bytes.
    pub(super) fn memory(limit: usize) -> Self {
        Self::new(None, limit as u64)
    }

    /// Streamed into an artifact of at most `limit` bytes.
    pub(super) fn artifact(host: Arc<dyn StepHost>, limit: u64) -> Self {
        Self::new(Some(host), limit)
    }

    fn new(host: Option<Arc<dyn StepHost>>, limit: u64) -> Self {
        let state = State { buffer: Vec::new(), total: 0, writes: 0, disk: Disk::Idle(None), over: None };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), ended: Notify::new(), host, limit }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under this lock.
        lock(&self.shared.state)
    }

    /// Why the output was cut off, if it was.
    pub(super) fn over(&self) -> Option<Over> {
        self.state().over.clone()
    }

    /// Bytes that were written, and in how many writes.
    pub(super) fn written(&self) -> (u64, u64) {
        let state = self.state();
        (state.total, state.writes)
    }

    /// What was kept in memory.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        std::mem::take(&mut self.state().buffer)
    }

    /// Makes the artifact durable. The program must have ended.
    pub(super) async fn commit(self, host: Arc<dyn StepHost>, name: &'static str) -> io::Result<ArtifactRef> {
        self.settle().await;
        let (sink, buffer) = {
            let mut state = self.state();
            if let Some(over) = &state.over {
                return Err(io::Error::other(over.clone()));
            }
            let Disk::Idle(sink) = &mut state.disk else {
                return Err(io::Error::other("a write was given up"));
            };
            (sink.take(), std::mem::take(&mut state.buffer))
        };
        blocking(move || write(sink, &host, &buffer)?.commit(name, "application/octet-stream")).await
    }

    /// Waits until no blocking thread has the sink.
    async fn settle(&self) {
        loop {
            let ended = self.shared.ended.notified();
            tokio::pin!(ended);
            // Registered before the look, so that an end between the two is not missed.
            ended.as_mut().enable();
            if matches!(self.state().disk, Disk::Idle(_)) {
                return;
            }
            ended.await;
        }
    }

    /// Hands a full buffer to a blocking thread.
    fn spill(&self, state: &mut State, host: &Arc<dyn StepHost>) {
        let Disk::Idle(sink) = std::mem::replace(&mut state.disk, Disk::Writing) else { return };
        let (buffer, host, own) = (std::mem::take(&mut state.buffer), host.clone(), self.clone());
        tokio::task::spawn_blocking(move || {
            let result = write(sink, &host, &buffer);
            let mut state = own.state();
            match result {
                Ok(sink) => state.disk = Disk::Idle(Some(sink)),
                Err(error) => {
                    state.disk = Disk::Idle(None);
                    state.over = Some(Over::Store(Reason::disk(error)));
                }
            }
            drop(state);
            own.shared.ended.notify_waiters();
        });
    }
}

/// Writes `bytes` out. Blocks.
fn write(
    sink: Option<Box<dyn ArtifactSink>>,
    host: &Arc<dyn StepHost>,
    bytes: &[u8],
) -> io::Result<Box<dyn ArtifactSink>> {
    let mut sink = match sink {
        Some(sink) => sink,
        None => host.create_artifact()?,
    };
    if !bytes.is_empty() {
        sink.write(bytes)?;
    }
    Ok(sink)
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdout {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this form, and it is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Stdout {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut state = self.state();
        // An empty write is counted, and nothing is kept for it.
        state.writes = state.writes.saturating_add(1);
        if let Some(over) = &state.over {
            return Err(StreamError::Trap(over.clone().into()));
        }
        let total = state.total.saturating_add(bytes.len() as u64);
        if total > self.shared.limit {
            let over = Over::Limit(self.shared.limit);
            state.over = Some(over.clone());
            return Err(StreamError::Trap(over.into()));
        }
        state.total = total;
        state.buffer.extend_from_slice(&bytes);
        if let Some(host) = self.shared.host.as_ref().filter(|_| state.buffer.len() >= BUFFER) {
            self.spill(&mut state, host);
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        // Nobody looks at the artifact before it is whole.
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let state = self.state();
        match &state.over {
            Some(over) => Err(StreamError::Trap(over.clone().into())),
            None if matches!(state.disk, Disk::Writing) && state.buffer.len() >= BUFFER => Ok(0),
            None => Ok(PERMIT),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdout {
    async fn ready(&mut self) {
        let full = {
            let state = self.state();
            matches!(state.disk, Disk::Writing) && state.buffer.len() >= BUFFER
        };
        if full {
            self.settle().await;
        }
    }
}

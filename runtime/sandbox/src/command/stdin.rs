//! Standard input: bytes in memory, or an artifact that is read as the program asks for it.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use tokio::io::AsyncRead;
use trackside_sync::lock;
use wasmtime_wasi::{
    cli::{IsTerminal, StdinStream},
    p2::{InputStream, Pollable, StreamError, StreamResult},
};

use crate::files::OpenFile;

/// What is read from disk at once.
const CHUNK: usize = 256 << 10;

/// The program's standard input. Clones share the place where reading goes on.
#[derive(Clone, Debug)]
pub(super) struct Stdin {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Option<Arc<OpenFile>>,
    place: Mutex<Place>,
    /// Bytes that came from an artifact.
    read: AtomicU64,
}

#[derive(Debug, Default)]
struct Place {
    /// What was read and not yet taken.
    ahead: Bytes,
    /// Where the artifact is read next.
    offset: u64,
    failed: Option<String>,
}

impl Stdin {
    /// Bytes in memory.
    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        Self::new(None, Place { ahead: bytes.into(), ..Place::default() })
    }

    /// An artifact.
    pub(super) fn artifact(file: OpenFile) -> Self {
        Self::new(Some(Arc::new(file)), Place::default())
    }

    fn new(source: Option<Arc<OpenFile>>, place: Place) -> Self {
        Self { shared: Arc::new(Shared { source, place: Mutex::new(place), read: AtomicU64::new(0) }) }
    }

    /// Bytes that were read from an artifact so far.
    pub(super) fn bytes_read(&self) -> u64 {
        self.shared.read.load(Ordering::Relaxed)
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // Nothing that can panic runs under this lock.
        lock(&self.shared.place)
    }

    /// The next bytes to fetch from disk, if that is what a reader has to wait for.
    fn wanted(&self) -> Option<(Arc<OpenFile>, u64)> {
        let place = self.place();
        let file = self.shared.source.as_ref()?;
        let waits = place.ahead.is_empty() && place.failed.is_none() && place.offset < file.length();
        waits.then(|| (file.clone(), place.offset))
    }
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        // Only WASI 0.3 asks for this form, and it is not linked.
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {
        let Some((file, offset)) = self.wanted() else { return };
        let result = file.read(offset, CHUNK).await;
        let mut place = self.place();
        // Another handle on the same stream may have been quicker.
        if place.offset != offset || !place.ahead.is_empty() {
            return;
        }
        match result {
            Ok(bytes) => {
                let count = bytes.len() as u64;
                place.offset += count;
                place.ahead = bytes.into();
                self.shared.read.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => place.failed = Some(error.to_string()),
        }
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut place = self.place();
        if let Some(reason) = &place.failed {
            return Err(StreamError::LastOperationFailed(wasmtime::format_err!("standard input: {reason}")));
        }
        if place.ahead.is_empty() {
            let more = self.shared.source.as_ref().is_some_and(|file| place.offset < file.length());
            return if more { Ok(Bytes::new()) } else { Err(StreamError::Closed) };
        }
        let size = size.min(place.ahead.len());
        Ok(place.ahead.split_to(size))
    }
}

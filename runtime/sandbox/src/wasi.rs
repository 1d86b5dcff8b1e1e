//! The WASI that language runtimes expect: clocks, randomness, text streams, and nothing else. No folder, no socket,
//! no name look-up, no arguments, and of the environment only what is granted.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use rand_core::TryRng;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use trackside_sync::lock;
use wasmtime_wasi::{
    WasiCtx, WasiCtxBuilder,
    cli::{IsTerminal, StdinStream, StdoutStream},
    p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult},
};

use crate::{
    call::StepCall,
    clocks::Clocks,
    grants::decide::Grants,
    recorder::{Recorder, Stream},
};

/// Largest answer to one request for random bytes.
const RANDOM_LIMIT: u64 = 64 * 1024;
/// What a stream accepts at once.
const WRITE_PERMIT: usize = 64 * 1024;

/// The recorder that the call and its text streams share.
#[derive(Clone, Debug)]
pub(crate) struct SharedRecorder(Arc<Mutex<Recorder>>);

impl SharedRecorder {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self(Arc::new(Mutex::new(recorder)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Recorder> {
        // No code that can panic runs under this lock; if it did, the lines are still worth having.
        lock(&self.0)
    }
}

/// The text streams of an instance. A language's runtime opens them once and holds them for as long as it lives; how many
/// of them live tells whether it holds anything else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<()>);

impl Streams {
    /// How many there are, clones of this handle included.
    pub(crate) fn count(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

/// The WASI context of one call. Without the grants `clock` and `random` a step sees logical time and randomness that
/// depends only on its idempotency key, so that running it again gives the same result.
pub(crate) fn context(
    call: &StepCall,
    grants: &Grants,
    clocks: &Clocks,
    env: BTreeMap<String, String>,
    recorder: &SharedRecorder,
    streams: &Streams,
) -> WasiCtx {
    let text = |stream| TextStream { recorder: recorder.clone(), stream, _held: streams.clone() };
    builder(call, grants, clocks, env)
        .stdin(NoInput { _held: streams.clone() })
        .stdout(text(Stream::Stdout))
        .stderr(text(Stream::Stderr))
        .build()
}

/// Standard error, whose lines are logged.
pub(crate) fn stderr(recorder: &SharedRecorder) -> impl StdoutStream + 'static {
    TextStream { recorder: recorder.clone(), stream: Stream::Stderr, _held: Streams::default() }
}

/// Clocks, randomness and the granted environment, and nothing else.
pub(crate) fn builder(
    call: &StepCall,
    grants: &Grants,
    clocks: &Clocks,
    env: BTreeMap<String, String>,
) -> WasiCtxBuilder {
    let mut builder = WasiCtx::builder();
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_LIMIT)
        .wall_clock(clocks.clone())
        .monotonic_clock(clocks.clone());
    for (name, value) in env {
        builder.env(name, value);
    }
    if grants.random().is_err() {
        let key = call.seed.map_or_else(|| call.idempotency_key.clone(), |seed| format!("seed {seed}"));
        let key: Arc<str> = key.into();
        let seed = |purpose| Seeded::new(key.clone(), purpose);
        let mut insecure_seed = [0; 16];
        seed("insecure-seed").fill(&mut insecure_seed);
        builder
            .secure_random(seed("secure"))
            .insecure_random(seed("insecure"))
            .insecure_random_seed(u128::from_le_bytes(insecure_seed));
    }
    builder
}

/// SHA-256 in counter mode: the same bytes for the same key with every version of every library.
struct Seeded {
    key: Arc<str>,
    purpose: &'static str,
    /// Made with the first bytes: most guests ask for none.
    prefix: Option<Sha256>,
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Seeded {
    fn new(key: Arc<str>, purpose: &'static str) -> Self {
        Self { key, purpose, prefix: None, counter: 0, block: [0; 32], used: 32 }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                let (key, purpose) = (&self.key, self.purpose);
                let begin = || Sha256::new_with_prefix(format!("trackside randomness v1\0{purpose}\0{key}\0"));
                let mut hash = self.prefix.get_or_insert_with(begin).clone();
                hash.update(self.counter.to_le_bytes());
                self.block = hash.finalize().into();
                self.counter = self.counter.wrapping_add(1);
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

/// Standard output or error. Its own stream type, because the library's default queues empty writes without bound.
#[derive(Clone)]
struct TextStream {
    recorder: SharedRecorder,
    stream: Stream,
    _held: Streams,
}

/// Standard input: at its end.
#[derive(Clone)]
struct NoInput {
    _held: Streams,
}

impl IsTerminal for NoInput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for NoInput {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        // Only WASI 0.3 asks for this form, and it is not linked.
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

impl InputStream for NoInput {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for NoInput {
    async fn ready(&mut self) {}
}

impl IsTerminal for TextStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for TextStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this form, and it is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for TextStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.recorder.lock().text(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for TextStream {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn randomness_depends_on_key_and_purpose_only() {
        let take = |key: &str, purpose: &'static str, pieces: &[usize]| {
            let mut source = Seeded::new(key.into(), purpose);
            let mut all = Vec::new();
            for piece in pieces {
                let mut bytes = vec![0; *piece];
                source.fill(&mut bytes);
                all.extend(bytes);
            }
            all
        };
        assert_eq!(take("run/step", "secure", &[100]), take("run/step", "secure", &[1, 32, 67]));
        assert_ne!(take("run/step", "secure", &[32]), take("run/step", "insecure", &[32]));
        assert_ne!(take("run/step", "secure", &[32]), take("run/other", "secure", &[32]));
    }
}

//! The WASI that language runtimes expect: clocks, randomness, text streams, and nothing else. No folder, no socket,
//! no name look-up, no environment, no arguments.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand_core::TryRng;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::{
    call::StepCall,
    host_api::StepHost,
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The WASI context of one call. A step without direct effects sees the logical time and randomness that depends only
/// on its idempotency key, so that running it again gives the same result.
pub(crate) fn context(call: &StepCall, host: &Arc<dyn StepHost>, recorder: &SharedRecorder) -> WasiCtx {
    builder(call, host)
        .stdout(TextStream { recorder: recorder.clone(), stream: Stream::Stdout })
        .stderr(stderr(recorder))
        .build()
}

/// Standard error, whose lines are logged.
pub(crate) fn stderr(recorder: &SharedRecorder) -> impl StdoutStream + 'static {
    TextStream { recorder: recorder.clone(), stream: Stream::Stderr }
}

/// Clocks and randomness, and nothing else.
pub(crate) fn builder(call: &StepCall, host: &Arc<dyn StepHost>) -> WasiCtxBuilder {
    let mut builder = WasiCtx::builder();
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(RANDOM_LIMIT)
        .monotonic_clock(Monotonic(Instant::now()));
    if call.allow.has_direct_effects() {
        builder.wall_clock(LiveClock(host.clone()));
    } else {
        let seed = |purpose: &str| Seeded::new(&call.idempotency_key, purpose);
        let mut insecure_seed = [0; 16];
        seed("insecure-seed").fill(&mut insecure_seed);
        builder
            .wall_clock(FrozenClock(Duration::from_millis(call.logical_time_ms)))
            .secure_random(seed("secure"))
            .insecure_random(seed("insecure"))
            .insecure_random_seed(u128::from_le_bytes(insecure_seed));
    }
    builder
}

struct LiveClock(Arc<dyn StepHost>);

impl HostWallClock for LiveClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

struct FrozenClock(Duration);

impl HostWallClock for FrozenClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// Starts at one second with every call, in whole milliseconds: fine enough for timeouts, too coarse to time the
/// processor. Not at zero, which Go's runtime takes for a broken clock.
struct Monotonic(Instant);

const START_MS: u64 = 1_000;

const NANOS_PER_MILLI: u64 = 1_000_000;

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        NANOS_PER_MILLI
    }

    fn now(&self) -> u64 {
        let passed = u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        passed.saturating_add(START_MS).saturating_mul(NANOS_PER_MILLI)
    }
}

/// SHA-256 in counter mode: the same bytes for the same key with every version of every library.
struct Seeded {
    prefix: Sha256,
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Seeded {
    fn new(key: &str, purpose: &str) -> Self {
        let prefix = Sha256::new_with_prefix(format!("trackside randomness v1\0{purpose}\0{key}\0"));
        Self { prefix, counter: 0, block: [0; 32], used: 32 }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                let mut hash = self.prefix.clone();
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
        let take = |key: &str, purpose: &str, pieces: &[usize]| {
            let mut source = Seeded::new(key, purpose);
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

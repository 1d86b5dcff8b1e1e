//! The one way to ask for the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, injected so that a whole node can run on a made-up one.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 00:00 UTC; negative before.
    fn now_ms(&self) -> i64;

    /// The same in microseconds, for telling how long short things took.
    fn now_us(&self) -> i64 {
        self.now_ms().saturating_mul(1000)
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        self.now_us().div_euclid(1000)
    }

    fn now_us(&self) -> i64 {
        let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        }
    }
}

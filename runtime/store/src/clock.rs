//! The one way to ask for the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, injected so that a whole node can run on a made-up one.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 00:00 UTC; negative before.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let millis = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        }
    }
}

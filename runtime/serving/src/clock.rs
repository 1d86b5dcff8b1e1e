//! The two clocks that serving goes by, injected so that a whole box can run on made-up ones.
//!
//! What rules count (rates, breakers, when something is tried again, what was used longest ago) goes by [`Clock::running`]. Deadlines of
//! what really computes, and how long it took, go by the machine's own clock: an engine can not be stopped in made-up time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clocks of a box.
pub trait Clock: Send + Sync {
    /// How long it has been running, from any moment on; never goes back.
    fn running(&self) -> Duration;

    /// Milliseconds since 1970, as people and clients are told; goes back when somebody sets it.
    fn wall_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn running(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

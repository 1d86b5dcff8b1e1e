//! What ends a run before its own end: a deadline, or somebody who cancels.

use std::time::{Duration, Instant};

use trackside_sync::CancelToken;

/// When a run must end, whatever it has reached.
#[derive(Clone, Copy, Debug)]
pub struct Stop<'a> {
    /// The instant at which it is stopped; `None` = never.
    pub deadline: Option<Instant>,
    /// Raised to stop it earlier.
    pub cancel: &'a CancelToken,
}

impl Stop<'_> {
    /// Whether it is time, and why. Cancelling wins over the deadline.
    #[must_use]
    pub fn check(&self) -> Option<Stopped> {
        if self.cancel.is_cancelled() {
            Some(Stopped::Cancelled)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Stopped::Deadline)
        } else {
            None
        }
    }
}

/// Why a run was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its time was over.
    Deadline,
    /// Its token was cancelled.
    Cancelled,
}

/// How long it is until then; `None` = for ever. Never nothing, so that whoever waits for it waits.
pub(crate) fn left(until: Option<Instant>) -> Option<Duration> {
    until.map(|until| until.saturating_duration_since(Instant::now()).max(Duration::from_micros(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancelling_wins_over_a_deadline_that_has_passed() {
        let token = CancelToken::new();
        let stop = Stop { deadline: Some(Instant::now()), cancel: &token };
        assert_eq!(stop.check(), Some(Stopped::Deadline));
        token.cancel();
        assert_eq!(stop.check(), Some(Stopped::Cancelled));
    }
}

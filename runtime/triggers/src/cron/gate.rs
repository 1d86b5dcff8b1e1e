//! Whether the wall clock can be believed enough to look at schedules.
//!
//! A board without a battery-backed clock boots in 1970, or where it was when the power went, and is set right seconds or
//! minutes later. Looking at schedules before that would start the runs of a wrong time, and afterwards a heap of missed
//! ones.

use std::time::Duration;

/// 2026-01-01T00:00:00Z: no clock that is right shows less to this program.
const EARLIEST_MS: i64 = 1_767_225_600_000;

/// A clock may be so far behind what the database has seen and still be believed: somebody set it right.
const TOLERANCE_MS: i64 = 86_400_000;

/// After so long the clock is taken as it is: a box that never hears the time must work, too.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Waits for a clock that is obviously wrong to be set.
#[derive(Clone, Copy, Debug)]
pub struct TimeGate {
    floor_ms: i64,
}

/// What to do about schedules now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Look at them.
    Open,
    /// The clock is obviously wrong. Ask again when it was set, at the latest after so long.
    Wait(Duration),
    /// The clock is obviously wrong and nobody sets it: look at them all the same, and say so.
    GivenUp,
}

impl TimeGate {
    /// For a box whose database has seen the time `newest_ms` (the start of its newest run, say).
    #[must_use]
    pub fn new(newest_ms: Option<i64>) -> Self {
        let seen = newest_ms.map_or(i64::MIN, |newest| newest.saturating_sub(TOLERANCE_MS));
        Self { floor_ms: seen.max(EARLIEST_MS) }
    }

    /// A wall clock that shows less is obviously wrong.
    #[must_use]
    pub fn floor_ms(&self) -> i64 {
        self.floor_ms
    }

    /// What to do at the wall clock's `now_ms`, after waiting for `waited` by a clock that nobody sets.
    #[must_use]
    pub fn state(&self, now_ms: i64, waited: Duration) -> GateState {
        if now_ms >= self.floor_ms {
            return GateState::Open;
        }
        match LONGEST_WAIT.checked_sub(waited) {
            Some(left) if !left.is_zero() => GateState::Wait(left),
            _ => GateState::GivenUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_1970_or_far_before_what_was_seen_is_not_believed_for_ten_minutes() {
        let (new, old) = (TimeGate::new(None), TimeGate::new(Some(EARLIEST_MS + 10 * TOLERANCE_MS)));
        assert_eq!(new.state(5_000, Duration::ZERO), GateState::Wait(LONGEST_WAIT));
        assert_eq!(new.state(5_000, LONGEST_WAIT), GateState::GivenUp);
        assert_eq!(new.state(EARLIEST_MS, Duration::ZERO), GateState::Open);
        assert_eq!(old.state(EARLIEST_MS + 1, Duration::from_secs(60)), GateState::Wait(Duration::from_secs(540)));
        // Two hours back is somebody's decision.
        assert_eq!(old.state(EARLIEST_MS + 10 * TOLERANCE_MS - 7_200_000, Duration::ZERO), GateState::Open);
    }
}

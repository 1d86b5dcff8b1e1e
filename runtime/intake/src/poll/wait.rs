//! How long it is until the next look.

use std::time::Duration;

use chrono::DateTime;

/// Waits after failures grow up to this, or to the trigger's own time where that is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// No server is obeyed for longer.
const LONGEST_ASKED: Duration = Duration::from_secs(86_400);

/// From a look to the next one. `asked` is what the server wants, `chance` spreads boxes that failed together.
pub(super) fn next(every: Duration, failures: u32, asked: Option<Duration>, chance: u32) -> Duration {
    if failures == 0 {
        return every;
    }
    let grown = every.saturating_mul(1 << failures.min(20)).min(LONGEST_WAIT.max(every));
    let wait = grown.max(asked.unwrap_or_default().min(LONGEST_ASKED));
    wait + wait.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 10.0)
}

/// From a start to the first look: what is left of the time since the last one, or a part of it that differs between boxes,
/// so that those that start together do not ask together.
pub(super) fn first(every: Duration, since_last: Option<Duration>, spread: Duration) -> Duration {
    match since_last.and_then(|since| every.checked_sub(since)) {
        Some(left) => left,
        None => spread,
    }
}

/// Within what a first look is spread.
pub(super) fn spread_of(every: Duration) -> Duration {
    (every / 10).min(Duration::from_secs(60))
}

/// What `Retry-After` asks for: seconds, or a date, which is held against the server's own clock.
pub(super) fn retry_after(value: &str, server_time: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let then = DateTime::parse_from_rfc2822(value).ok()?;
    let now = DateTime::parse_from_rfc2822(server_time?.trim()).ok()?;
    (then - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn waits_grow_with_failures_and_end_with_them() {
        assert_eq!([0, 1, 2, 3].map(|failures| next(MINUTE, failures, None, 0)), [1, 2, 4, 8].map(|n| MINUTE * n));
        assert_eq!(next(MINUTE, u32::MAX, None, 0), LONGEST_WAIT);
        assert_eq!(next(LONGEST_ASKED, 9, None, 0), LONGEST_ASKED);
        assert_eq!(next(MINUTE, 1, None, u32::MAX), Duration::from_secs(132));
        assert!(next(Duration::MAX / 2, 40, None, 0) >= Duration::MAX / 2);
    }

    #[test]
    fn a_server_that_wants_to_be_left_alone_is_within_a_day() {
        assert_eq!(next(MINUTE, 1, Some(MINUTE * 30), 0), MINUTE * 30);
        assert_eq!(next(MINUTE, 1, Some(Duration::from_secs(1)), 0), MINUTE * 2);
        assert_eq!(next(MINUTE, 1, Some(LONGEST_ASKED * 9), 0), LONGEST_ASKED);
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(retry_after(" 120 ", None), Some(MINUTE * 2));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", date), Some(MINUTE));
        for bad in ["", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:40:37 GMT", "99999999999"] {
            assert_eq!(retry_after(bad, date), None, "{bad}");
        }
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", None), None);
    }

    #[test]
    fn a_restart_does_not_look_again_at_once_and_a_long_pause_does() {
        let spread = Duration::from_secs(3);
        assert_eq!(first(MINUTE, Some(Duration::from_secs(20)), spread), Duration::from_secs(40));
        assert_eq!(first(MINUTE, Some(MINUTE * 900), spread), spread);
        assert_eq!(first(MINUTE, None, spread), spread);
        assert_eq!((spread_of(MINUTE), spread_of(MINUTE * 900)), (Duration::from_secs(6), MINUTE));
    }
}

//! How long to wait before the next attempt.

use trackside_spec::{Jitter, Retry};

/// The longest wish to wait that is kept: a plugin can not make a step wait for years.
const LONGEST_WISH_MS: u64 = 86_400_000;

/// Milliseconds to wait after failed attempt number `failures` (1 = the first).
///
/// Exponential backoff with a cap, `wait * factor^(failures-1)`, and full jitter (a uniform draw between nothing and
/// that; M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015). `chance` is a uniform 64-bit
/// number. A wish of the failed attempt (`retry_after_ms`) is no computed wait: it is kept beyond the cap, up to a day.
#[must_use]
pub fn retry_wait(policy: &Retry, failures: u32, retry_after_ms: Option<u64>, chance: u64) -> u64 {
    let cap = policy.max.as_millis() as f64;
    let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    let backoff = (policy.wait.as_millis() as f64 * policy.factor.powi(exponent)).min(cap);
    let backoff = if backoff.is_finite() { backoff } else { cap };
    let drawn = match policy.jitter {
        Jitter::None => backoff,
        // 53 bits of chance make an exact fraction in [0, 1).
        Jitter::Full => backoff * ((chance >> 11) as f64 / (1u64 << 53) as f64),
    };
    let wished = retry_after_ms.unwrap_or(0).min(LONGEST_WISH_MS);
    (drawn as u64).max(wished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trackside_spec::Duration;

    fn policy(jitter: Jitter) -> Retry {
        Retry {
            times: 9,
            wait: Duration::from_millis(200),
            factor: 2.0,
            max: Duration::from_millis(5_000),
            jitter,
            ..Retry::default()
        }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let waits: Vec<u64> = (1..=8).map(|n| retry_wait(&policy(Jitter::None), n, None, 0)).collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
        assert_eq!(retry_wait(&policy(Jitter::None), u32::MAX, None, 0), 5_000);
    }

    #[test]
    fn full_jitter_covers_nothing_to_the_whole_wait() {
        assert_eq!(retry_wait(&policy(Jitter::Full), 2, None, 0), 0);
        assert_eq!(retry_wait(&policy(Jitter::Full), 2, None, u64::MAX), 399);
    }

    #[test]
    fn a_wish_to_wait_is_kept_beyond_the_cap_and_up_to_a_day() {
        assert_eq!(retry_wait(&policy(Jitter::None), 1, Some(1_000), 0), 1_000);
        assert_eq!(retry_wait(&policy(Jitter::None), 1, Some(100), 0), 200);
        assert_eq!(retry_wait(&policy(Jitter::Full), 1, Some(600_000), 3), 600_000);
        assert_eq!(retry_wait(&policy(Jitter::None), 1, Some(u64::MAX), 0), 86_400_000);
    }
}

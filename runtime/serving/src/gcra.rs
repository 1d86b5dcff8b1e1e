//! A rate limit: the generic cell rate algorithm (ITU-T I.371), in virtual scheduling form.
//!
//! One number is kept, the time at which the next request would be due if all came evenly. Who comes earlier than that by more
//! than the burst allows is refused and told how long to wait. Nothing ticks.

use std::time::Duration;

/// So many requests a second, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Between two requests that come evenly.
    period: Duration,
    /// How far ahead of its time a request may come.
    tolerance: Duration,
    /// As it was said.
    per_second: u32,
    burst: u32,
}

impl Rate {
    /// `per_second` requests on average, up to `burst` at one instant; less than one of either counts as one.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let (per_second, burst) = (per_second.max(1), burst.max(1));
        let period = Duration::from_secs(1) / per_second;
        Self { period, tolerance: period * (burst - 1), per_second, burst }
    }

    /// Requests a second on average.
    #[must_use]
    pub const fn per_second(self) -> u32 {
        self.per_second
    }

    /// Requests at one instant.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }
}

/// How a rate was used so far.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    /// When the next request is due, since the start of the clock.
    due: Duration,
}

impl Meter {
    /// Lets a request through at `now`, time since any fixed instant.
    ///
    /// # Errors
    /// How long to wait until one is let through, when this one is too early.
    pub fn pass(&mut self, rate: Rate, now: Duration) -> Result<(), Duration> {
        let due = self.due.max(now);
        let early = due - now;
        if early > rate.tolerance {
            return Err(early - rate.tolerance);
        }
        self.due = due + rate.period;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let (rate, mut meter) = (Rate::new(10, 3), Meter::default());
        let start = Duration::from_secs(100);
        let passed = (0..10).filter(|_| meter.pass(rate, start).is_ok()).count();
        assert_eq!(passed, 3);
        assert_eq!(meter.pass(rate, start), Err(MS * 100), "who is refused is told when to come");
        assert_eq!(meter.pass(rate, start + MS * 99), Err(MS));
        assert_eq!(meter.pass(rate, start + MS * 100), Ok(()));
        // Over ten seconds, whoever asks each millisecond gets the rate and what was unused at first.
        let passed = (101..10_100).filter(|ms| meter.pass(rate, start + MS * *ms).is_ok()).count();
        assert_eq!(passed, 99);
    }

    #[test]
    fn refusals_cost_nothing_and_rest_is_not_saved_up() {
        let (rate, mut meter) = (Rate::new(1, 1), Meter::default());
        assert!(meter.pass(rate, Duration::ZERO).is_ok());
        for _ in 0..1000 {
            assert!(meter.pass(rate, MS).is_err());
        }
        assert!(meter.pass(rate, MS * 1000).is_ok(), "refused requests do not push the time away");
        let later = Duration::from_secs(3600);
        assert!(meter.pass(rate, later).is_ok());
        assert!(meter.pass(rate, later).is_err(), "an hour without requests is one request, not 3,600");
    }
}

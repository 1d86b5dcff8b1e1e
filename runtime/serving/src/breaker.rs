//! A circuit breaker: a model that fails too often is not asked for a while, then tried by one request at a time.
//!
//! Closed: every request goes through, and a window of time counts how they ended. When at least `requests` ended in it and
//! the share that failed reaches `failures`, it opens: requests are refused at once, so that they cost nothing and their callers
//! hear of it early. After `open` the next request is a probe. One that ends well closes the circuit, one that fails opens
//! it again for as long.

use std::time::Duration;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// How long an ended request counts.
    pub window: Duration,
    /// The fewest requests in the window that say anything; 0 turns the breaker off.
    pub requests: u32,
    /// The share of them, in percent, that must have failed.
    pub failures: u32,
    /// How long requests are refused before the next probe.
    pub open: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { window: Duration::from_secs(30), requests: 20, failures: 50, open: Duration::from_secs(5) }
    }
}

/// The window is counted in so many parts: what is older leaves part by part.
const PARTS: usize = 10;

/// One model's circuit.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    parts: [Part; PARTS],
    /// ModelVersion part, counted since the start of the clock, was written last.
    current: u128,
}

#[derive(Debug, Default, Clone, Copy)]
struct Part {
    ended: u32,
    failed: u32,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Requests are refused until then.
    Open { until: Duration },
    /// One request is under way that decides.
    Probing { since: Duration },
}

/// What may be done with a request that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// One of many.
    Normal,
    /// The one that decides whether the circuit closes.
    Probe,
}

impl Breaker {
    /// Lets a request through at `now`, time since any fixed instant.
    ///
    /// # Errors
    /// How long the circuit stays open, when it is.
    pub fn pass(&mut self, rules: BreakerRules, now: Duration) -> Result<Passed, Duration> {
        match self.state {
            State::Closed => Ok(Passed::Normal),
            State::Open { until } if now < until => Err(until - now),
            // A probe whose end nobody told, because its caller went, must not keep the circuit open for ever.
            State::Probing { since } if now < since + rules.open => Err(since + rules.open - now),
            State::Open { .. } | State::Probing { .. } => {
                self.state = State::Probing { since: now };
                Ok(Passed::Probe)
            }
        }
    }

    /// Notes how a request ended that was let through. `None`: it says nothing of the model, such as an input that does not fit or
    /// a caller that went.
    pub fn ended(&mut self, rules: BreakerRules, now: Duration, passed: Passed, well: Option<bool>) {
        if let State::Probing { since } = self.state {
            match (passed, well) {
                (Passed::Probe, Some(true)) => *self = Self::default(),
                (Passed::Probe, Some(false)) => self.state = State::Open { until: now + rules.open },
                // The next request may be the probe at once.
                (Passed::Probe, None) => self.state = State::Open { until: since },
                // It was let through before the circuit opened.
                (Passed::Normal, _) => {}
            }
            return;
        }
        let (State::Closed, Some(well)) = (self.state, well) else { return };
        self.turn(rules, now);
        let part = &mut self.parts[index(self.current)];
        part.ended = part.ended.saturating_add(1);
        part.failed = part.failed.saturating_add(u32::from(!well));
        let (ended, failed) = self.counted();
        if !well
            && rules.requests > 0
            && ended >= u64::from(rules.requests)
            && failed * 100 >= ended * u64::from(rules.failures)
        {
            self.state = State::Open { until: now + rules.open };
            self.parts = [Part::default(); PARTS];
        }
    }

    /// Whether requests are refused at `now`.
    #[must_use]
    pub fn is_open(&self, now: Duration) -> bool {
        matches!(self.state, State::Open { until } if now < until) || matches!(self.state, State::Probing { .. })
    }

    fn counted(&self) -> (u64, u64) {
        let sum = |of: fn(&Part) -> u32| self.parts.iter().map(|part| u64::from(of(part))).sum();
        (sum(|part| part.ended), sum(|part| part.failed))
    }

    /// Leaves out what is too old.
    fn turn(&mut self, rules: BreakerRules, now: Duration) {
        let length = (rules.window.as_nanos() / PARTS as u128).max(1);
        let current = now.as_nanos() / length;
        let passed = usize::try_from(current.saturating_sub(self.current)).unwrap_or(PARTS).min(PARTS);
        for back in 0..passed {
            self.parts[index(current - back as u128)] = Part::default();
        }
        self.current = self.current.max(current);
    }
}

fn index(part: u128) -> usize {
    usize::try_from(part % PARTS as u128).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: BreakerRules =
        BreakerRules { window: Duration::from_secs(10), requests: 4, failures: 50, open: Duration::from_secs(5) };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn end(breaker: &mut Breaker, now: Duration, well: bool) {
        let passed = breaker.pass(RULES, now).unwrap();
        breaker.ended(RULES, now, passed, Some(well));
    }

    #[test]
    fn it_opens_when_enough_of_enough_fail() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            end(&mut breaker, at(1), false);
        }
        assert!(!breaker.is_open(at(1)), "three requests say nothing yet");
        end(&mut breaker, at(1), true);
        assert!(!breaker.is_open(at(1)), "what ends well opens nothing");
        end(&mut breaker, at(1), false);
        assert_eq!(breaker.pass(RULES, at(2)), Err(at(4)));
    }

    #[test]
    fn what_is_old_does_not_count() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            end(&mut breaker, at(1), false);
        }
        end(&mut breaker, at(12), false);
        assert!(!breaker.is_open(at(12)));
        for second in 0..1_000 {
            end(&mut breaker, at(20 + second), second % 4 != 0);
        }
        assert!(!breaker.is_open(at(1_020)), "a quarter of the requests is not half of them");
    }

    #[test]
    fn one_probe_decides() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            end(&mut breaker, at(0), false);
        }
        assert!(breaker.pass(RULES, at(4)).is_err());
        assert_eq!(breaker.pass(RULES, at(5)), Ok(Passed::Probe));
        assert!(breaker.pass(RULES, at(5)).is_err(), "one at a time");
        breaker.ended(RULES, at(6), Passed::Normal, Some(true));
        assert!(breaker.is_open(at(6)), "a request of before does not decide");
        breaker.ended(RULES, at(6), Passed::Probe, Some(false));
        assert_eq!(breaker.pass(RULES, at(7)), Err(at(4)));
        assert_eq!(breaker.pass(RULES, at(11)), Ok(Passed::Probe));
        breaker.ended(RULES, at(11), Passed::Probe, Some(true));
        assert_eq!(breaker.pass(RULES, at(11)), Ok(Passed::Normal));
        end(&mut breaker, at(11), false);
        assert!(!breaker.is_open(at(11)), "it starts with an empty window");
    }

    #[test]
    fn a_probe_that_says_nothing_makes_room_for_the_next() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            end(&mut breaker, at(0), false);
        }
        assert_eq!(breaker.pass(RULES, at(5)), Ok(Passed::Probe));
        breaker.ended(RULES, at(6), Passed::Probe, None);
        assert_eq!(breaker.pass(RULES, at(6)), Ok(Passed::Probe));
        // Nobody tells of this one: after the time the next is tried.
        assert!(breaker.pass(RULES, at(10)).is_err());
        assert_eq!(breaker.pass(RULES, at(11)), Ok(Passed::Probe));
    }
}

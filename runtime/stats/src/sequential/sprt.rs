//! Wald's test of one rate against another, both known before.

use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::{Decision, Level, Missing, StatsError};

use super::gate::Race;

/// What an [`Sprt`] decides between: the rate that is all right, and the one that is not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SprtRates {
    /// The rate of events (errors per request) that is all right.
    pub good: f64,
    /// The rate that must be noticed; above `good`.
    pub bad: f64,
}

/// The sequential probability ratio test of a Bernoulli rate (Wald, "Sequential Tests of Statistical Hypotheses", 1945).
///
/// Fails with at most `alpha` probability where the rate is `good` or less, passes with at most `beta` where it is `bad` or more.
/// Thresholds are Ville's (1/alpha and 1/beta), not Wald's approximate ones: those are a little nearer and do not hold exactly. Assumes
/// independent events. For guardrails against a known rate (a crash loop, an SLO): nothing is estimated, so it is the fastest there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Sprt {
    event: f64,
    quiet: f64,
    log: f64,
    events: u64,
    race: Race,
    rates: SprtRates,
    levels: (Level, Level),
}

impl Sprt {
    /// A test that has seen nothing.
    ///
    /// # Errors
    /// Rates that are not 0 < good < bad < 1.
    pub fn new(rates: SprtRates, alpha: Level, beta: Level) -> Result<Self, StatsError> {
        within("the good rate", rates.good, 1e-9, 1.0 - 1e-6)?;
        within("the bad rate", rates.bad, rates.good * (1.0 + 1e-6), 1.0 - 1e-9)?;
        Ok(Self {
            event: (rates.bad / rates.good).ln(),
            quiet: ((1.0 - rates.bad) / (1.0 - rates.good)).ln(),
            log: 0.0,
            events: 0,
            race: Race::new(alpha, beta),
            rates,
            levels: (alpha, beta),
        })
    }

    /// One more request, with or without the event.
    pub fn observe(&mut self, event: bool) {
        self.race.counted();
        self.events += u64::from(event);
        self.log += if event { self.event } else { self.quiet };
        self.race.stand(self.log, -self.log);
    }

    /// What follows so far. `missing` goes by the rate seen.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let blank = self.race.decision((self.log, -self.log), None);
        if blank.observations == 0 || blank.missing == Missing::Nothing {
            return blank;
        }
        let seen = crate::special::count(self.events) / crate::special::count(blank.observations);
        let growth = self.growth(seen);
        self.race.decision((self.log, -self.log), Some((growth, -growth)))
    }

    fn growth(&self, rate: f64) -> f64 {
        rate * self.event + (1.0 - rate) * self.quiet
    }

    /// Requests until a decision, on average, where the true rate is `rate`: Wald's formula, with the overshoot left out.
    ///
    /// # Errors
    /// `rate` is no rate, or is the one at which neither side gains.
    pub fn expected(&self, rate: f64) -> Result<f64, StatsError> {
        within("a rate", rate, 0.0, 1.0)?;
        let growth = self.growth(rate);
        let decision = self.race.decision((0.0, 0.0), None);
        let (up, down) = (decision.fail_bar, decision.pass_bar);
        let mean = match growth {
            g if g.abs() < 1e-12 => {
                return Err(StatsError::OutOfRange { what: "a rate between both", value: rate, low: 0.0, high: 1.0 });
            }
            g if g > 0.0 => up / g,
            g => down / -g,
        };
        Ok(mean)
    }
}

kept!(Sprt);

impl Kept for Sprt {
    const WHAT: &'static str = "a guardrail";
    const KIND: [u8; 3] = *b"TGs";

    fn put(&self, into: &mut Writer) {
        into.level(self.levels.0);
        into.level(self.levels.1);
        into.f64s(&[self.rates.good, self.rates.bad, self.log]);
        into.u64(self.events);
        self.race.put(into);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (alpha, beta) = (from.level()?, from.level()?);
        let [good, bad, log] = from.finites()?;
        let fresh = Self::new(SprtRates { good, bad }, alpha, beta)?;
        Ok(Self { log, events: from.count()?, race: Race::take(alpha, beta, from)?, ..fresh })
    }
}

//! A rate or a bounded mean against a number.

use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::special::count;
use crate::{Decision, Level, StatsError, Verdict};

use super::bets::Bets;
use super::gate::Race;

/// "The mean is at least `target`", for values between 0 and 1: prequential accuracy, agreement in shadow, a share of anything.
///
/// Passes by an e-process against "mean ≤ target - slack", fails by one against "mean ≥ target" ([`Bets`]; Waudby-Smith & Ramdas 2024).
/// `slack` is what makes a candidate exactly at the target decidable: with 0 it can be neither passed nor failed for ever. Assumes:
/// values in [0, 1]; each one's mean given the past is on the claim's side. For "at most", hand in 1 - x and 1 - target. Unit: a value.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanGate {
    target: f64,
    slack: f64,
    levels: (Level, Level),
    below: Bets,
    above: Bets,
    sum: f64,
    race: Race,
}

impl MeanGate {
    /// A test that has seen nothing. `alpha`: the most that a mean at the target is failed; `beta`: the most that one of `target -
    /// slack` or less is passed.
    ///
    /// # Errors
    /// A target outside of (0, 1), or one that is not above `slack`.
    pub fn new(target: f64, slack: f64, alpha: Level, beta: Level) -> Result<Self, StatsError> {
        within("a target", target, 1e-6, 1.0 - 1e-6)?;
        within("the slack of a target", slack, 0.0, target - 1e-7)?;
        Ok(Self {
            target,
            slack,
            levels: (alpha, beta),
            // target - x is never below target - 1, and x - (target - slack) never below slack - target.
            below: Bets::new(1.0 - target)?,
            above: Bets::new(target - slack)?,
            sum: 0.0,
            race: Race::new(alpha, beta),
        })
    }

    /// One more value.
    ///
    /// # Errors
    /// NaN or outside of [0, 1]; nothing is counted.
    pub fn observe(&mut self, value: f64) -> Result<(), StatsError> {
        within("a value", value, 0.0, 1.0)?;
        self.below.observe(self.target - value)?;
        self.above.observe(value - self.target + self.slack)?;
        self.sum += value;
        self.race.counted();
        self.race.stand(self.below.log_e(), self.above.log_e());
        Ok(())
    }

    /// Pass, fail or neither.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.race.verdict()
    }

    /// What follows so far. `missing` takes the values for zeros and ones with the mean seen, which is the slowest case.
    #[must_use]
    pub fn decision(&self) -> Decision {
        let now = (self.below.log_e(), self.above.log_e());
        let seen = count(self.race.decision(now, None).observations);
        if seen == 0.0 {
            return self.race.decision(now, None);
        }
        let mean = self.sum / seen;
        let least = self.target - self.slack;
        let growth = (
            self.below.growth(&[(self.target, 1.0 - mean), (self.target - 1.0, mean)]),
            self.above.growth(&[(-least, 1.0 - mean), (1.0 - least, mean)]),
        );
        self.race.decision(now, Some(growth))
    }
}

kept!(MeanGate);

impl Kept for MeanGate {
    const WHAT: &'static str = "a gate of a mean";
    const KIND: [u8; 3] = *b"TGm";

    fn put(&self, into: &mut Writer) {
        into.level(self.levels.0);
        into.level(self.levels.1);
        into.f64s(&[self.target, self.slack, self.sum]);
        self.below.put(into);
        self.above.put(into);
        self.race.put(into);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let (alpha, beta) = (from.level()?, from.level()?);
        let [target, slack, sum] = from.finites()?;
        let fresh = Self::new(target, slack, alpha, beta)?;
        from.check(sum >= 0.0, "a sum that can not be")?;
        Ok(Self {
            sum,
            below: Bets::take(1.0 - target, from)?,
            above: Bets::take(target - slack, from)?,
            race: Race::take(alpha, beta, from)?,
            ..fresh
        })
    }
}

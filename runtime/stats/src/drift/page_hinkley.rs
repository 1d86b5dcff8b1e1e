//! A mean that moves, where nobody knows what it was.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;
use crate::special::count;

use super::cusum::Shift;

/// The settings of [`PageHinkley`], with the names and defaults of the field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageHinkleyRule {
    /// Values before the first alarm.
    pub least: u64,
    /// The drift that is let pass at each value, in the value's unit.
    pub delta: f64,
    /// The sum at which it alarms, in the value's unit.
    pub threshold: f64,
    /// What is kept of the sum at each value, 0 to 1.
    pub keep: f64,
}

impl Default for PageHinkleyRule {
    fn default() -> Self {
        Self { least: 30, delta: 0.005, threshold: 50.0, keep: 0.9999 }
    }
}

/// The Page-Hinkley test (Page 1954, Hinkley 1971; in this form Gama et al., ACM Computing Surveys 2014), value by value as `river` has it.
///
/// It compares with the running mean instead of a reference, so it can begin at once. Its threshold is in the value's unit and promises
/// no rate of false alarms: where a reference's mean and deviation are known, [`Cusum`](super::Cusum) does. Begins anew after an alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct PageHinkley {
    rule: PageHinkleyRule,
    values: u64,
    mean: f64,
    up: f64,
    down: f64,
    least_up: f64,
    most_down: f64,
}

impl PageHinkley {
    /// At rest.
    ///
    /// # Errors
    /// Settings that are no numbers, a negative delta or threshold, or a keep outside of 0 to 1.
    pub fn new(rule: PageHinkleyRule) -> Result<Self, StatsError> {
        within("delta", rule.delta, 0.0, f64::MAX)?;
        within("the threshold", rule.threshold, 0.0, f64::MAX)?;
        within("what is kept of the sum", rule.keep, 0.0, 1.0)?;
        Ok(Self::fresh(rule))
    }

    const fn fresh(rule: PageHinkleyRule) -> Self {
        Self { rule, values: 0, mean: 0.0, up: 0.0, down: 0.0, least_up: f64::INFINITY, most_down: f64::NEG_INFINITY }
    }

    /// One more value: an alarm, after which everything begins anew.
    ///
    /// # Errors
    /// NaN or infinite; nothing is counted.
    pub fn observe(&mut self, value: f64) -> Result<Option<Shift>, StatsError> {
        within("a value", value, -1e150, 1e150)?;
        self.values += 1;
        self.mean += (value - self.mean) / count(self.values);
        let away = value - self.mean;
        self.up = self.rule.keep * self.up + away - self.rule.delta;
        self.down = self.rule.keep * self.down + away + self.rule.delta;
        self.least_up = self.least_up.min(self.up);
        self.most_down = self.most_down.max(self.down);
        if self.values < self.rule.least {
            return Ok(None);
        }
        let shift = if self.up - self.least_up > self.rule.threshold {
            Shift::Up
        } else if self.most_down - self.down > self.rule.threshold {
            Shift::Down
        } else {
            return Ok(None);
        };
        *self = Self::fresh(self.rule);
        Ok(Some(shift))
    }
}

kept!(PageHinkley);

impl Kept for PageHinkley {
    const WHAT: &'static str = "a Page-Hinkley test";
    const KIND: [u8; 3] = *b"TDp";

    fn put(&self, into: &mut Writer) {
        into.u64(self.rule.least);
        into.f64s(&[self.rule.delta, self.rule.threshold, self.rule.keep, self.mean, self.up, self.down]);
        into.f64s(&[self.least_up, self.most_down]);
        into.u64(self.values);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let least = from.u64()?;
        let [delta, threshold, keep, mean, up, down] = from.finites()?;
        let fresh = Self::new(PageHinkleyRule { least, delta, threshold, keep })?;
        let (least_up, most_down) = (from.f64()?, from.f64()?);
        Ok(Self { mean, up, down, least_up, most_down, values: from.count()?, ..fresh })
    }
}

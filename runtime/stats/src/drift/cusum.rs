//! A mean that moves slowly.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};
use crate::error::within;

/// How far a mean may move, and how often a false alarm may come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CusumRule {
    /// The mean of the reference, in the value's unit.
    pub mean: f64,
    /// Its standard deviation, above 0: of what is handed in, so of block means where those are handed in.
    pub deviation: f64,
    /// The shift to be noticed, in standard deviations: half of it is let pass at each value. 0.25 to 4; 1 is usual.
    pub shift: f64,
    /// How many values lie between false alarms on average, at least: 10 to 1e9.
    pub between_alarms: f64,
}

/// Which way a mean has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// It is greater.
    Up,
    /// It is smaller.
    Down,
}

/// A two-sided cumulative sum (Page, Biometrika 1954), with its threshold from the wanted time between false alarms.
///
/// S+ = max(0, S+ + z - k), S- likewise, with z the value in standard deviations from the mean and k half the shift; an alarm where one
/// passes h. Its time between false alarms is Siegmund's (1985): (exp(2kb) - 2kb - 1) / 2k^2 for one side, b = h + 1.166, halved for
/// both: within a few per cent. Assumes: independent, about normal values with the mean and deviation given. Rows of a sensor that
/// remembers are not: hand in means of blocks as long as its memory, and their deviation. A mean that the reference got wrong is a
/// shift like any other: with a reference of 100 blocks false alarms come half again as often as promised, with one of 16 five times.
#[derive(Debug, Clone, PartialEq)]
pub struct Cusum {
    rule: CusumRule,
    bar: f64,
    up: f64,
    down: f64,
    values: u64,
}

impl Cusum {
    /// At rest.
    ///
    /// # Errors
    /// A rule outside of what its fields say; a deviation of 0 is the constant feature that has no mean to move: watch how often it leaves
    /// its value ([`rates`](super::rates)).
    pub fn new(rule: CusumRule) -> Result<Self, StatsError> {
        within("the mean", rule.mean, -1e150, 1e150)?;
        within("the deviation", rule.deviation, f64::MIN_POSITIVE, 1e150)?;
        within("the shift", rule.shift, 0.25, 4.0)?;
        within("the time between false alarms", rule.between_alarms, 10.0, 1e9)?;
        let slack = rule.shift / 2.0;
        let (mut low, mut high) = (0.0, 200.0);
        for _ in 0..80 {
            let middle = f64::midpoint(low, high);
            if time_between(middle, slack) < rule.between_alarms { low = middle } else { high = middle }
        }
        Ok(Self { rule, bar: high, up: 0.0, down: 0.0, values: 0 })
    }

    /// One more value: an alarm, after which both sums begin anew.
    ///
    /// # Errors
    /// NaN or infinite; nothing is counted.
    pub fn observe(&mut self, value: f64) -> Result<Option<Shift>, StatsError> {
        within("a value", value, f64::MIN, f64::MAX)?;
        let z = (value - self.rule.mean) / self.rule.deviation;
        let slack = self.rule.shift / 2.0;
        self.values += 1;
        self.up = (self.up + z - slack).max(0.0);
        self.down = (self.down - z - slack).max(0.0);
        let shift = if self.up > self.bar {
            Some(Shift::Up)
        } else if self.down > self.bar {
            Some(Shift::Down)
        } else {
            None
        };
        if shift.is_some() {
            (self.up, self.down) = (0.0, 0.0);
        }
        Ok(shift)
    }

    /// The threshold, in standard deviations, and both sums.
    #[must_use]
    pub const fn sums(&self) -> (f64, f64, f64) {
        (self.bar, self.up, self.down)
    }

    /// How far the nearer sum is on its way to an alarm, 0 to 1.
    #[must_use]
    pub fn nearness(&self) -> f64 {
        self.up.max(self.down) / self.bar
    }

    /// Values until a shift of `shift` standard deviations is noticed, on average (Siegmund 1985, one side).
    #[must_use]
    pub fn delay(&self, shift: f64) -> f64 {
        let drift = shift.abs() - self.rule.shift / 2.0;
        let b = self.bar + 1.166;
        if drift.abs() < 1e-9 {
            b * b
        } else {
            ((-2.0 * drift * b).exp() + 2.0 * drift * b - 1.0) / (2.0 * drift * drift)
        }
    }

    /// Values so far.
    #[must_use]
    pub const fn values(&self) -> u64 {
        self.values
    }
}

/// Siegmund's approximation for both sides.
fn time_between(bar: f64, slack: f64) -> f64 {
    let b = bar + 1.166;
    ((2.0 * slack * b).exp() - 2.0 * slack * b - 1.0) / (2.0 * slack * slack) / 2.0
}

kept!(Cusum);

impl Kept for Cusum {
    const WHAT: &'static str = "a cumulative sum";
    const KIND: [u8; 3] = *b"TDc";

    fn put(&self, into: &mut Writer) {
        let rule = &self.rule;
        into.f64s(&[rule.mean, rule.deviation, rule.shift, rule.between_alarms, self.up, self.down]);
        into.u64(self.values);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let [mean, deviation, shift, between_alarms, up, down] = from.finites()?;
        let fresh = Self::new(CusumRule { mean, deviation, shift, between_alarms })?;
        let within = |sum: f64| (0.0..=fresh.bar).contains(&sum);
        from.check(within(up) && within(down), "sums that can not be")?;
        Ok(Self { up, down, values: from.count()?, ..fresh })
    }
}

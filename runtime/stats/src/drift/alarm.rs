//! From what windows say to a state that does not flutter.

use crate::StatsError;
use crate::bytes::{Kept, Reader, Writer, kept};

/// How many windows raise an alarm, and how many end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlarmRule {
    /// Of the last `of` windows,
    pub of: u32,
    /// this many must show drift to raise it.
    pub raise: u32,
    /// So many windows in a row without drift end it.
    pub clear: u32,
}

/// Where an [`Alarm`] stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// Nothing was said yet.
    Unknown,
    /// No drift.
    Calm,
    /// Some windows show drift, not enough of them.
    Suspicious,
    /// Drift.
    Alarmed,
}

/// What a window changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The alarm begins.
    Raised,
    /// It ends.
    Cleared,
}

/// k of the last n windows raise an alarm; m quiet ones in a row end it. A pure state machine of 16 bytes.
///
/// A window that says nothing (too few rows, no traffic) changes nothing: silence neither raises an alarm nor ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    rule: AlarmRule,
    /// The last windows, newest in the lowest bit.
    recent: u32,
    known: u32,
    quiet: u32,
    alarmed: bool,
}

impl Alarm {
    /// Nothing known.
    ///
    /// # Errors
    /// Not 1 ≤ raise ≤ of ≤ 32, or clear outside of 1 to 1000.
    pub fn new(rule: AlarmRule) -> Result<Self, StatsError> {
        let ordered = (1..=32).contains(&rule.of) && (1..=rule.of).contains(&rule.raise);
        if !ordered || !(1..=1000).contains(&rule.clear) {
            return Err(StatsError::Mismatch {
                what: "an alarm's rule: 1 ≤ raise ≤ of ≤ 32, 1 ≤ clear ≤ 1000"
            });
        }
        Ok(Self { rule, recent: 0, known: 0, quiet: 0, alarmed: false })
    }

    /// The same windows under another rule. An alarm that is on stays on until that rule's quiet windows end it.
    ///
    /// # Errors
    /// As [`Alarm::new`].
    pub fn with_rule(&self, rule: AlarmRule) -> Result<Self, StatsError> {
        let fresh = Self::new(rule)?;
        Ok(Self { rule, recent: self.recent & fresh.kept(), ..*self })
    }

    /// The windows that are looked at.
    const fn kept(&self) -> u32 {
        if self.rule.of == 32 { u32::MAX } else { (1 << self.rule.of) - 1 }
    }

    /// One more window: whether it shows drift, or says nothing.
    pub fn window(&mut self, drift: Option<bool>) -> Option<Change> {
        let drift = drift?;
        self.recent = ((self.recent << 1) | u32::from(drift)) & self.kept();
        self.known = self.known.saturating_add(1);
        self.quiet = if drift { 0 } else { self.quiet.saturating_add(1) };
        if self.alarmed && self.quiet >= self.rule.clear {
            self.alarmed = false;
            // What raised it is spent: it takes as much again to raise it anew.
            self.recent = 0;
            return Some(Change::Cleared);
        }
        if !self.alarmed && self.recent.count_ones() >= self.rule.raise {
            self.alarmed = true;
            return Some(Change::Raised);
        }
        None
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> AlarmState {
        if self.alarmed {
            AlarmState::Alarmed
        } else if self.known == 0 {
            AlarmState::Unknown
        } else if self.recent > 0 {
            AlarmState::Suspicious
        } else {
            AlarmState::Calm
        }
    }
}

kept!(Alarm);

impl Kept for Alarm {
    const WHAT: &'static str = "an alarm";
    const KIND: [u8; 3] = *b"TDs";

    fn put(&self, into: &mut Writer) {
        for number in [self.rule.of, self.rule.raise, self.rule.clear, self.recent, self.known, self.quiet] {
            into.u64(u64::from(number));
        }
        into.u8(u8::from(self.alarmed));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, StatsError> {
        let mut numbers = [0; 6];
        for number in &mut numbers {
            *number = u32::try_from(from.u64()?).map_err(|_| from.corrupt("more than there can be"))?;
        }
        let [of, raise, clear, recent, known, quiet] = numbers;
        let fresh = Self::new(AlarmRule { of, raise, clear })?;
        from.check(recent & !fresh.kept() == 0, "windows that are not looked at")?;
        Ok(Self { recent, known, quiet, alarmed: from.flag()?, ..fresh })
    }
}

//! What a test of one window says.

use crate::special::count;

/// A test's answer, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The numbers.
    Tested(Tested),
    /// Nothing can be said: not "no drift".
    Unsaid(Unsaid),
}

/// The numbers of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    /// The statistic, in its own scale: PSI, the Kolmogorov-Smirnov distance, a difference of shares, a run's length, a ratio.
    pub effect: f64,
    /// The effect that is significant at 5 % in this window.
    pub critical: f64,
    /// The chance of as much or more if nothing has moved.
    pub p: f64,
}

/// Why a test says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// The window has none, or too few, of what is compared.
    TooFewRows {
        /// How many it has.
        have: u64,
        /// How many it takes.
        need: u64,
    },
    /// The reference has too few.
    TooFewReference {
        /// How many it has.
        have: u64,
        /// How many it takes.
        need: u64,
    },
    /// The reference is one value: it has no distribution to compare. How often the window leaves it is a rate
    /// ([`rates::compare`](super::rates::compare)), which [`numeric`](super::numeric) tests by itself.
    Constant,
    /// The reference does not vary between its windows in a way that can be measured, or there are too few of them.
    NoDesign,
}

impl Outcome {
    /// The numbers, if there are any.
    #[must_use]
    pub const fn tested(&self) -> Option<&Tested> {
        match self {
            Self::Tested(tested) => Some(tested),
            Self::Unsaid(_) => None,
        }
    }

    /// The p-value, NaN where there is none: the multiplicity rules count it as a test without evidence.
    #[must_use]
    pub const fn p(&self) -> f64 {
        match self {
            Self::Tested(tested) => tested.p,
            Self::Unsaid(_) => f64::NAN,
        }
    }
}

/// 1/n + 1/m: the variance of a difference of two shares, in units of one value's.
pub(super) fn noise(reference: u64, window: u64) -> f64 {
    1.0 / count(reference) + 1.0 / count(window)
}

/// Whether both have enough; the outcome if not.
pub(super) const fn enough(reference: u64, window: u64, need_reference: u64, need_window: u64) -> Option<Outcome> {
    if reference < need_reference {
        return Some(Outcome::Unsaid(Unsaid::TooFewReference { have: reference, need: need_reference }));
    }
    if window < need_window {
        return Some(Outcome::Unsaid(Unsaid::TooFewRows { have: window, need: need_window }));
    }
    None
}

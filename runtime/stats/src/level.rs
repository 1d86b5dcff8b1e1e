//! How often a person lets a test err.

use crate::StatsError;
use crate::error::within;

/// The most that an error may happen: a significance level, or one minus a coverage. Between 1e-12 and 0.5.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Level(f64);

impl Level {
    /// Five in a hundred.
    pub const FIVE_PERCENT: Self = Self(0.05);

    /// A level.
    ///
    /// # Errors
    /// Outside of 1e-12 to 0.5, or no number.
    pub fn new(value: f64) -> Result<Self, StatsError> {
        within("a level", value, 1e-12, 0.5).map(Self)
    }

    /// The probability itself.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// ln(1/level): what the logarithm of an e-value must reach (Ville 1939).
    #[must_use]
    pub fn bar(self) -> f64 {
        -self.0.ln()
    }

    /// This level shared out in `parts` equal pieces (Bonferroni). Never below the least level that there is.
    #[must_use]
    pub fn split(self, parts: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count of tests")]
        self.times(1.0 / parts.max(1) as f64)
    }

    /// A part of this level, never below the least that there is.
    pub(crate) fn times(self, part: f64) -> Self {
        Self((self.0 * part).max(1e-12))
    }
}

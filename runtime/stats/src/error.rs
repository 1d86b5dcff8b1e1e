//! What can be wrong with what a caller hands in, or with bytes of an earlier life.

/// Why a function of this room gives no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatsError {
    /// A setting or a value outside of what it may be.
    #[error("{what} must lie between {low} and {high}, and is {value}")]
    OutOfRange {
        /// Which one.
        what: &'static str,
        /// What was given.
        value: f64,
        /// The least that it may be.
        low: f64,
        /// The most that it may be.
        high: f64,
    },
    /// NaN or an infinity where a number is needed.
    #[error("{what} is not a finite number")]
    NotFinite {
        /// Which one.
        what: &'static str,
    },
    /// Fewer values than the function can say anything from.
    #[error("{what}: {have} given, {need} needed")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// How many there are.
        have: u64,
        /// How many it takes.
        need: u64,
    },
    /// More than is kept of something.
    #[error("{what}: {have} given, {limit} are the limit")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        have: u64,
        /// How many may be.
        limit: u64,
    },
    /// Two things that can not be put together.
    #[error("these do not fit together: {what}")]
    Mismatch {
        /// In what they differ.
        what: &'static str,
    },
    /// Bytes that are no state of this kind.
    #[error("the bytes of {what} are damaged: {why}")]
    Corrupt {
        /// Which kind of state.
        what: &'static str,
        /// What is wrong with them.
        why: &'static str,
    },
    /// Bytes that a later program wrote.
    #[error("the bytes of {what} are of version {found}; this program knows versions up to {known}")]
    Version {
        /// Which kind of state.
        what: &'static str,
        /// The version that the bytes name.
        found: u8,
        /// The newest version that is known here.
        known: u8,
    },
}

/// `value`, if it is finite and within `low..=high`.
pub(crate) fn within(what: &'static str, value: f64, low: f64, high: f64) -> Result<f64, StatsError> {
    if !value.is_finite() {
        return Err(StatsError::NotFinite { what });
    }
    if value < low || value > high {
        return Err(StatsError::OutOfRange { what, value, low, high });
    }
    Ok(value)
}

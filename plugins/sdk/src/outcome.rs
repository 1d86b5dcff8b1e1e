//! How a step ends well.

use serde::Serialize;

use crate::StepError;

/// The two good ends of a step. A `run` function that never skips may return its output type itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Finished, with this output.
    Done(T),
    /// There was nothing to do; steps that need this one see it as skipped, with this reason.
    Skipped(String),
}

impl<T> Outcome<T> {
    /// Nothing to do, and why.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }
}

/// What a `run` function may return on success: any serialisable value, or an [`Outcome`] of one.
///
/// `Kind` only tells the two apart and is always inferred.
pub trait IntoOutcome<Kind> {
    /// The outcome with its output as JSON text.
    ///
    /// # Errors
    /// When the output cannot be written as JSON: a map whose keys are not text, say.
    fn into_outcome(self) -> Result<Outcome<String>, StepError>;
}

/// Tells [`IntoOutcome`] that the value is the output itself.
pub enum Plain {}

/// Tells [`IntoOutcome`] that the value is an [`Outcome`].
pub enum Explicit {}

impl<T: Serialize> IntoOutcome<Plain> for T {
    fn into_outcome(self) -> Result<Outcome<String>, StepError> {
        to_json(&self).map(Outcome::Done)
    }
}

impl<T: Serialize> IntoOutcome<Explicit> for Outcome<T> {
    fn into_outcome(self) -> Result<Outcome<String>, StepError> {
        match self {
            Self::Done(output) => to_json(&output).map(Outcome::Done),
            Self::Skipped(reason) => Ok(Outcome::Skipped(reason)),
        }
    }
}

fn to_json<T: Serialize>(output: &T) -> Result<String, StepError> {
    serde_json::to_string(output).map_err(|error| StepError::fatal("bad-output", format!("output: {error}")))
}

//! When and how often a failed attempt is made again.

use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// Retry policy of a step. Only errors that the step calls retryable are retried, unless `only` names their code.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Retries after the first attempt; 0 = none.
    pub times: u32,
    /// The wait before the first retry.
    pub wait: Duration,
    /// The wait grows by this factor with every retry.
    pub factor: f64,
    /// No computed wait is longer.
    pub max: Duration,
    /// How chance enters.
    pub jitter: Jitter,
    /// Error codes that are never retried.
    pub never: Vec<String>,
    /// When not empty: the only error codes that are retried, also when the error does not call itself retryable.
    pub only: Vec<String>,
    /// No retry starts later than this after the first attempt's start.
    pub give_up_after: Option<Duration>,
}

impl Retry {
    /// Whether an error with this code may be retried at all.
    #[must_use]
    pub fn applies_to(&self, code: &str, retryable: bool) -> bool {
        let named = |codes: &[String]| codes.iter().any(|known| known == code);
        if self.only.is_empty() { retryable && !named(&self.never) } else { named(&self.only) }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            times: 0,
            wait: Duration::from_millis(1_000),
            factor: 2.0,
            max: Duration::from_millis(60_000),
            jitter: Jitter::Full,
            never: Vec::new(),
            only: Vec::new(),
            give_up_after: None,
        }
    }
}

/// How chance enters a retry's wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Jitter {
    /// Evenly between nothing and the computed wait.
    #[default]
    Full,
    /// The computed wait itself.
    None,
}

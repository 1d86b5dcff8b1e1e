//! The one error type of a step.

use std::{fmt, io, time::Duration};

use crate::host::{
    artifacts::ArtifactError, http::HttpError, inference::InferenceError, outbox::OutboxError, secrets::SecretError,
    state::StateError,
};

/// Why a step failed: a stable code for programs, a line for people, and whether trying again can help.
///
/// Codes are kebab-case. The host retries a retryable error as the workflow's `retry` says, and never a fatal one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepError {
    retryable: bool,
    code: String,
    message: String,
    retry_after: Option<Duration>,
    details: Vec<(String, String)>,
}

impl StepError {
    /// An error that will be the same next time: bad input, a broken rule, a missing grant.
    pub fn fatal(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { retryable: false, code: code.into(), message: message.into(), retry_after: None, details: Vec::new() }
    }

    /// An error that may be gone next time: a busy server, a conflict.
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::fatal(code, message) }
    }

    /// Asks for at least this wait before the next attempt (at most 49 days; the workflow's own policy still bounds
    /// it). Only retryable errors wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds a detail for programs.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.push((key.into(), value.into()));
        self
    }

    /// Puts `what` and a colon before the message: what the step was doing.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The line for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether another attempt may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The wait asked for.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Details for programs.
    #[must_use]
    pub fn details(&self) -> &[(String, String)] {
        &self.details
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for StepError {}

impl From<ArtifactError> for StepError {
    fn from(error: ArtifactError) -> Self {
        match error {
            ArtifactError::NotFound => Self::fatal("artifact-not-found", "the artifact does not exist"),
            ArtifactError::Denied(why) => Self::fatal("denied", why),
            ArtifactError::QuotaExceeded(why) => Self::fatal("quota-exceeded", why),
            ArtifactError::Io(why) => Self::retryable("artifact-io", why),
        }
    }
}

impl From<io::Error> for StepError {
    /// An error that came through [`std::io`] from this crate gets its own code back; any other has the code `io`.
    fn from(error: io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            if let Some(step) = inner.downcast_ref::<Self>() {
                return step.clone();
            }
            if let Some(artifact) = inner.downcast_ref::<ArtifactError>() {
                return artifact.clone().into();
            }
        }
        Self::fatal("io", error.to_string())
    }
}

impl From<serde_json::Error> for StepError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_io() { io::Error::from(error).into() } else { Self::fatal("bad-json", error.to_string()) }
    }
}

impl From<StateError> for StepError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Denied(why) => Self::fatal("denied", why),
            StateError::Conflict => Self::retryable("state-conflict", "the state changed meanwhile"),
            StateError::QuotaExceeded(why) => Self::fatal("quota-exceeded", why),
            StateError::Storage(why) => Self::retryable("state-storage", why),
        }
    }
}

impl From<OutboxError> for StepError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Denied(why) => Self::fatal("denied", why),
            OutboxError::BadRequest(why) => Self::fatal("bad-request", why),
            OutboxError::QuotaExceeded(why) => Self::fatal("quota-exceeded", why),
        }
    }
}

impl From<InferenceError> for StepError {
    fn from(error: InferenceError) -> Self {
        match error {
            InferenceError::ModelNotFound(why) => Self::fatal("model-not-found", why),
            InferenceError::Denied(why) => Self::fatal("denied", why),
            InferenceError::BadTensor(why) => Self::fatal("bad-tensor", why),
            InferenceError::ResourceExhausted(why) => Self::retryable("resource-exhausted", why),
            InferenceError::Timeout => Self::retryable("model-timeout", "the model did not answer in time"),
            InferenceError::Runtime(why) => Self::fatal("model-failed", why),
        }
    }
}

impl From<HttpError> for StepError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(why) => Self::fatal("denied", why),
            HttpError::BadRequest(why) => Self::fatal("bad-request", why),
            HttpError::Dns(why) => Self::retryable("http-dns", why),
            HttpError::Connect(why) => Self::retryable("http-connect", why),
            HttpError::Tls(why) => Self::fatal("http-tls", why),
            HttpError::Timeout => Self::retryable("http-timeout", "the server did not answer in time"),
            HttpError::TooLarge(why) => Self::fatal("http-too-large", why),
            HttpError::Protocol(why) => Self::retryable("http-protocol", why),
        }
    }
}

impl From<SecretError> for StepError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Denied(why) => Self::fatal("denied", why),
            SecretError::Unavailable(why) => Self::retryable("secret-unavailable", why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_code_on_the_way_through_std_io() {
        let denied = io::Error::other(ArtifactError::Denied("no".into()));
        assert_eq!(StepError::from(denied).code(), "denied");
        let own = StepError::retryable("busy", "later").retry_after(Duration::from_secs(2));
        assert_eq!(StepError::from(io::Error::other(own.clone())), own);
        assert_eq!(StepError::from(io::Error::other("disk")).code(), "io");
    }

    #[test]
    fn context_says_what_was_being_done() {
        let error = StepError::fatal("bad-data", "line 3 is short").context("reading a.csv");
        assert_eq!(error.to_string(), "bad-data: reading a.csv: line 3 is short");
    }
}

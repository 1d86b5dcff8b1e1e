//! How a node says no over its socket.

use serde::{Deserialize, Serialize};

/// An answer that is not a success: `{"error": {"code": …, "message": …}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code, TS-0710 and up.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// The HTTP status; not part of the document.
    #[serde(skip)]
    pub status: u16,
}

/// The document around a [`Refusal`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ErrorDocument {
    /// What is wrong.
    pub error: Refusal,
}

impl Refusal {
    /// With an HTTP status.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

//! How a node says no over its socket.

use serde::{Deserialize, Serialize};
use trackside_codes::{Class, Code, Coded, code};

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
    pub fn new(status: u16, code: Code, message: impl Into<String>) -> Self {
        Self { code: code.to_string(), message: message.into(), status }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

impl Coded for Refusal {
    fn code(&self) -> Code {
        // A node says no with a code; what has none is no answer of a node.
        Code::parse(&self.code).unwrap_or(code!("TS-0732"))
    }

    /// Of a code that only a newer node has the status tells enough.
    fn class(&self) -> Class {
        match self.code() {
            code if code.is_known() => code.class(),
            _ if (400..500).contains(&self.status) => Class::BadInput,
            _ => Class::Unavailable,
        }
    }
}

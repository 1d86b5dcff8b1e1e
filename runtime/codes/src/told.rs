//! What an error said, kept.

use std::fmt;

use crate::{Code, Coded};

/// What an error said: its code and its words, for where the error itself can not be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    code: Code,
    message: String,
}

impl Told {
    /// With words of its own.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// What `error` says.
    #[must_use]
    pub fn of(error: &impl Coded) -> Self {
        Self::new(error.code(), error.message())
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)
    }
}

impl Coded for Told {
    fn code(&self) -> Code {
        self.code
    }

    fn message(&self) -> String {
        self.message.clone()
    }
}

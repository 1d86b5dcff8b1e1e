//! Errors that have a code.

use std::fmt;

use crate::{Class, Code};

/// An error with a stable code. Its `Display` is what people read; the code may stand before it and is never read out of it.
pub trait Coded: fmt::Display {
    /// The code.
    fn code(&self) -> Code;

    /// What kind of trouble it is.
    fn class(&self) -> Class {
        self.code().class()
    }

    /// Whether its text is that of a compiler: `FILE:LINE:COLUMN: error[CODE]: …`, each place with a code of its own.
    fn has_places(&self) -> bool {
        false
    }

    /// The text without the code, for where the code has a place of its own.
    fn message(&self) -> String {
        self.code().without(&self.to_string()).to_owned()
    }

    /// The text with the code before it: `[TS-0711] text`.
    fn told(&self) -> String {
        if self.has_places() { self.to_string() } else { format!("[{}] {}", self.code(), self.message()) }
    }
}

//! What can be wrong.

use std::fmt::Display;

/// Why a document can not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It ends within a value.
    #[error("it ends at byte {at}, within a value")]
    Short {
        /// Where.
        at: usize,
    },
    /// Something stands behind its only value.
    #[error("something stands behind its value, at byte {at}")]
    Trailing {
        /// Where.
        at: usize,
    },
    /// Another program wrote it, later than this one or by mistake.
    #[error("it is of version {found}; this program reads version 1")]
    Version {
        /// What it says.
        found: u8,
    },
    /// A byte that begins no value.
    #[error("the byte {found:#04x} at byte {at} begins no value")]
    Unknown {
        /// Which.
        found: u8,
        /// Where.
        at: usize,
    },
    /// A word that this program does not know.
    #[error("the word at byte {at} is one of a later version of the program")]
    Word {
        /// Where.
        at: usize,
    },
    /// A text that is not UTF-8.
    #[error("the text at byte {at} is not UTF-8")]
    Utf8 {
        /// Where.
        at: usize,
    },
    /// A number of more than 64 bits.
    #[error("the number at byte {at} has more than 64 bits")]
    Number {
        /// Where.
        at: usize,
    },
    /// Lists and objects lie too deep in each other.
    #[error("lists and objects lie in each other more than 200 levels deep")]
    Deep,
    /// A member's name that is no text.
    #[error("the name of a member is no text")]
    Name,
    /// The type that is written or read has something against it.
    #[error("{0}")]
    Type(String),
}

impl serde::ser::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Type(message.to_string())
    }
}

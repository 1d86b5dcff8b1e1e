//! Which version of a model is meant.

use std::fmt;

/// Which version of a model is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Which {
    /// The name alone: the alias `champion`.
    #[default]
    Default,
    /// `NAME@ALIAS`.
    Alias(String),
    /// `NAME@3`.
    Version(u32),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => Ok(()),
            Self::Alias(alias) => write!(f, "@{alias}"),
            Self::Version(number) => write!(f, "@{number}"),
        }
    }
}

//! What the holder of a token may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What the holder of a token may do. A role has no other one's rights by itself; [`Role::may`] says what each may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Asks models, and nothing else: inference, and what a model takes and gives.
    Client,
    /// Sees everything and changes nothing.
    Viewer,
    /// Starts, stops, pauses, retries; loads and unloads models.
    Operator,
    /// Decides what waits for a person.
    Approver,
    /// Changes workflows, plugins and models.
    Author,
    /// Everything, tokens included.
    Admin,
}

/// Something that needs a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Ask a model.
    Infer,
    /// Load and unload models.
    Operate,
}

/// A text that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no role; there are {names}", text = .0, names = Role::names())]
pub struct RoleError(String);

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Client, Self::Viewer, Self::Operator, Self::Approver, Self::Author, Self::Admin];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }

    /// Whether it has a right.
    #[must_use]
    pub const fn may(self, right: Right) -> bool {
        match right {
            Right::Infer => matches!(self, Self::Client | Self::Operator | Self::Author | Self::Admin),
            Right::Operate => matches!(self, Self::Operator | Self::Author | Self::Admin),
        }
    }

    /// Their names, for messages.
    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| RoleError(text.chars().take(60).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_ask_and_a_viewer_may_not() {
        let may =
            |right: Right| Role::ALL.into_iter().filter(|role| role.may(right)).map(Role::name).collect::<Vec<_>>();
        assert_eq!(may(Right::Infer), ["client", "operator", "author", "admin"]);
        assert_eq!(may(Right::Operate), ["operator", "author", "admin"]);
        assert_eq!("admin".parse(), Ok(Role::Admin));
        assert_eq!(
            "root".parse::<Role>().unwrap_err().to_string(),
            "\"root\" is no role; there are client, viewer, operator, approver, author, admin"
        );
    }
}

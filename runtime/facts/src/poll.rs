//! What a poll trigger remembers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a poll trigger remembers between its looks: one row of its own, written with the run that a change starts, with the
/// decision where it starts none, and now and then while nothing changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PollState {
    /// What it is about: the rule and the URL. A trigger with another one begins anew.
    pub of: String,
    /// How many versions it has seen.
    pub changes: u64,
    /// The newest one; null before the first.
    pub version: Value,
    /// What the server called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it was made, in the server's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// When it was last looked, milliseconds since 1970.
    pub looked_ms: i64,
    /// What was seen then.
    pub saw: PollSight,
    /// How many looks have failed in a row.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Why the last one failed, or started nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a look saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PollSight {
    /// Another version.
    Changed,
    /// The version that is known.
    #[default]
    Unchanged,
    /// The expression was null.
    Nothing,
    /// No answer that can be used.
    Failed,
    /// A word of another version.
    #[serde(other)]
    Other,
}

impl PollSight {
    /// The word on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Nothing => "nothing",
            Self::Failed => "failed",
            Self::Other => "other",
        }
    }
}

impl PollState {
    /// The key of its row.
    pub const KEY: &'static str = "poll";

    /// What is on disk; nothing of what is damaged: the next look begins anew.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// For the disk.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Text, numbers and JSON: nothing of it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The last look, for people: the word, and why where something was wrong.
    #[must_use]
    pub fn in_words(&self) -> String {
        match &self.problem {
            Some(problem) => format!("{}: {problem}", self.saw.name()),
            None => self.saw.name().to_owned(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_read_and_written_as_it_stands() {
        let text = r#"{"of":"auto of https://a.example/x","changes":2,"version":"sha256:07","etag":"\"v2\"","looked_ms":5,"saw":"failed","failures":3,"problem":"no"}"#;
        let state = PollState {
            of: "auto of https://a.example/x".into(),
            changes: 2,
            version: json!("sha256:07"),
            etag: Some("\"v2\"".into()),
            last_modified: None,
            looked_ms: 5,
            saw: PollSight::Failed,
            failures: 3,
            problem: Some("no".into()),
        };
        assert_eq!((state.to_text().as_str(), PollState::read(text)), (text, Some(state)));
    }

    #[test]
    fn what_a_later_version_wrote_is_passed_over_and_damage_is_nothing() {
        let later = PollState::read(r#"{"of":"a","saw":"guessed","new":[1]}"#).unwrap();
        assert_eq!((later.of.as_str(), later.saw), ("a", PollSight::Other));
        for damage in ["", "{\"changes\":-1}", "{"] {
            assert_eq!(PollState::read(damage), None, "{damage}");
        }
    }
}

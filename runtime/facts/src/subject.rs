//! Facts about something that is no run: a trigger, a workflow. They stand in the one journal, under the name of their
//! subject.

use serde::{Deserialize, Serialize};
use trackside_spec::Digest;

/// What such an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A trigger, by its id.
    Trigger(String),
    /// A workflow, by its name.
    Workflow(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trigger(id) => write!(f, "trigger/{id}"),
            Self::Workflow(name) => write!(f, "workflow/{name}"),
        }
    }
}

/// One fact about a subject. The journal keeps the time beside it.
///
/// The JSON form is stored for years: add variants and optional fields, never change or remove one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum SubjectEvent {
    /// Somebody paused a trigger.
    TriggerPaused {
        /// Who.
        by: String,
    },
    /// Somebody resumed it.
    TriggerResumed {
        /// Who.
        by: String,
    },
    /// A definition of a workflow is in use from now on; none when the workflow was taken out.
    Activated {
        /// The file, relative to the project.
        file: String,
        /// The definition's digest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<Digest>,
        /// Who saw to it: a user, a signal, the start, or the folder itself.
        by: String,
    },
}

impl SubjectEvent {
    /// As an entry's events stand on disk.
    #[must_use]
    pub fn to_entry(&self) -> String {
        // Made of texts: nothing in it can not be written.
        serde_json::to_string(&[self]).unwrap_or_default()
    }

    /// Reads an entry's events.
    ///
    /// # Errors
    /// The parser's, for an entry that is damaged or of a later version of the program.
    pub fn from_entry(events: &str) -> Result<Vec<Self>, serde_json::Error> {
        serde_json::from_str(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_disk_is_read_for_ever() {
        let digest = Digest::of(b"x");
        let golden = [
            (SubjectEvent::TriggerPaused { by: "ana".into() }, r#"[{"event":"trigger-paused","by":"ana"}]"#.to_owned()),
            (
                SubjectEvent::TriggerResumed { by: "ana".into() },
                r#"[{"event":"trigger-resumed","by":"ana"}]"#.to_owned(),
            ),
            (
                SubjectEvent::Activated { file: "a.yaml".into(), definition: Some(digest), by: "the start".into() },
                format!(r#"[{{"event":"activated","file":"a.yaml","definition":"{digest}","by":"the start"}}]"#),
            ),
            (
                SubjectEvent::Activated { file: "a.yaml".into(), definition: None, by: "SIGHUP".into() },
                r#"[{"event":"activated","file":"a.yaml","by":"SIGHUP"}]"#.to_owned(),
            ),
        ];
        for (event, text) in golden {
            assert_eq!(event.to_entry(), text);
            assert_eq!(SubjectEvent::from_entry(&text).unwrap(), [event]);
        }
        assert_eq!(Subject::Trigger("w/cron-0".into()).to_string(), "trigger/w/cron-0");
    }
}

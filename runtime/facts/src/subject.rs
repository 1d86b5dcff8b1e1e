//! Facts about something that is no run: a trigger, a workflow. They stand in the one journal, under the name of their
//! subject.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_spec::{Digest, Role};

/// How the names of models begin among those of subjects. What is entered about a model is never removed.
pub const MODEL: &str = "model/";

/// What such an entry is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A trigger, by its id.
    Trigger(String),
    /// A workflow, by its name.
    Workflow(String),
    /// A model of the registry, by its name.
    Model(String),
    /// A token, by its name.
    Token(String),
    /// A table that contracts check, by its name.
    Dataset(String),
    /// What was told of a model's predictions, by the model's name: as many entries as labels, so that they go with their age.
    Labels(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trigger(id) => write!(f, "trigger/{id}"),
            Self::Workflow(name) => write!(f, "workflow/{name}"),
            Self::Model(name) => write!(f, "{MODEL}{name}"),
            Self::Token(name) => write!(f, "token/{name}"),
            Self::Dataset(name) => write!(f, "dataset/{name}"),
            Self::Labels(name) => write!(f, "labels/{name}"),
        }
    }
}

impl Subject {
    /// What a rollout is of, by the name that it has in the journal.
    #[must_use]
    pub fn of_rollout(name: &str) -> Option<Self> {
        let (kind, of) = name.split_once('/')?;
        match kind {
            "model" => Some(Self::Model(of.to_owned())),
            "workflow" => Some(Self::Workflow(of.to_owned())),
            _ => None,
        }
    }
}

/// One fact about a subject. The journal keeps the time beside it.
///
/// The JSON form is stored for years: add variants and optional fields, never change or remove one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// A version of a model is in the registry from now on.
    ModelAdded {
        /// Its number: counted from 1, and never given again.
        version: u32,
        /// Of its manifest, and so of all that it is.
        digest: Digest,
        /// Who added it.
        by: String,
    },
    /// An alias names another version of a model from now on.
    ModelAliasMoved {
        /// The alias.
        alias: String,
        /// What it named before; nothing where it is new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u32>,
        /// What it names now; nothing where it is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u32>,
        /// Who moved it.
        by: String,
    },
    /// A version of a model is in the registry no more.
    ModelRemoved {
        /// Its number.
        version: u32,
        /// Of its manifest.
        digest: Digest,
        /// Who removed it.
        by: String,
    },
    /// A version of a model was tested: when it was added, and on every other engine since.
    ModelTested {
        /// Its number.
        version: u32,
        /// The engine, as `onnxruntime 1.32.0`.
        engine: String,
        /// How: `sample` for golden vectors, `made-up` for made-up input, `not` where it was loaded only.
        how: String,
        /// What was wrong; nothing where it passed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// Who had it tested.
        by: String,
    },
    /// The reference that a model, or a table, is compared with is complete.
    DriftReference {
        /// The version; nothing of a table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// Rows that it is made of.
        rows: u64,
        /// Windows that it is made of.
        windows: u64,
    },
    /// A model, or a table, has moved away from its reference.
    DriftAlarm {
        /// The version; nothing of a table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// The window that raised it.
        window: u64,
        /// The columns that have moved, the first ones.
        columns: Vec<String>,
        /// What has moved, in words.
        words: String,
    },
    /// It is back, for so many windows that the alarm is over.
    DriftCleared {
        /// The version; nothing of a table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
        /// The window that ended it.
        window: u64,
    },
    /// What it is compared with is made anew from now on.
    DriftReset {
        /// Who wanted it.
        by: String,
    },
    /// Somebody told what would have been right.
    Labelled {
        /// The request, or the run and step.
        request: String,
        /// The version that had answered.
        version: u32,
        /// The truth, as JSON.
        truth: String,
        /// What was told before, as JSON, where this corrects it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
        /// Who.
        by: String,
    },
    /// A version of a model errs more, or less, than it did.
    ModelErrorMoved {
        /// Its number.
        version: u32,
        /// Labels before the change, and how many of them were of errors.
        before: u64,
        /// Errors among them.
        before_wrong: u64,
        /// Labels since.
        since: u64,
        /// Errors among them.
        since_wrong: u64,
    },
    /// Something became of a rollout of a model, a workflow or a plugin.
    Rollout {
        /// Its number.
        rollout: i64,
        /// `started`, `advanced`, `held`, `resumed`, `asks`, `stopped`, `promoted`, `rolled-back` or `aborted`.
        change: String,
        /// The version in service.
        stable: String,
        /// The one that is tried.
        candidate: String,
        /// The candidate's share from now on, in percent.
        share: f64,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// What was seen when it was decided: the gates in numbers and words. Of the start, the plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Value>,
        /// Who: a person, or `the rollout` itself.
        by: String,
    },
    /// A token opens from now on.
    TokenMade {
        /// What its holder may do.
        role: Role,
        /// From when on it opens no more, milliseconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_ms: Option<i64>,
        /// Who made it.
        by: String,
    },
    /// A token opens no more.
    TokenRevoked {
        /// Who revoked it.
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
                SubjectEvent::Rollout {
                    rollout: 3,
                    change: "rolled-back".into(),
                    stable: "1".into(),
                    candidate: "2".into(),
                    share: 0.0,
                    why: Some("the gate errors=+4% is broken".into()),
                    evidence: None,
                    by: "the rollout".into(),
                },
                r#"[{"event":"rollout","rollout":3,"change":"rolled-back","stable":"1","candidate":"2","share":0.0,"why":"the gate errors=+4% is broken","by":"the rollout"}]"#
                    .to_owned(),
            ),
            (
                SubjectEvent::TokenMade { role: Role::Client, expires_ms: Some(7), by: "ana".into() },
                r#"[{"event":"token-made","role":"client","expires_ms":7,"by":"ana"}]"#.to_owned(),
            ),
            (
                SubjectEvent::DriftReference { version: Some(2), rows: 5000, windows: 25 },
                r#"[{"event":"drift-reference","version":2,"rows":5000,"windows":25}]"#.to_owned(),
            ),
            (
                SubjectEvent::DriftAlarm { version: None, window: 7, columns: vec!["t".into()], words: "t: up".into() },
                r#"[{"event":"drift-alarm","window":7,"columns":["t"],"words":"t: up"}]"#.to_owned(),
            ),
            (
                SubjectEvent::DriftCleared { version: Some(1), window: 9 },
                r#"[{"event":"drift-cleared","version":1,"window":9}]"#.to_owned(),
            ),
            (SubjectEvent::DriftReset { by: "ana".into() }, r#"[{"event":"drift-reset","by":"ana"}]"#.to_owned()),
            (SubjectEvent::TokenRevoked { by: "ana".into() }, r#"[{"event":"token-revoked","by":"ana"}]"#.to_owned()),
            (
                SubjectEvent::Labelled {
                    request: "r".into(),
                    version: 2,
                    truth: "3".into(),
                    was: Some("4".into()),
                    by: "ana".into(),
                },
                r#"[{"event":"labelled","request":"r","version":2,"truth":"3","was":"4","by":"ana"}]"#.to_owned(),
            ),
            (
                SubjectEvent::ModelErrorMoved {
                    version: 2,
                    before: 300,
                    before_wrong: 9,
                    since: 40,
                    since_wrong: 20,
                },
                r#"[{"event":"model-error-moved","version":2,"before":300,"before_wrong":9,"since":40,"since_wrong":20}]"#
                    .to_owned(),
            ),
            (
                SubjectEvent::Activated { file: "a.yaml".into(), definition: Some(digest), by: "the start".into() },
                format!(r#"[{{"event":"activated","file":"a.yaml","definition":"{digest}","by":"the start"}}]"#),
            ),
            (
                SubjectEvent::Activated { file: "a.yaml".into(), definition: None, by: "SIGHUP".into() },
                r#"[{"event":"activated","file":"a.yaml","by":"SIGHUP"}]"#.to_owned(),
            ),
            (
                SubjectEvent::ModelAdded { version: 1, digest, by: "ana".into() },
                format!(r#"[{{"event":"model-added","version":1,"digest":"{digest}","by":"ana"}}]"#),
            ),
            (
                SubjectEvent::ModelAliasMoved { alias: "champion".into(), from: None, to: Some(1), by: "ana".into() },
                r#"[{"event":"model-alias-moved","alias":"champion","to":1,"by":"ana"}]"#.to_owned(),
            ),
            (
                SubjectEvent::ModelAliasMoved { alias: "b".into(), from: Some(2), to: None, by: "bo".into() },
                r#"[{"event":"model-alias-moved","alias":"b","from":2,"by":"bo"}]"#.to_owned(),
            ),
            (
                SubjectEvent::ModelRemoved { version: 2, digest, by: "ana".into() },
                format!(r#"[{{"event":"model-removed","version":2,"digest":"{digest}","by":"ana"}}]"#),
            ),
            (
                SubjectEvent::ModelTested {
                    version: 1,
                    engine: "rten 0.27.0".into(),
                    how: "sample".into(),
                    problem: None,
                    by: "ana".into(),
                },
                r#"[{"event":"model-tested","version":1,"engine":"rten 0.27.0","how":"sample","by":"ana"}]"#.to_owned(),
            ),
            (
                SubjectEvent::ModelTested {
                    version: 1,
                    engine: "onnxruntime 1.32.0".into(),
                    how: "sample".into(),
                    problem: Some("3 of 4 values differ".into()),
                    by: "the node".into(),
                },
                r#"[{"event":"model-tested","version":1,"engine":"onnxruntime 1.32.0","how":"sample","problem":"3 of 4 values differ","by":"the node"}]"#
                    .to_owned(),
            ),
        ];
        for (event, text) in golden {
            assert_eq!(event.to_entry(), text);
            assert_eq!(SubjectEvent::from_entry(&text).unwrap(), [event]);
        }
        assert_eq!(Subject::Trigger("w/cron-0".into()).to_string(), "trigger/w/cron-0");
        assert_eq!(Subject::Model("pump".into()).to_string(), "model/pump");
    }
}

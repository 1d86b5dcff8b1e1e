//! What started a run.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use trackside_spec::ArtifactRef;

use crate::{BoxEvent, rfc3339};

/// What started a run, as expressions see it under `trigger` and as the journal keeps it.
///
/// It is the JSON itself, so that what a later version wrote stays in it, with the names of its parts. A run's event and its state
/// have the same one: a request's is some dozens of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriggerDocument(Arc<Value>);

impl Serialize for TriggerDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TriggerDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_json)
    }
}

/// The time that the run is about, as text and as a number, and where they stand in each document of this version.
const TIME: &str = "logical_time";
const TIME_MS: &str = "logical_time_ms";
const TIMES_AT: usize = 2;

/// A document's fields but those of its time.
struct WithoutTimes<'a>(&'a Map<String, Value>);

impl Serialize for WithoutTimes<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(key, _)| *key != TIME && *key != TIME_MS))
    }
}

/// A file that a run is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFile {
    /// Its bytes.
    pub artifact: ArtifactRef,
    /// Its name there; the artifact's may be another.
    pub name: String,
    /// Where it lay, below the watched folder.
    pub path: String,
    /// Its modification time, milliseconds since 1970.
    pub modified_ms: i64,
}

/// Another run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRun {
    /// Its id.
    pub id: String,
    /// Its workflow.
    pub workflow: String,
    /// `succeeded`, `failed` or `cancelled`.
    pub state: &'static str,
    /// Why it did not succeed.
    pub error: Option<String>,
}

/// A new version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetVersion {
    /// The dataset.
    pub name: String,
    /// The run that made it.
    pub run: String,
    /// It.
    pub artifact: ArtifactRef,
}

/// An alarm of drift that has begun or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftAlarm {
    /// Of which model or dataset.
    pub name: String,
    /// `model` or `dataset`.
    pub kind: &'static str,
    /// The version of a model.
    pub version: Option<u32>,
    /// `raised` or `cleared`.
    pub turn: &'static str,
    /// The window that did it.
    pub window: u64,
    /// The columns that have moved, the first ones.
    pub columns: Vec<String>,
    /// What has moved, in words.
    pub words: String,
}

/// The ways in which a run begins, and what each brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// A person or a program asked for it.
    Manual {
        /// The file that came with the wish.
        file: Option<RunFile>,
    },
    /// A file came.
    File(RunFile),
    /// A batch of files came.
    Files(Vec<RunFile>),
    /// Its time came.
    Cron {
        /// Times before this one that had no run.
        missed: u64,
    },
    /// A time that is past was made up for.
    Backfill {
        /// The file that came with the wish.
        file: Option<RunFile>,
    },
    /// A request came.
    Webhook {
        /// The document that it brought.
        payload: Option<Value>,
        /// The attributes of a CloudEvent.
        event: Option<Map<String, Value>>,
        /// Names in small letters, and texts.
        headers: Map<String, Value>,
        /// Its bytes.
        body: ArtifactRef,
    },
    /// A message came.
    Mqtt {
        /// Its topic.
        topic: String,
        /// What it holds.
        content: MessageContent,
    },
    /// Another run ended.
    Workflow {
        /// That run.
        run: EndedRun,
        /// How many runs in a row have started each other, this one included.
        chain: u64,
    },
    /// A dataset has a new version.
    Dataset {
        /// That version.
        version: DatasetVersion,
        /// How many runs in a row have started each other, this one included.
        chain: u64,
    },
    /// A step or a person emitted an event.
    Event {
        /// The event.
        event: BoxEvent,
        /// How many runs in a row have started each other, this one included.
        chain: u64,
    },
    /// An alarm of drift has begun or ended.
    Drift {
        /// The alarm.
        alarm: DriftAlarm,
        /// How many runs in a row have started each other, this one included.
        chain: u64,
    },
    /// Something remote has changed.
    Poll {
        /// What was asked, without its query: that may hold a permission.
        url: String,
        /// What makes it this version: text, or the value of an expression.
        version: Value,
        /// The version before; null where none is known.
        previous: Value,
        /// What the server gave.
        content: MessageContent,
    },
    /// A step of another run started it.
    Step,
}

/// What a message holds.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageContent {
    /// A JSON document.
    Payload(Value),
    /// Bytes.
    Body(ArtifactRef),
}

impl MessageContent {
    const fn key(&self) -> &'static str {
        match self {
            Self::Payload(_) => "payload",
            Self::Body(_) => "body",
        }
    }

    fn into_json(self) -> Value {
        match self {
            Self::Payload(payload) => payload,
            Self::Body(body) => body.to_json(),
        }
    }
}

impl RunFile {
    fn to_json(&self) -> Value {
        let mut file = self.artifact.to_json();
        file["name"] = self.name.as_str().into();
        file["path"] = self.path.as_str().into();
        file["modified_ms"] = self.modified_ms.into();
        file
    }
}

impl Cause {
    /// What `trigger.kind` says.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Manual { .. } => "manual",
            Self::File(_) | Self::Files(_) => "file",
            Self::Cron { .. } | Self::Backfill { .. } => "cron",
            Self::Webhook { .. } => "webhook",
            Self::Mqtt { .. } => "mqtt",
            Self::Workflow { .. } | Self::Step => "workflow",
            Self::Dataset { .. } => "dataset",
            Self::Event { .. } => "event",
            Self::Drift { .. } => "drift",
            Self::Poll { .. } => "poll",
        }
    }

    /// What the list of runs says of how a run began.
    #[must_use]
    pub const fn run_kind(&self) -> &'static str {
        match self {
            Self::Backfill { .. } => "backfill",
            _ => self.kind(),
        }
    }
}

impl TriggerDocument {
    /// What stands at a path such as `payload.customer`, as text; nothing where there is none, or an object, a list or null.
    #[must_use]
    pub fn text_at(&self, path: &str) -> Option<String> {
        match path.split('.').try_fold(&*self.0, |value, key| value.get(key))? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Bool(_) | Value::Number(_)) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Of a run that `id` starts and that is about this time, milliseconds since 1970.
    #[must_use]
    pub fn new(id: &str, logical_time_ms: i64, cause: Cause) -> Self {
        let when = rfc3339(logical_time_ms);
        let mut document = json!({
            "kind": cause.kind(),
            "id": id,
            "logical_time": when,
            "logical_time_ms": logical_time_ms,
        });
        let mut put = |key: &str, value: Value| document[key] = value;
        let or_null = |file: Option<RunFile>| file.as_ref().map_or(Value::Null, RunFile::to_json);
        match cause {
            Cause::Manual { file } => put("file", or_null(file)),
            Cause::File(file) => put("file", file.to_json()),
            Cause::Files(files) => put("files", files.iter().map(RunFile::to_json).collect()),
            Cause::Cron { missed } => {
                put("scheduled", when.into());
                put("missed", missed.into());
            }
            Cause::Backfill { file } => {
                put("scheduled", when.into());
                put("missed", 0.into());
                put("backfill", true.into());
                put("file", or_null(file));
            }
            Cause::Webhook { payload, event, headers, body } => {
                put("payload", payload.unwrap_or_default());
                put("event", event.map_or(Value::Null, Value::Object));
                put("headers", headers.into());
                put("body", body.to_json());
            }
            Cause::Mqtt { topic, content } => {
                put("topic", topic.into());
                put(content.key(), content.into_json());
            }
            Cause::Poll { url, version, previous, content } => {
                put("url", url.into());
                put("version", version);
                put("previous", previous);
                put(content.key(), content.into_json());
            }
            Cause::Workflow { run: EndedRun { id, workflow, state, error }, chain } => {
                put("chain", chain.into());
                put("run", json!({ "id": id, "workflow": workflow, "state": state, "error": error }));
            }
            Cause::Dataset { version: DatasetVersion { name, run, artifact }, chain } => {
                put("chain", chain.into());
                put("dataset", json!({ "name": name, "run": run, "artifact": artifact.to_json() }));
            }
            Cause::Event { event, chain } => {
                put("chain", chain.into());
                put("event", event.to_json());
            }
            Cause::Drift { alarm, chain } => {
                let DriftAlarm { name, kind, version, turn, window, columns, words } = alarm;
                put("chain", chain.into());
                put(
                    "drift",
                    json!({
                        "name": name, "kind": kind, "version": version, "turn": turn, "window": window,
                        "columns": columns, "words": words,
                    }),
                );
            }
            Cause::Step => {}
        }
        Self::from_json(document)
    }

    /// What is on disk.
    #[must_use]
    pub fn from_json(document: Value) -> Self {
        Self(Arc::new(document))
    }

    /// The document without its time, where it is this one: who has that can put it back.
    #[must_use]
    pub fn without_times(&self, logical_time_ms: i64) -> Option<impl Serialize + '_> {
        let fields = self.0.as_object()?;
        let mut keys = fields.iter().skip(TIMES_AT);
        let text = keys.next().filter(|(key, _)| *key == TIME)?.1.as_str()?;
        let number = keys.next().filter(|(key, _)| *key == TIME_MS)?.1.as_i64()?;
        (number == logical_time_ms && text == rfc3339(logical_time_ms)).then_some(WithoutTimes(fields))
    }

    /// Puts the time back.
    pub fn put_times(&mut self, logical_time_ms: i64) {
        let Value::Object(fields) = Arc::make_mut(&mut self.0) else { return };
        let place = TIMES_AT.min(fields.len());
        fields.shift_insert(place, TIME.to_owned(), rfc3339(logical_time_ms).into());
        fields.shift_insert(place + 1, TIME_MS.to_owned(), logical_time_ms.into());
    }

    /// As expressions see it.
    #[must_use]
    pub fn as_json(&self) -> &Value {
        &self.0
    }

    /// `file`, `cron`, `manual` and so on; nothing in a document of no version.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.0["kind"].as_str()
    }

    /// The trigger's id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0["id"].as_str()
    }

    /// Whether the run makes up for a time that is past.
    #[must_use]
    pub fn is_backfill(&self) -> bool {
        self.0["backfill"] == Value::Bool(true)
    }

    /// How many runs in a row have started each other, the document's own included.
    #[must_use]
    pub fn chain(&self) -> u64 {
        self.0["chain"].as_u64().unwrap_or(0)
    }

    /// Whether the run has a file of its own.
    #[must_use]
    pub fn has_file(&self) -> bool {
        self.0["file"].is_object()
    }

    /// What the run is about, in one word: its file, its time, its topic, its dataset or the run before it.
    #[must_use]
    pub fn about(&self) -> Option<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let document = &self.0;
        [
            &document["file"]["path"],
            &document["scheduled"],
            &document["topic"],
            &document["dataset"]["name"],
            &document["drift"]["name"],
            &document["url"],
        ]
        .into_iter()
        .find_map(text)
        .or_else(|| text(&document["run"]["id"]).map(|run| format!("run {run}")))
    }
}

#[cfg(test)]
mod tests {
    use trackside_spec::Digest;

    use super::*;

    const THEN: i64 = 1_780_000_000_123;

    fn artifact(name: &str) -> ArtifactRef {
        ArtifactRef {
            digest: Digest::from_bytes([7; 32]),
            size: 2,
            name: name.to_owned(),
            media_type: "text/csv".to_owned(),
        }
    }

    fn file() -> RunFile {
        RunFile { artifact: artifact("x"), name: "a.csv".into(), path: "in/a.csv".into(), modified_ms: 5 }
    }

    /// One of each form, as programs before this type wrote them; words in capitals stand for what is the same in many.
    fn golden() -> Vec<(Cause, String)> {
        const ARTIFACT: &str =
            r#""artifact":"sha256:0707070707070707070707070707070707070707070707070707070707070707""#;
        let body = artifact("body");
        let run = EndedRun { id: "0r".into(), workflow: "other".into(), state: "failed", error: Some("no".into()) };
        let version = DatasetVersion { name: "rows".into(), run: "0r".into(), artifact: artifact("rows") };
        let webhook = |payload, event| {
            let headers = Map::from_iter([("x-b".to_owned(), json!("2")), ("x-a".to_owned(), json!("1"))]);
            Cause::Webhook { payload, event, headers, body: artifact("body") }
        };
        let event = Map::from_iter([("type".to_owned(), json!("t")), ("id".to_owned(), json!("1"))]);
        let forms = [
            (Cause::Manual { file: None }, r#"manual",TIMES,"file":null}"#),
            (Cause::Manual { file: Some(file()) }, r#"manual",TIMES,"file":FILE}"#),
            (Cause::File(file()), r#"file",TIMES,"file":FILE}"#),
            (Cause::Files(vec![file(), file()]), r#"file",TIMES,"files":[FILE,FILE]}"#),
            (Cause::Cron { missed: 3 }, r#"cron",TIMES,"scheduled":WHEN,"missed":3}"#),
            (Cause::Backfill { file: None }, r#"cron",TIMES,"scheduled":WHEN,"missed":0,"backfill":true,"file":null}"#),
            (
                Cause::Backfill { file: Some(file()) },
                r#"cron",TIMES,"scheduled":WHEN,"missed":0,"backfill":true,"file":FILE}"#,
            ),
            (
                webhook(Some(json!([1])), None),
                r#"webhook",TIMES,"payload":[1],"event":null,"headers":{"x-b":"2","x-a":"1"},"body":{ART,"name":"body","media_type":"text/csv","size":2}}"#,
            ),
            (
                webhook(None, Some(event)),
                r#"webhook",TIMES,"payload":null,"event":{"type":"t","id":"1"},"headers":{"x-b":"2","x-a":"1"},"body":{ART,"name":"body","media_type":"text/csv","size":2}}"#,
            ),
            (
                Cause::Mqtt { topic: "a/b".into(), content: MessageContent::Payload(json!(1)) },
                r#"mqtt",TIMES,"topic":"a/b","payload":1}"#,
            ),
            (
                Cause::Mqtt { topic: "a/b".into(), content: MessageContent::Body(body) },
                r#"mqtt",TIMES,"topic":"a/b","body":{ART,"name":"body","media_type":"text/csv","size":2}}"#,
            ),
            (
                Cause::Workflow { run, chain: 2 },
                r#"workflow",TIMES,"chain":2,"run":{"id":"0r","workflow":"other","state":"failed","error":"no"}}"#,
            ),
            (
                Cause::Dataset { version, chain: 1 },
                r#"dataset",TIMES,"chain":1,"dataset":{"name":"rows","run":"0r","artifact":{ART,"name":"rows","media_type":"text/csv","size":2}}}"#,
            ),
            (
                Cause::Poll {
                    url: "https://a.example/x".into(),
                    version: json!("sha256:07"),
                    previous: Value::Null,
                    content: MessageContent::Payload(json!({ "a": 1 })),
                },
                r#"poll",TIMES,"url":"https://a.example/x","version":"sha256:07","previous":null,"payload":{"a":1}}"#,
            ),
            (
                Cause::Drift {
                    alarm: DriftAlarm {
                        name: "pump".into(),
                        kind: "model",
                        version: Some(3),
                        turn: "raised",
                        window: 7,
                        columns: vec!["x[0]".into()],
                        words: "x[0]: median from 1 to 2".into(),
                    },
                    chain: 1,
                },
                r#"drift",TIMES,"chain":1,"drift":{"name":"pump","kind":"model","version":3,"turn":"raised","window":7,"columns":["x[0]"],"words":"x[0]: median from 1 to 2"}}"#,
            ),
            (Cause::Step, r#"workflow",TIMES}"#),
        ];
        let whole = |rest: &str| {
            format!(r#"{{"kind":"{rest}"#)
                .replace("TIMES", r#""id":"w/x","logical_time":WHEN,"logical_time_ms":1780000000123"#)
                .replace("WHEN", r#""2026-05-28T20:26:40.123Z""#)
                .replace(
                    "FILE",
                    r#"{ART,"name":"a.csv","media_type":"text/csv","size":2,"path":"in/a.csv","modified_ms":5}"#,
                )
                .replace("ART", ARTIFACT)
        };
        forms.map(|(cause, rest)| (cause, whole(rest))).into()
    }

    #[test]
    fn every_form_is_written_as_it_always_was() {
        for (cause, text) in golden() {
            let document = TriggerDocument::new("w/x", THEN, cause);
            assert_eq!(serde_json::to_string(&document).unwrap(), text);
            assert_eq!(serde_json::from_str::<TriggerDocument>(&text).unwrap(), document);
            assert_eq!((document.id(), document.kind().is_some()), (Some("w/x"), true));
        }
    }

    #[test]
    fn what_a_run_is_about_is_told_in_one_word() {
        let about = |cause| TriggerDocument::new("w/x", THEN, cause).about();
        assert_eq!(about(Cause::File(file())).as_deref(), Some("in/a.csv"));
        assert_eq!(about(Cause::Cron { missed: 0 }).as_deref(), Some("2026-05-28T20:26:40.123Z"));
        let run = EndedRun { id: "0r".into(), workflow: "o".into(), state: "failed", error: None };
        assert_eq!(about(Cause::Workflow { run, chain: 1 }).as_deref(), Some("run 0r"));
        assert_eq!(about(Cause::Step), None);
    }

    #[test]
    fn what_a_later_version_wrote_is_kept() {
        let text = "{\"id\":\"w/poll-0\",\"kind\":\"poll\",\"new\":{\"deep\":[1]}}";
        let document: TriggerDocument = serde_json::from_str(text).unwrap();
        assert_eq!((document.kind(), document.chain(), document.is_backfill()), (Some("poll"), 0, false));
        assert_eq!(serde_json::to_string(&document).unwrap(), text);
    }
}

//! The JSON documents that go over the socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trackside_engine::{Event, RunId};
use trackside_node::BrokerStatus;
use trackside_spec::Digest;

use crate::error::ApiError;

/// `POST /v1/runs`: start a run by hand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// The workflow's name.
    pub workflow: String,
    /// Parameters; the rest take their defaults.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// An absolute path on this box. The node reads the file into its artifact store; it becomes `trigger.file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The time of a schedule that the run makes up for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<BackfillTime>,
}

/// A past time of one of the workflow's schedules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillTime {
    /// The trigger's id.
    pub trigger: String,
    /// The time, milliseconds since 1970.
    pub at_ms: i64,
}

/// `POST /v1/runs/{id}/retry`: repeat a run that has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRun {
    /// The step to repeat from; without one, those that did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// That step alone.
    #[serde(default)]
    pub only: bool,
    /// All steps of the definition that is in use now, instead of those of the run's own.
    #[serde(default)]
    pub latest: bool,
}

/// `POST /v1/triggers/pause` and `POST /v1/triggers/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseTrigger {
    /// The trigger's id.
    pub trigger: String,
}

/// The answer to [`PauseTrigger`]: it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerPaused {
    /// The trigger's id.
    pub trigger: String,
    /// Whether it is paused now.
    pub paused: bool,
    /// Whether it was otherwise before.
    pub changed: bool,
}

/// `POST /v1/triggers/sight`: how a file stands with a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SightOf {
    /// The trigger's id.
    pub trigger: String,
    /// The file or folder, below the trigger's folder; empty for that itself.
    #[serde(default)]
    pub path: String,
}

/// The answer to [`SightOf`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightDocument {
    /// The trigger's id.
    pub trigger: String,
    /// The path that was asked about.
    pub path: String,
    /// One word: `watched`, `unwatched`, `polled`, `unreadable`, `missing`, `settling`, `under-way`, `left-alone`,
    /// `outside`, `crowded`.
    /// None when the node watches no folder for such a trigger, or is too busy to say.
    pub sight: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
}

/// The answer to `POST /v1/runs/{id}/pause` and `/resume`: it is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPaused {
    /// The run.
    pub run: RunId,
    /// Whether it is paused now.
    pub paused: bool,
}

/// The answer to [`StartRun`]: the run is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its id.
    pub run: RunId,
}

/// The answer to `POST /v1/runs/{id}/cancel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// The run that was told to stop.
    pub run: RunId,
    /// Always true; a run that has ended is answered with an error.
    pub cancelled: bool,
}

/// `POST /v1/runs/{id}/approvals/{step}`: decide about a step that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Yes or no.
    pub approve: bool,
    /// What there is to say about it.
    #[serde(default)]
    pub comment: String,
}

/// The answer to [`Decision`]: it is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: String,
    /// What was decided.
    pub approved: bool,
    /// Who decided.
    pub by: String,
}

/// `GET /v1/status`: how things stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StatusDocument {
    /// Version of the binary.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// The project's folder.
    pub project: PathBuf,
    /// Seconds since the server came up.
    pub uptime_s: u64,
    /// Runs under way.
    pub live_runs: usize,
    /// Why nothing is acknowledged at the moment, if so.
    pub trouble: Option<String>,
    /// When something is due next, milliseconds since 1970.
    pub next_deadline_ms: Option<i64>,
    /// Why no schedule is looked at, while the clock is obviously wrong and a workflow has a schedule.
    #[serde(default)]
    pub schedules_wait: Option<String>,
    /// The workflows that this node runs.
    pub workflows: Vec<WorkflowStatus>,
    /// Workflow files that it can not use, relative to the project; of some an earlier version is used.
    pub broken: Vec<PathBuf>,
    /// What is wrong with them.
    #[serde(default)]
    pub problems: Vec<FileProblem>,
    /// What is to be said about `trackside.toml`, when it is not what it was at the start.
    #[serde(default)]
    pub config_note: Option<String>,
    /// How each broker of `[mqtt]` stands.
    #[serde(default)]
    pub brokers: Vec<BrokerStatus>,
}

/// What is wrong with a workflow file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileProblem {
    /// Relative to the project.
    pub file: PathBuf,
    /// What is wrong, as `trackside check` says it.
    pub message: String,
    /// The workflow whose last good version is used all the same.
    pub workflow: Option<String>,
    /// That version.
    pub in_use: Option<Digest>,
}

impl FileProblem {
    /// All of a project.
    pub(crate) fn of(project: &trackside_node::Project) -> Vec<Self> {
        let of = |problem: &trackside_node::WorkflowProblem| {
            let (workflow, in_use) = problem.kept.clone().unzip();
            Self { file: problem.file.clone(), message: problem.reason.to_string(), workflow, in_use }
        };
        project.problems.iter().map(of).collect()
    }
}

/// The answer to `POST /v1/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadDocument {
    /// Workflows of which another version is in use now.
    pub changes: Vec<WorkflowChange>,
    /// Files that can not be used.
    pub problems: Vec<FileProblem>,
    /// What is to be said about `trackside.toml`, when it is not what it was at the start.
    pub config_note: Option<String>,
}

/// A workflow of which another version is in use now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowChange {
    /// The workflow.
    pub workflow: String,
    /// Its file, relative to the project.
    pub file: PathBuf,
    /// What was in use; null for a new workflow.
    pub was: Option<Digest>,
    /// What is; null for one that was taken out.
    pub is: Option<Digest>,
}

impl From<trackside_node::Change> for WorkflowChange {
    fn from(change: trackside_node::Change) -> Self {
        let trackside_node::Change { workflow, file, was, is } = change;
        Self { workflow, file, was, is }
    }
}

/// One workflow as the node has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowStatus {
    /// Its name.
    pub name: String,
    /// Its file, relative to the project.
    #[serde(default)]
    pub file: PathBuf,
    /// The definition that new runs start on.
    pub digest: Digest,
    /// How many triggers it has.
    pub triggers: usize,
    /// Since when that is in use, milliseconds since 1970.
    #[serde(default)]
    pub since_ms: Option<i64>,
    /// Who saw to that: a user, a signal, the start, or the folder itself.
    #[serde(default)]
    pub by: Option<String>,
}

/// One event of a run in `GET /v1/runs/{id}/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The step's id, where the event is about a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// One line of `GET /v1/runs/{id}/events`.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamLine {
    /// Something happened.
    Event(Box<EventLine>),
    /// The last line: the run has ended and everything that it staged was carried out.
    Settled,
    /// The last line: there will be no more, though the run is not over.
    Error(ApiError),
}

impl StreamLine {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Last {
            settled: Option<bool>,
            error: Option<ApiError>,
        }
        // A failed step's event has an `error` of its own, so the event is looked for first.
        match serde_json::from_slice::<EventLine>(line) {
            Ok(event) => Ok(Self::Event(Box::new(event))),
            Err(not_an_event) => match serde_json::from_slice::<Last>(line) {
                Ok(Last { settled: Some(true), .. }) => Ok(Self::Settled),
                Ok(Last { error: Some(error), .. }) => Ok(Self::Error(error)),
                _ => Err(not_an_event),
            },
        }
    }

    /// The line, with its line feed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = match self {
            // Made of strings, numbers and JSON values: nothing in it can not be written.
            Self::Event(event) => serde_json::to_vec(event).unwrap_or_default(),
            Self::Settled => br#"{"settled":true}"#.to_vec(),
            Self::Error(error) => {
                serde_json::to_vec(&crate::error::ErrorDocument { error: error.clone() }).unwrap_or_default()
            }
        };
        [text, b"\n".to_vec()].concat()
    }
}

#[cfg(test)]
mod tests {
    use trackside_engine::{RunEnd, StepError};
    use trackside_spec::StepIndex;

    use super::*;

    fn event(event: Event, step_id: Option<&str>) -> StreamLine {
        StreamLine::Event(Box::new(EventLine { at_ms: 17, step_id: step_id.map(str::to_owned), event }))
    }

    #[test]
    fn every_kind_of_line_reads_back_as_written() {
        let failed = Event::StepFailed {
            step: StepIndex(2),
            item: None,
            attempt: 1,
            error: StepError::fatal("trap", "unreachable"),
            report: None,
        };
        for line in [
            event(failed, Some("score")),
            event(Event::Ended { end: RunEnd::Succeeded, error: None, outputs: Value::Null }, None),
            StreamLine::Settled,
            StreamLine::Error(ApiError { status: 0, ..ApiError::closing() }),
        ] {
            let bytes = line.to_bytes();
            assert_eq!(bytes.last(), Some(&b'\n'));
            assert_eq!(StreamLine::parse(&bytes).unwrap(), line);
        }
    }

    #[test]
    fn an_event_line_is_flat() {
        let line =
            event(Event::StepStarted { step: StepIndex(0), item: None, attempt: 1 }, Some("validate")).to_bytes();
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            line,
            serde_json::json!({"at_ms": 17, "step_id": "validate", "event": "step-started", "step": 0, "attempt": 1})
        );
    }

    #[test]
    fn rubbish_is_no_line() {
        for bad in ["", "{}", "[]", r#"{"settled":false}"#, r#"{"at_ms":1,"event":"no-such-event"}"#, "{"] {
            assert!(StreamLine::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_with_a_misspelt_key_is_refused() {
        assert!(serde_json::from_str::<StartRun>(r#"{"workflow":"a","parms":{}}"#).is_err());
        assert!(serde_json::from_str::<StartRun>(r#"{"workflow":"a"}"#).is_ok());
    }
}

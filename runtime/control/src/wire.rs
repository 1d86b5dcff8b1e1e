//! The JSON documents that go over the socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trackside_engine::{Event, RunId};

use crate::refusal::{ErrorDocument, Refusal};

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
    Error(Refusal),
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
            error: Option<Refusal>,
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
            Self::Error(error) => serde_json::to_vec(&ErrorDocument { error: error.clone() }).unwrap_or_default(),
        };
        [text, b"\n".to_vec()].concat()
    }
}

#[cfg(test)]
mod tests {
    use trackside_codes::code;
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
            StreamLine::Error(Refusal::new(0, code!("TS-0717"), "the node is going down")),
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

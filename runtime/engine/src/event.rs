//! The facts that a run's journal is made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_facts::{AttemptReport, TriggerDocument};
use trackside_spec::StepIndex;

use crate::id::RunId;

/// One fact about a run. The journal keeps the time beside it.
///
/// The JSON form is stored for years: add variants and optional fields, never change or remove one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run was accepted.
    Started {
        /// Parameters after defaults were filled in.
        params: Value,
        /// What started the run, as `trigger` shows it to expressions.
        #[serde(alias = "from")]
        trigger: TriggerDocument,
        /// The time that the run is about (schedule time, file time), milliseconds since 1970.
        logical_time_ms: i64,
        /// The step of another run that this run was started by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<Parent>,
    },
    /// The run waits for its concurrency group.
    Queued {
        /// The group's name.
        group: String,
    },
    /// The run's concurrency group has room for it.
    Admitted,
    /// Somebody paused the run: what is under way goes on, nothing else begins.
    Paused {
        /// Who, for the audit.
        by: String,
    },
    /// The run goes on after a pause.
    Resumed {
        /// Who.
        by: String,
    },
    /// The run repeats another one with the definition of that one. Comes at once after [`Event::Started`], before
    /// anything about steps.
    Retries {
        /// The other run.
        run: RunId,
        /// The step from which on it is repeated, when somebody named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<StepIndex>,
        /// Whether that step alone is repeated.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        only: bool,
        /// Who asked for it.
        by: String,
    },
    /// The step's output was taken over from the run that this one repeats. Final.
    StepTaken {
        /// Which step.
        step: StepIndex,
        /// Its output there.
        output: Value,
    },
    /// The run can not go on, and no step is at fault.
    RunFailed {
        /// Stable code, kebab-case: `queue-timeout`, `bad-group`, `bad-outputs`.
        code: String,
        /// One line for people.
        message: String,
    },
    /// A step with `foreach` knows its items; they start now.
    StepExpanded {
        /// Which step.
        step: StepIndex,
        /// The items in their order.
        items: Vec<Value>,
    },
    /// All items of a step with `foreach` have ended and the step has ended well. Final. Its output is what the items'
    /// events say, put together.
    StepCollected {
        /// Which step.
        step: StepIndex,
        /// Items that ended well.
        succeeded: u32,
        /// Items that were skipped.
        skipped: u32,
        /// Items that failed or were blocked.
        failed: u32,
    },
    /// An attempt waits for the step's mutex.
    StepQueued {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// What it waits for.
        mutex: String,
    },
    /// The inputs of a step do not fit its contracts. Final.
    StepBlocked {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The attempt that was to be made.
        attempt: u32,
        /// One line for people.
        message: String,
        /// What does not fit, in full.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Box<AttemptReport>>,
    },
    /// The run that a step waits for is on disk.
    ChildStarted {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The attempt that it belongs to.
        attempt: u32,
        /// The child.
        run: RunId,
    },
    /// A step waits for a person.
    ApprovalRequested {
        /// Which step.
        step: StepIndex,
        /// What is to be decided.
        message: String,
        /// Who may decide; empty = everybody.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvers: Vec<String>,
        /// Until when, milliseconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline_ms: Option<i64>,
    },
    /// A decision was taken, or the time for it was over. The step's end follows.
    ApprovalDecided {
        /// Which step.
        step: StepIndex,
        /// What was decided.
        approved: bool,
        /// Who decided; none when the time was over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// What they said about it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        comment: String,
    },
    /// A step waits for a time or an event.
    StepSuspended {
        /// Which step.
        step: StepIndex,
        /// Until when, milliseconds since 1970; none = until the event comes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<i64>,
        /// The name of the event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<String>,
    },
    /// An attempt of a step was handed to an executor.
    StepStarted {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// 1 for the first.
        attempt: u32,
    },
    /// A step ended well. Final.
    StepSucceeded {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The attempt that did it.
        attempt: u32,
        /// What `steps.ID` shows to later steps; for an item, its place in `results`.
        output: Value,
        /// Whether the output was kept from an earlier attempt with the same plugin, input and configuration.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cached: bool,
        /// What the attempt used and which engine or plugin version did it; for people and for lineage.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Box<AttemptReport>>,
    },
    /// A step will not run, or said that there was nothing to do. Final.
    StepSkipped {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// Why.
        reason: SkipReason,
    },
    /// An attempt failed and another will be made.
    StepRetried {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The attempt that failed.
        attempt: u32,
        /// How it failed.
        error: StepError,
        /// When the next attempt is due, milliseconds since 1970.
        due_ms: i64,
    },
    /// A step failed for good. Final.
    StepFailed {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The last attempt; 0 when none was made.
        attempt: u32,
        /// How it failed.
        error: StepError,
        /// As in [`Event::StepSucceeded`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Box<AttemptReport>>,
    },
    /// A step was stopped, or never started, because its run was. Final.
    StepCancelled {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
    },
    /// The node went down while an attempt was under way; its result, if any, is lost.
    StepInterrupted {
        /// Which step.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The lost attempt.
        attempt: u32,
    },
    /// Somebody asked for the run to be stopped.
    CancelRequested {
        /// Who, for the audit.
        by: String,
    },
    /// The run's time was over.
    TimedOut,
    /// All ordinary steps have ended; finally handlers run now.
    Finishing {
        /// How the ordinary steps ended.
        end: RunEnd,
        /// The error that made it so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<RunError>,
    },
    /// The run is over. Final.
    Ended {
        /// How.
        end: RunEnd,
        /// The error that made it so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<RunError>,
        /// What the workflow's `outputs` made, when it ended well.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        outputs: Value,
    },
    /// An outbox entry was carried out. May come after [`Event::Ended`].
    Delivered {
        /// The step that staged it.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// Its place in the step's outbox, from 0.
        entry: u32,
        /// Where it went.
        target: String,
    },
    /// An outbox entry can not be carried out and will not be tried again.
    DeliveryRefused {
        /// The step that staged it.
        step: StepIndex,
        /// Which item of a step with `foreach`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// Its place in the step's outbox, from 0.
        entry: u32,
        /// Where it should have gone.
        target: String,
        /// Why it did not.
        reason: String,
    },
}

/// The step of another run that started a run and waits for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The other run.
    pub run: RunId,
    /// Its step.
    pub step: StepIndex,
    /// The item, when the step runs for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The attempt.
    pub attempt: u32,
    /// How deep the child lies: 1 when nobody started the parent but a trigger or a person.
    pub depth: u32,
}

impl Parent {
    /// The text that makes the child unique: whoever starts runs keeps it, so that the same attempt, asked for again
    /// after a crash, finds its run instead of starting another.
    #[must_use]
    pub fn key(&self) -> String {
        let item = self.item.map_or_else(|| "-".to_owned(), |item| item.to_string());
        format!("{}/{}/{item}/{}", self.run, self.step.0, self.attempt)
    }
}

/// The code of a run's error where the run can not be read any more. Its end may come whatever its steps were at.
pub const RUN_UNREADABLE: &str = "run-unreadable";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// Every step succeeded or was skipped.
    Succeeded,
    /// A step failed or was blocked, or the run's time was over.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl RunEnd {
    /// The word for people and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why a run did not end well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunError {
    /// Id of the step at fault; none when the run itself is (its time was over).
    pub step: Option<String>,
    /// Stable code, kebab-case.
    pub code: String,
    /// One line for people.
    pub message: String,
}

/// Why a step did not run to an end of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Its `when` was false.
    Condition,
    /// A step that it needs was skipped.
    Upstream(String),
    /// A step that it needs failed or was blocked.
    UpstreamFailed(String),
    /// A step that it needs ended well, and it runs only after other ends.
    Unwanted(String),
    /// It ran and said that there was nothing to do.
    Said(String),
    /// Its run repeats another one, and not this step.
    NotRepeated,
}

/// How an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepError {
    /// Stable code, kebab-case: `trap`, `cpu-limit`, or one that the plugin chose.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// Whether another attempt may go better.
    pub retryable: bool,
    /// A wish of the plugin: not sooner than in so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// More lines: the guest's frames, the tail of its stderr, the YAML that would grant a refused call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl StepError {
    /// An error that no retry mends.
    #[must_use]
    pub fn fatal(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            retryable: false,
            retry_after_ms: None,
            details: Vec::new(),
        }
    }
}

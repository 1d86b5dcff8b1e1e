//! The run's document.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use trackside_engine::{RunError, RunId, StepError};
use trackside_facts::TriggerDocument;
use trackside_spec::Plan;

/// One run. The JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
pub struct RunView {
    /// Its id.
    pub run: RunId,
    /// The workflow.
    pub workflow: String,
    /// Digest of the definition that it runs on.
    pub definition: String,
    /// `running`, `queued`, `succeeded`, `failed`, `cancelled`.
    pub state: String,
    /// Why it did not end well.
    pub error: Option<RunError>,
    /// When it was accepted, RFC 3339.
    pub started: String,
    /// The same, milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended: Option<String>,
    /// The same, milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// From acceptance to end.
    pub duration_ms: Option<i64>,
    /// What started it.
    pub trigger: TriggerDocument,
    /// Its parameters.
    pub params: Value,
    /// Who asked for it to be stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled_by: Option<String>,
    /// Who paused it, while it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
    /// The run that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// What the workflow's `outputs` made, when it has some and ended well.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// Output by step.
    pub outputs: Map<String, Value>,
    /// Its steps.
    pub steps: Vec<StepView>,
    /// What was carried out of the box's store.
    pub deliveries: Vec<Delivery>,
    /// Effects that are still to be carried out.
    pub outbox_waiting: u64,
    /// The definition, when it could be read.
    #[serde(skip)]
    pub plan: Option<Arc<Plan>>,
}

/// One step of a run.
#[derive(Debug, Serialize)]
pub struct StepView {
    /// Its id.
    pub id: String,
    /// `pending`, `queued`, `running`, `waiting`, `awaiting-approval`, `awaiting-event`, `sleeping`, `succeeded`, `skipped`, `failed`, `blocked`,
    /// `cancelled`.
    pub state: &'static str,
    /// Why it was skipped, or what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Attempts started.
    pub attempts: u32,
    /// When the first attempt started, milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When the step ended.
    pub ended_ms: Option<i64>,
    /// From the first start to the end.
    pub duration_ms: Option<i64>,
    /// How it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
    /// Whether the result was kept from an earlier attempt with the same input.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// What a person is asked, while nobody has decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
    /// What it waits for, while that is a time or an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
    /// The run that its output was taken over from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<RunId>,
    /// The run that it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
    /// Its items, where it runs for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsView>,
    /// Attempts that failed or were lost before the last one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierAttempt>,
    /// What it used: plugin or model, version, engine, time, memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<trackside_facts::AttemptReport>>,
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asks {
    /// What is to be decided.
    pub message: String,
    /// Who may; empty = everybody who may use the node.
    pub approvers: Vec<String>,
    /// Until when, RFC 3339.
    pub until: Option<String>,
}

/// A time or an event that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// The event's name; none where it waits for the time alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Until when, RFC 3339; none where it waits for the event for ever.
    pub until: Option<String>,
}

/// The items of a step with `foreach`.
#[derive(Debug, Default, Serialize)]
pub struct ItemsView {
    /// How many there are.
    pub count: usize,
    /// Under way.
    pub running: usize,
    /// Ended well.
    pub succeeded: usize,
    /// Did not run.
    pub skipped: usize,
    /// Stopped with their step.
    pub cancelled: usize,
    /// How the others failed, as in the step's output.
    pub failed: Vec<Value>,
    #[serde(skip)]
    pub(crate) results: Vec<Value>,
}

/// An attempt before the last one.
#[derive(Debug, Serialize)]
pub struct EarlierAttempt {
    /// Which.
    pub attempt: u32,
    /// How it failed; nothing when the node went down under it.
    pub error: Option<StepError>,
}

/// One effect that left the store.
#[derive(Debug, Serialize)]
pub struct Delivery {
    /// The step that staged it.
    pub step: String,
    /// Where it went or should have gone.
    pub target: String,
    /// How it ended.
    #[serde(flatten)]
    pub state: DeliveryState,
}

/// How an effect ended.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum DeliveryState {
    /// It is there.
    Delivered,
    /// It can never be.
    Refused {
        /// Why.
        reason: String,
    },
}

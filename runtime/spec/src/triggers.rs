//! What starts a workflow besides a person, after every check.

mod poll;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use poll::{PollChange, PollHeader, PollTrigger, PollValue};

use crate::{
    expr::Expr,
    units::{ByteSize, Duration},
};

/// What starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Unique in the project and stable while the trigger's own definition does not change in kind or position:
    /// `WORKFLOW/file-0`, `WORKFLOW/cron-1`. Ledgers and cron positions are kept under it.
    pub id: String,
    /// The kind and its settings.
    pub kind: TriggerKind,
}

/// The kinds of trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerKind {
    /// Files that appear in a folder.
    File(FileTrigger),
    /// A schedule or an interval.
    Cron(CronTrigger),
    /// A request to the node.
    Webhook(WebhookTrigger),
    /// A message of a broker.
    Mqtt(MqttTrigger),
    /// The end of another workflow's run.
    Workflow(WorkflowTrigger),
    /// A new version of a dataset.
    Dataset(DatasetTrigger),
    /// An event that a step or a person emits.
    Event(EventTrigger),
    /// A model, or a table, that moves away from its reference.
    Drift(DriftTrigger),
    /// Something remote that has changed.
    Poll(Box<PollTrigger>),
}

impl TriggerKind {
    /// The key that it is written under, also `trigger.kind` of its runs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Cron(_) => "cron",
            Self::Webhook(_) => "webhook",
            Self::Mqtt(_) => "mqtt",
            Self::Workflow(_) => "workflow",
            Self::Dataset(_) => "dataset",
            Self::Event(_) => "event",
            Self::Drift(_) => "drift",
            Self::Poll(_) => "poll",
        }
    }

    /// Whether its runs can bring parameters, out of a JSON payload.
    #[must_use]
    pub const fn has_payload(&self) -> bool {
        match self {
            Self::Webhook(hook) => matches!(hook.payload, MqttPayload::Json),
            Self::Mqtt(mqtt) => matches!(mqtt.payload, MqttPayload::Json),
            Self::Poll(poll) => matches!(poll.payload, MqttPayload::Json),
            Self::File(_) | Self::Cron(_) | Self::Workflow(_) | Self::Dataset(_) | Self::Event(_) | Self::Drift(_) => {
                false
            }
        }
    }
}

/// Settings of a file trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTrigger {
    /// Folder, absolute or relative to the project.
    pub path: String,
    /// Patterns of which a file's path below `path` must match one (`globset` syntax, `/` is literal for `*`).
    pub globs: Vec<String>,
    /// Patterns of which it may match none.
    pub exclude: Vec<String>,
    /// How long size and modification time must stand still. A close after writing or a move into the folder ends
    /// the wait at once.
    pub settle: Duration,
    /// When a file that still does not settle is reported.
    pub max_wait: Duration,
    /// What makes two files the same.
    pub identity: Identity,
    /// What to do with files that are there when the trigger is seen for the first time.
    pub existing: Existing,
    /// What happens to the file when its run is accepted.
    pub claim: Claim,
    /// Whether other boxes watch the folder, too: a file is taken by one of them.
    pub shared: bool,
    /// One run for many files; none: one run for each.
    pub batch: Option<FileBatch>,
}

/// When the files that were gathered start their run: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileBatch {
    /// So many files.
    pub max_files: u32,
    /// So long after the first of them was complete.
    pub max_wait: Duration,
}

/// What makes two files the same file to a trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// The same bytes, wherever they lie and whatever they are called.
    #[default]
    Content,
    /// The same path, size and modification time.
    Stat,
}

/// What a trigger does with files that were there before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    /// They start runs like any other.
    #[default]
    Run,
    /// They are entered into the ledger and start nothing.
    Ignore,
}

/// What happens to a file when its run is accepted. Its bytes are an artifact of the run in every case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Claim {
    /// It leaves the watched folder: its bytes are in the artifact store, the ledger names the run.
    #[default]
    Move,
    /// It leaves the watched folder for this one, absolute or relative to the project.
    MoveTo(String),
    /// It stays, and a copy of it appears in this folder, absolute or relative to the project.
    CopyTo(String),
    /// It stays where it is.
    Keep,
}

impl Claim {
    /// Whether the file leaves the watched folder.
    #[must_use]
    pub const fn takes_away(&self) -> bool {
        matches!(self, Self::Move | Self::MoveTo(_))
    }
}

/// Settings of a cron trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronTrigger {
    /// When it comes.
    pub times: CronTimes,
    /// What to do about times that passed while the node was down or the clock jumped.
    pub misfire: Misfire,
    /// Missed times that are older than this are not made up for; none: any age.
    pub misfire_window: Option<Duration>,
    /// How many missed times `misfire: all` makes up for, the latest ones.
    pub misfire_max: u32,
    /// Runs start later than their time by a part of this that is always the same on one box.
    pub jitter: Duration,
    /// What happens when a time comes while a run of this trigger is under way.
    pub overlap: Overlap,
}

/// When a cron trigger comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CronTimes {
    /// At the times of a calendar.
    Schedule {
        /// Five fields (minute first) or six (second first), in the dialect that the book describes.
        text: String,
        /// IANA zone name, `UTC` when the file says nothing.
        timezone: String,
    },
    /// At the same distance for ever.
    Every(Duration),
}

impl CronTimes {
    /// The text that a trigger's position depends on: with another one the trigger begins anew.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            // As it was before there were intervals, so that positions of older databases count.
            Self::Schedule { text, timezone } => format!("{text} {timezone}"),
            Self::Every(period) => format!("every {period}"),
        }
    }
}

/// What to do about missed schedule times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Misfire {
    /// Nothing.
    Skip,
    /// One run, for the latest missed time.
    #[default]
    Latest,
    /// One run for each missed time.
    All,
}

/// What happens when a time comes while a run of the same trigger is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Its run starts all the same.
    #[default]
    Allow,
    /// It starts nothing.
    Skip,
    /// Its run starts when the one before has ended.
    Queue,
    /// The run that is under way is cancelled, and its run starts.
    CancelPrevious,
}

/// Settings of a webhook trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTrigger {
    /// The last part of its address: `POST /hooks/NAME`. Unique in the project.
    pub name: String,
    /// How a request proves where it comes from.
    pub signature: HookSignature,
    /// What a body is to the run.
    pub payload: MqttPayload,
    /// The longest body.
    pub max_body: ByteSize,
    /// Whether only CloudEvents are taken.
    pub cloudevents: bool,
}

/// How a request proves where it comes from. Secrets are names in the node's config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookSignature {
    /// It does not: anybody who reaches the node may start runs.
    None,
    /// HMAC-SHA-256 of the body in `X-Hub-Signature-256`.
    Github {
        /// The shared secret.
        secret: String,
    },
    /// HMAC-SHA-256 of time and body in `Stripe-Signature`.
    Stripe {
        /// The shared secret.
        secret: String,
        /// How far the request's time may be from the node's.
        tolerance: Duration,
    },
}

impl HookSignature {
    /// The name of the secret, if there is one.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Github { secret } | Self::Stripe { secret, .. } => Some(secret),
        }
    }
}

/// Settings of an MQTT trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttTrigger {
    /// A name from `[mqtt]` in the node's config.
    pub broker: String,
    /// Which topics, with `+` and `#`.
    pub topic: String,
    /// 0: a message may be lost on the way; 1: it comes at least once.
    pub qos: u8,
    /// What a message is to the run.
    pub payload: MqttPayload,
    /// The longest message.
    pub max_payload: ByteSize,
}

/// What a message, or a webhook's body, is to the run that it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MqttPayload {
    /// A JSON document, `trigger.payload`.
    #[default]
    Json,
    /// An artifact, `trigger.body`.
    Artifact,
}

/// Settings of a trigger on another workflow's runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowTrigger {
    /// The other workflow.
    pub name: String,
    /// Which ends count.
    pub on: Vec<RunEnding>,
}

/// The ends of a run that another workflow can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunEnding {
    /// Every step succeeded or was skipped.
    Succeeded,
    /// A step failed, or the run's time was over.
    Failed,
    /// Somebody cancelled the run.
    Cancelled,
}

/// Settings of a trigger on a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetTrigger {
    /// The dataset's name.
    pub name: String,
}

/// Settings of a trigger on events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTrigger {
    /// The event's name.
    pub name: String,
    /// Which events of that name count: an expression over `event`. All without one.
    pub condition: Option<Arc<Expr>>,
}

/// Settings of a trigger on drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftTrigger {
    /// The model's name, or the dataset's.
    pub name: String,
    /// What counts.
    pub on: Vec<DriftTurn>,
}

/// What becomes of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftTurn {
    /// It begins: what comes in has moved.
    Raised,
    /// It ends: it is back.
    Cleared,
}

impl DriftTurn {
    /// As it is written, also `trigger.drift.turn` of its runs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
        }
    }
}

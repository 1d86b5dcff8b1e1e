//! `triggers` as they are written. The comments on the fields become the JSON Schema's descriptions and the reference
//! page, so they speak to the person who writes the file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::triggers::PollTriggerFile;
use crate::{
    entries::Short,
    triggers::{DriftTurn, Existing, Identity, Misfire, MqttPayload, Overlap, RunEnding},
    units::{ByteSize, Duration},
};

/// What starts a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Trigger")]
pub(crate) enum TriggerFile {
    /// Every new file in a folder starts a run.
    File(FileTriggerFile),
    /// A schedule or an interval starts runs.
    Cron(CronTriggerFile),
    /// Every request to `POST /hooks/NAME` starts a run.
    Webhook(WebhookTriggerFile),
    /// Every message of a broker starts a run.
    Mqtt(MqttTriggerFile),
    /// The end of another workflow's run starts a run.
    Workflow(WorkflowTriggerFile),
    /// A dataset's name: every new version of it starts a run.
    Dataset(String),
    /// Every event of this name starts a run: the name, or a mapping that says more.
    Event(Short<EventTriggerFile>),
    /// An alarm of this model's or dataset's drift starts a run: the name, or a mapping that says more.
    Drift(Short<DriftTriggerFile>),
    /// Every change of something that a server gives starts a run.
    Poll(PollTriggerFile),
}

/// Every new file in a folder starts a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a file trigger: a mapping with `path`")]
#[schemars(rename = "FileTrigger")]
pub(crate) struct FileTriggerFile {
    /// The folder: below the project, or a whole path.
    pub(crate) path: String,
    /// Which files below the folder count, by their path below it: a pattern, or a list of which one must match. `*`
    /// stays inside one folder, `**/` crosses folders.
    #[serde(default = "default_glob")]
    pub(crate) glob: GlobsFile,
    /// Which of them do not count: a pattern or a list. A pattern that ends in `/**` leaves out whole folders.
    #[serde(default)]
    pub(crate) exclude: GlobsFile,
    /// How long a file must stay unchanged before it is taken. A file that is closed after writing or moved in is taken
    /// at once.
    #[serde(default = "default_settle")]
    pub(crate) settle: Duration,
    /// A file that still changes after so long is reported. It is never taken before it has settled.
    #[serde(default = "default_max_wait")]
    pub(crate) max_wait: Duration,
    /// What makes two files the same, also across restarts: the same bytes (`content`), or the same path, size and time
    /// (`stat`).
    #[serde(default)]
    pub(crate) identity: Identity,
    /// What happens with files that were there before the trigger: they start runs (`run`) or not (`ignore`).
    #[serde(default)]
    pub(crate) existing: Existing,
    /// What happens with the file once its run is safely on disk; its bytes are an artifact of the run in every case. It
    /// leaves the folder (`move`, into the folder `to` if there is one), stays and is copied into the folder `to`
    /// (`copy`), or stays (`keep`).
    #[serde(default)]
    pub(crate) claim: ClaimFile,
    /// The folder for `claim: move` and `claim: copy`, below the project or a whole path; made when it is missing.
    pub(crate) to: Option<String>,
    /// Whether several boxes watch this folder (a network share): each file is then taken by one of them. For `claim: move`.
    #[serde(default)]
    pub(crate) shared: bool,
    /// One run for many files: they are gathered and `trigger.files` lists them.
    pub(crate) batch: Option<BatchFile>,
}

/// A pattern, or a list of patterns.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "expected a pattern, or a list of patterns")]
#[schemars(inline)]
pub(crate) enum GlobsFile {
    /// One.
    One(String),
    /// Any number.
    Many(Vec<String>),
}

impl Default for GlobsFile {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// What happens with a file once its run is safely on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Claim")]
pub(crate) enum ClaimFile {
    /// It leaves the folder.
    #[default]
    Move,
    /// It stays, and a copy of it appears in the folder `to`.
    Copy,
    /// It stays.
    Keep,
}

/// One run for many files. It starts when one of the two is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `max_files` and `max_wait`")]
#[schemars(rename = "FileBatch")]
pub(crate) struct BatchFile {
    /// So many files, at most 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) max_files: u32,
    /// So long after the first of them was complete, at most an hour.
    pub(crate) max_wait: Duration,
}

fn default_glob() -> GlobsFile {
    GlobsFile::One("*".to_owned())
}

fn default_settle() -> Duration {
    Duration::from_millis(2_000)
}

fn default_max_wait() -> Duration {
    Duration::from_millis(3_600_000)
}

/// A schedule or an interval starts runs: `schedule` or `every`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a cron trigger: a mapping with `schedule` or `every`")]
#[schemars(rename = "CronTrigger")]
pub(crate) struct CronTriggerFile {
    /// Five fields (minute, hour, day of month, month, day of week), six with seconds first, or a name such as
    /// `@hourly`.
    pub(crate) schedule: Option<String>,
    /// The time from one run to the next, at least a second. The first comes so long after the trigger was new; what runs
    /// take and restarts move nothing.
    pub(crate) every: Option<Duration>,
    /// The IANA time zone of the schedule; UTC when nothing is said.
    pub(crate) timezone: Option<String>,
    /// What happens about times that passed while the box was off: one run for the latest (`latest`), one for each
    /// (`all`) or none (`skip`).
    #[serde(default)]
    pub(crate) misfire: Misfire,
    /// Times that passed longer ago than this are not made up for. Without it, age does not matter.
    pub(crate) misfire_window: Option<Duration>,
    /// How many times `misfire: all` makes up for at most, the latest ones.
    #[serde(default = "default_misfire_max")]
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) misfire_max: u32,
    /// Runs start later than their time, by a part of this that is always the same on one box and differs between boxes.
    pub(crate) jitter: Option<Duration>,
    /// What happens when a time comes while a run of this trigger is under way: its run starts all the same (`allow`),
    /// not at all (`skip`), after that one (`queue`), or that one is cancelled first (`cancel-previous`).
    #[serde(default)]
    pub(crate) overlap: Overlap,
}

fn default_misfire_max() -> u32 {
    100
}

/// Every request to `POST /hooks/NAME` starts a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a webhook trigger: a mapping with `name`")]
#[schemars(rename = "WebhookTrigger")]
pub(crate) struct WebhookTriggerFile {
    /// The last part of its address: lower-case letters, digits and `-`.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"))]
    pub(crate) name: String,
    /// The secret that requests are signed with, a name from `[secrets]` in trackside.toml.
    pub(crate) secret: Option<String>,
    /// How requests are signed: as GitHub does it (`X-Hub-Signature-256`), as Stripe does it (`Stripe-Signature`), or not
    /// at all, which lets anybody who reaches the node start runs.
    #[serde(default)]
    pub(crate) signature: SignatureFile,
    /// How far the time in a Stripe signature may be from the node's; 5 minutes when nothing is said.
    pub(crate) tolerance: Option<Duration>,
    /// What a body is: a JSON document (`trigger.payload`), as itself or in the field `payload` of a form, or bytes of any
    /// kind (`trigger.body`, an artifact).
    #[serde(default)]
    pub(crate) payload: MqttPayload,
    /// The longest body, at most 64MiB.
    #[serde(default = "default_max_body")]
    pub(crate) max_body: ByteSize,
    /// Whether only CloudEvents 1.0 are taken, in structured or binary mode.
    #[serde(default)]
    pub(crate) cloudevents: bool,
}

/// How requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Signature")]
pub(crate) enum SignatureFile {
    /// `X-Hub-Signature-256`.
    #[default]
    Github,
    /// `Stripe-Signature`.
    Stripe,
    /// Not at all.
    None,
}

fn default_max_body() -> ByteSize {
    ByteSize::from_mib(1)
}

/// Every message of a broker starts a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an MQTT trigger: a mapping with `broker` and `topic`")]
#[schemars(rename = "MqttTrigger")]
pub(crate) struct MqttTriggerFile {
    /// The broker: a name from `[mqtt]` in trackside.toml.
    pub(crate) broker: String,
    /// Which topics: `+` stands for one level, `#` at the end for any number.
    pub(crate) topic: String,
    /// 1: a message comes at least once, also when the box was off. 0: it may be lost.
    #[serde(default = "default_qos")]
    #[schemars(range(max = 1))]
    pub(crate) qos: u8,
    /// What a message is: a JSON document (`trigger.payload`), or bytes (`trigger.body`, an artifact).
    #[serde(default)]
    pub(crate) payload: MqttPayload,
    /// The longest message, at most 64MiB.
    #[serde(default = "default_max_body")]
    pub(crate) max_payload: ByteSize,
}

fn default_qos() -> u8 {
    1
}

/// The end of another workflow's run starts a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a workflow trigger: a mapping with `name`")]
#[schemars(rename = "WorkflowTrigger")]
pub(crate) struct WorkflowTriggerFile {
    /// The other workflow.
    pub(crate) name: String,
    /// Which ends of its runs count.
    #[serde(default = "default_on")]
    pub(crate) on: Vec<RunEnding>,
}

fn default_on() -> Vec<RunEnding> {
    vec![RunEnding::Succeeded]
}

/// Every event of this name that a step or a person emits starts a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an event's name, or a mapping with `name`")]
#[schemars(rename = "EventTrigger")]
pub(crate) struct EventTriggerFile {
    /// The event's name.
    pub(crate) name: String,
    /// Which events of that name count, in CEL without `${}`: `event.data` is what the event brought, `event.run`,
    /// `event.workflow` and `event.step` who emitted it. One that the condition fails on does not count.
    #[serde(rename = "where")]
    pub(crate) condition: Option<String>,
}

impl From<String> for EventTriggerFile {
    fn from(name: String) -> Self {
        Self { name, condition: None }
    }
}

/// An alarm of drift starts a run: what a model is asked or answers, or what a table holds, has moved away from its reference.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "the name of a model or a dataset, or a mapping with `name`")]
#[schemars(rename = "DriftTrigger")]
pub(crate) struct DriftTriggerFile {
    /// The name of a model or a dataset.
    pub(crate) name: String,
    /// What counts: an alarm that begins (`raised`), one that ends (`cleared`).
    #[serde(default = "default_turns")]
    pub(crate) on: Vec<DriftTurn>,
}

fn default_turns() -> Vec<DriftTurn> {
    vec![DriftTurn::Raised]
}

impl From<String> for DriftTriggerFile {
    fn from(name: String) -> Self {
        Self { name, on: default_turns() }
    }
}

//! What one attempt of a step left behind.

use trackside_spec::ArtifactRef;

use crate::failure::StepFailure;

/// Everything that one call produced.
///
/// `artifacts`, `state_writes` and `outbox` are empty when the outcome is an error: nothing of a failed step may become
/// visible. Logs, metrics and denials are kept either way.
#[derive(Debug)]
pub struct StepReport {
    /// How it ended.
    pub outcome: Result<Completion, StepFailure>,
    /// Output port and committed artifact, in the order of the commits.
    pub artifacts: Vec<(String, ArtifactRef)>,
    /// Staged state, one entry a key.
    pub state_writes: Vec<StateWrite>,
    /// Effects to carry out after the commit, in order.
    pub outbox: Vec<OutboxEntry>,
    /// What the guest logged, stdout and stderr lines included.
    pub logs: Vec<LogLine>,
    /// Log lines over the limit.
    pub logs_dropped: u64,
    /// Measurements.
    pub metrics: Vec<Metric>,
    /// Spans that the guest opened, in the order of their ends.
    pub spans: Vec<Span>,
    /// The last progress that the guest told.
    pub progress: Option<Progress>,
    /// Every distinct refusal for want of a grant, with the YAML that would grant it.
    pub denials: Vec<String>,
    /// Secrets that left the box, `NAME to ORIGIN`, each once.
    pub secrets: Vec<String>,
    /// Secrets whose values the guest was shown.
    pub reveals: Vec<String>,
    /// What it cost.
    pub usage: CallUsage,
}

/// A good end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The output document: valid JSON within depth and size limits.
    Done(String),
    /// Nothing to do, with the reason.
    Skipped(String),
}

/// Whose state a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateScope {
    /// This step of this workflow.
    Step,
    /// Every step of this workflow.
    Workflow,
}

/// One staged change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWrite {
    /// Whose state.
    pub scope: StateScope,
    /// The key.
    pub key: String,
    /// What becomes of it.
    pub op: StateOp,
    /// What the committed entry must still be when this is committed.
    pub expect: Expect,
}

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateOp {
    /// It holds this value.
    Set {
        /// The value.
        value: Vec<u8>,
        /// How long it lives from the commit on; `None` = until it is deleted.
        ttl_ms: Option<u64>,
    },
    /// It is gone.
    Delete,
}

/// The committed entry that a staged write relies on. It is checked when the guest asks and must be checked again in
/// the transaction that commits the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Any.
    Any,
    /// None at all.
    Absent,
    /// One with this version.
    Version(u64),
}

/// An effect that the host carries out after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxEntry {
    /// Write an artifact below a granted folder.
    Deliver {
        /// What to write.
        artifact: ArtifactRef,
        /// The folder, exactly as the grant names it.
        folder: String,
        /// The path below the folder: relative, `/` between segments, no `.` or `..`, no control characters.
        path: String,
        /// What to do when the file is there.
        present: IfPresent,
    },
    /// Publish a message on a granted topic.
    Publish {
        /// The broker, as the node's config names it.
        channel: String,
        /// The topic: a right one, without wildcards.
        topic: String,
        /// The message.
        payload: Vec<u8>,
        /// Names and values beside it.
        attributes: Vec<(String, String)>,
    },
    /// Emit a granted event.
    Emit {
        /// Its name.
        event: String,
        /// What it brings: JSON of bounded size and depth.
        data: serde_json::Value,
    },
}

/// What to do with a file that is there before a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfPresent {
    /// Fail.
    Refuse,
    /// Leave it and count the delivery as done.
    Keep,
    /// Overwrite it.
    Replace,
    /// Choose the next free name: `a.csv`, `a-1.csv`, …
    Number,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the usual names")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// The lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line. The text is the guest's: escape control characters where it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Milliseconds since the call began.
    pub at_ms: u32,
    /// How much it matters.
    pub level: LogLevel,
    /// The text.
    pub message: String,
    /// Names and values; a line from standard output or error carries `stream`.
    pub attrs: Vec<(String, String)>,
}

/// A measurement that the guest made.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name.
    pub name: String,
    /// Labels.
    pub attrs: Vec<(String, String)>,
    /// Value.
    pub value: MetricValue,
}

/// The kinds of measurement. All numbers are finite.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// The sum of what was added.
    Counter(f64),
    /// The last value.
    Gauge(f64),
    /// The single observations.
    Histogram(Vec<f64>),
}

/// A span that the guest opened; its parent is the step's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Name.
    pub name: String,
    /// Microseconds from the call's begin to the span's.
    pub start_us: u64,
    /// Microseconds from the call's begin to the span's end; a span that was left open ends with the call.
    pub end_us: u64,
    /// Names and values.
    pub attrs: Vec<(String, String)>,
    /// The error that it ended with.
    pub error: Option<String>,
}

/// How far a call was.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// 0 to 1.
    pub fraction: f32,
    /// A few words.
    pub note: String,
}

/// What a call cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallUsage {
    /// Processor time of guest code and of the host code that ran inline for it, in microseconds.
    pub cpu_us: u64,
    /// Wall clock from begin to end, in microseconds.
    pub wall_us: u64,
    /// Calls that the instance had served before this one: 0 for a fresh one.
    pub earlier_calls: u32,
    /// The part of `wall_us` before the first call into the guest.
    pub instantiate_us: u64,
    /// Largest sum of linear memory, in bytes.
    pub memory_peak: u64,
    /// Calls of the contract's own functions.
    pub host_calls: u64,
    /// Bytes that the guest read from artifacts.
    pub artifact_bytes_read: u64,
    /// Bytes written to artifacts, discarded ones included.
    pub artifact_bytes_written: u64,
    /// Instructions that the guest executed, where they are counted.
    pub fuel: Option<u64>,
    /// Length of the input document, in bytes.
    pub input_bytes: u64,
    /// Length of the output document, in bytes.
    pub output_bytes: u64,
    /// Elements of all tables.
    pub table_elements: u64,
    /// Artifacts that the guest committed.
    pub artifacts: u32,
    /// Log lines kept.
    pub log_lines: u64,
    /// Bytes of log text kept.
    pub log_bytes: u64,
    /// State entries that the guest wrote.
    pub state_entries: u64,
    /// Bytes of state that the guest wrote, keys and values.
    pub state_bytes: u64,
    /// Largest sum of live tensors, in bytes.
    pub tensor_peak: u64,
    /// Effects for after the commit.
    pub outbox_entries: u64,
    /// Bytes of HTTP bodies, both directions together.
    pub http_bytes: u64,
    /// HTTP requests that left the box.
    pub http_requests: u32,
    /// Model runs.
    pub model_runs: u32,
}

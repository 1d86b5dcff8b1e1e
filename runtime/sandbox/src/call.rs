//! What a caller hands in for one attempt of a step.

use std::{collections::BTreeMap, time::Duration};

use trackside_spec::{Allow, ArtifactRef, ByteSize, NodeLimits, Policy};
use trackside_sync::CancelToken;

use crate::{
    command::call::CommandCall,
    limiter::{INSTANCES, TABLE_ELEMENTS},
};

const MIB: u64 = 1024 * 1024;

/// One attempt of one step.
#[derive(Clone, Debug)]
pub struct StepCall {
    /// Name of the workflow.
    pub workflow: String,
    /// Id of the run.
    pub run_id: String,
    /// Id of the step in its workflow; messages name it.
    pub step: String,
    /// 1 on the first try.
    pub attempt: u32,
    /// The same for all attempts of one step of one run.
    pub idempotency_key: String,
    /// Scheduled time or event time in Unix milliseconds: what a pure step sees as "now".
    pub logical_time_ms: u64,
    /// `cron`, `file`, `manual`, …
    pub trigger_kind: String,
    /// The trigger's own facts, as text.
    pub trigger: Vec<(String, String)>,
    /// The step's `with:` after its expressions were evaluated. JSON text.
    pub input_json: String,
    /// Artifacts by input port.
    pub inputs: BTreeMap<String, Vec<ArtifactRef>>,
    /// What a WASI command is called with. For a plugin that is none it must be `None`.
    pub command: Option<CommandCall>,
    /// Bounds of this call.
    pub limits: CallLimits,
    /// What the workflow lets the step do beyond computing.
    pub allow: Allow,
    /// What the box permits, whatever `allow` says.
    pub policy: Policy,
    /// What seeded randomness depends on; `None` = run and step.
    pub seed: Option<u64>,
    /// Instructions that the guest may execute. Only a plugin that was loaded with
    /// [`Sandbox::load_counting`](crate::Sandbox::load_counting) can keep to it; for such a plugin `None` means that
    /// they are counted without a bound.
    pub fuel: Option<u64>,
    /// Whether the instance is kept after the call, and may be one that was kept. `None` = a fresh one, for this call
    /// alone. Without meaning for WASI commands.
    pub reuse: Option<Reuse>,
    /// Asks the call to stop. The guest sees it as `context.cancelled`; after [`CallLimits::cancel_grace`] the call is ended
    /// by force.
    pub cancel: CancelToken,
}

impl StepCall {
    /// A first attempt without inputs and without grants; set the fields that you have more for.
    #[must_use]
    pub fn new(workflow: impl Into<String>, run_id: impl Into<String>, step: impl Into<String>) -> Self {
        let (workflow, run_id, step) = (workflow.into(), run_id.into(), step.into());
        let idempotency_key = format!("{run_id}/{step}");
        Self {
            workflow,
            run_id,
            step,
            attempt: 1,
            idempotency_key,
            logical_time_ms: 0,
            trigger_kind: "manual".to_owned(),
            trigger: Vec::new(),
            input_json: "{}".to_owned(),
            inputs: BTreeMap::new(),
            command: None,
            limits: CallLimits::default(),
            allow: Allow::default(),
            policy: Policy::default(),
            seed: None,
            fuel: None,
            reuse: None,
            cancel: CancelToken::new(),
        }
    }
}

/// How long an instance is kept for the calls of the same step of the same workflow, with the same plugin, grants and
/// limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// How many calls it serves, the first included.
    pub runs: u32,
    /// How long it waits for the next one.
    pub idle: Duration,
}

/// Between a cancel and the end by force. No config changes these three.
const CANCEL_GRACE: Duration = Duration::from_secs(2);
/// Length of one message that is published.
const MESSAGE_BYTES: usize = 256 * 1024;
/// Of all messages of a call.
const MESSAGES_BYTES: usize = 4 * 1024 * 1024;

/// Bounds of one call, every number resolved.
///
/// [`Plugin::run`](crate::Plugin::run) cuts values above the ceilings that the sandbox itself needs (a single host call
/// moves at most 8 MiB, for example) down to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Linear memory, summed over all memories of the instance, in bytes.
    pub memory: u64,
    /// Processor time that the call may use. Checked every 10 ms.
    pub cpu: Duration,
    /// Wall clock for everything, waiting in host calls included.
    pub wall: Duration,
    /// Between a cancel and the end by force.
    pub cancel_grace: Duration,
    /// Length of the input document.
    pub input_bytes: usize,
    /// Length of the output document, 8 MiB at most.
    pub output_bytes: usize,
    /// How deep lists and objects may lie inside each other in it.
    pub output_depth: usize,
    /// Log text kept, in bytes, messages and attributes together.
    pub log_bytes: usize,
    /// Log lines kept.
    pub log_lines: usize,
    /// Log lines kept in a second.
    pub log_rate: u32,
    /// Bytes of all artifacts that the call writes.
    pub artifact_bytes: u64,
    /// Artifacts that the call commits.
    pub artifact_count: u32,
    /// Bytes of all state that the call writes, keys and values.
    pub state_bytes: usize,
    /// Length of one state value.
    pub state_value_bytes: usize,
    /// State entries that the call writes.
    pub state_writes: usize,
    /// Bytes of all live tensors of the call.
    pub tensor_bytes: u64,
    /// HTTP requests.
    pub http_requests: u32,
    /// Bytes of one HTTP body, in either direction.
    pub http_body_bytes: u64,
    /// Bytes of all HTTP bodies, both directions together.
    pub http_total_bytes: u64,
    /// Bytes of the headers of one request or response.
    pub http_header_bytes: usize,
    /// The longest wait for the head of a response, and for each next part of its body.
    pub http_timeout: Duration,
    /// Effects for after the commit.
    pub outbox_entries: usize,
    /// Length of one message that is published.
    pub message_bytes: usize,
    /// Bytes of all messages that are published, topics and attributes included.
    pub messages_bytes: usize,
    /// Resources of the host that live at one time.
    pub handles: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Core instances.
    pub instances: usize,
    /// What one host call may move from the guest to the host, in bytes.
    pub host_call_bytes: usize,
}

/// Those of a node whose config says nothing.
impl Default for CallLimits {
    fn default() -> Self {
        Self::from(&NodeLimits::default())
    }
}

impl From<&NodeLimits> for CallLimits {
    fn from(limits: &NodeLimits) -> Self {
        let bytes = |size: ByteSize| usize::try_from(size.as_bytes()).unwrap_or(usize::MAX);
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            memory: limits.memory.as_bytes(),
            cpu: limits.cpu.to_std(),
            wall: limits.wall.to_std(),
            cancel_grace: CANCEL_GRACE,
            input_bytes: bytes(limits.input),
            output_bytes: bytes(limits.output),
            output_depth: count(limits.output_depth),
            log_bytes: bytes(limits.log),
            log_lines: count(limits.log_lines),
            log_rate: limits.log_rate,
            artifact_bytes: limits.artifact.as_bytes(),
            artifact_count: limits.artifacts,
            state_bytes: bytes(limits.state),
            state_value_bytes: bytes(limits.state_value),
            state_writes: count(limits.state_entries),
            tensor_bytes: limits.tensor.as_bytes(),
            http_requests: limits.http_requests,
            http_body_bytes: limits.http_body.as_bytes(),
            http_total_bytes: limits.http_total.as_bytes(),
            http_header_bytes: bytes(limits.http_headers),
            http_timeout: limits.http_timeout.to_std(),
            outbox_entries: count(limits.deliveries),
            message_bytes: MESSAGE_BYTES,
            messages_bytes: MESSAGES_BYTES,
            handles: count(limits.handles),
            table_elements: count(limits.table),
            instances: count(limits.instances),
            host_call_bytes: bytes(limits.host_call),
        }
    }
}

impl CallLimits {
    /// The largest output document that any setting allows.
    pub(crate) const OUTPUT_CEILING: usize = 8 * 1024 * 1024;
    /// Deeper documents would end the JSON parser's own recursion.
    const DEPTH_CEILING: usize = 120;

    /// The same limits, none above what the sandbox itself can bear.
    pub(crate) fn clamped(mut self) -> Self {
        /// A century: later sums of instants cannot overflow.
        const LONG: Duration = Duration::from_secs(100 * 366 * 86_400);
        self.memory = self.memory.min(4096 * MIB);
        self.cpu = self.cpu.min(LONG);
        self.wall = self.wall.min(LONG);
        self.cancel_grace = self.cancel_grace.min(LONG);
        self.output_bytes = self.output_bytes.min(Self::OUTPUT_CEILING);
        self.log_lines = self.log_lines.min(100_000);
        self.log_bytes = self.log_bytes.min(64 * 1024 * 1024);
        self.output_depth = self.output_depth.min(Self::DEPTH_CEILING);
        self.http_timeout = self.http_timeout.clamp(Duration::from_millis(1), LONG);
        // hyper needs room for a line and some headers.
        self.http_header_bytes = self.http_header_bytes.clamp(8 * 1024, 1024 * 1024);
        self.handles = self.handles.min(100_000);
        self.table_elements = self.table_elements.min(TABLE_ELEMENTS);
        self.instances = self.instances.min(INSTANCES);
        self.host_call_bytes = self.host_call_bytes.min(64 * 1024 * 1024);
        self
    }
}

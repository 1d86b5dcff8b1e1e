//! What one call carries: the data of its wasmtime store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use trackside_spec::ArtifactRef;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{
    call::StepCall,
    descriptor::Descriptor,
    files::FileSlots,
    host::{metrics::Metrics, staged::Staged},
    host_api::StepHost,
    limiter::Limiter,
    net::tls::Tls,
    recorder::Recorder,
    report::{OutboxEntry, Usage},
    run::Bounded,
    wasi::{self, SharedRecorder},
};

/// Resources of one call that are alive at once.
pub(crate) const HANDLES: usize = 4_096;
/// Distinct refusals that are kept.
const DENIALS: usize = 100;

/// Whether the guest runs a step or only tells who it is.
#[derive(Clone)]
pub(crate) enum Purpose {
    /// The contract's imports refuse.
    Describe,
    /// A step, with what the plugin said of itself.
    Run(Arc<Descriptor>),
}

/// The data of one store.
pub(crate) struct CallData {
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    pub(crate) limiter: Limiter,
    pub(crate) purpose: Purpose,
    pub(crate) call: StepCall,
    pub(crate) host: Arc<dyn StepHost>,
    pub(crate) begin: Instant,
    pub(crate) recorder: SharedRecorder,
    pub(crate) metrics: Metrics,
    pub(crate) produced: Vec<(String, ArtifactRef)>,
    pub(crate) staged: Staged,
    pub(crate) outbox: Vec<OutboxEntry>,
    pub(crate) denials: Vec<String>,
    pub(crate) usage: Usage,
    pub(crate) files: FileSlots,
    pub(crate) tensors: crate::host::inference::TensorBudget,
    pub(crate) keyed_requests: u32,
    pub(crate) tls: Tls,
}

impl CallData {
    /// `call.limits` must be clamped.
    pub(crate) fn new(purpose: Purpose, call: StepCall, host: Arc<dyn StepHost>, begin: Instant, tls: Tls) -> Self {
        let limits = call.limits;
        let recorder = SharedRecorder::new(Recorder::new(begin, limits.log_bytes, limits.log_lines));
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            table,
            wasi: wasi::context(&call, &host, &recorder),
            limiter: Limiter::new(limits.memory),
            purpose,
            call,
            host,
            begin,
            recorder,
            metrics: Metrics::default(),
            produced: Vec::new(),
            staged: Staged::default(),
            outbox: Vec::new(),
            denials: Vec::new(),
            usage: Usage::default(),
            files: FileSlots::default(),
            tensors: crate::host::inference::TensorBudget::new(limits.tensor_bytes),
            keyed_requests: 0,
            tls,
        }
    }

    /// Counts a call of the contract; traps while the guest only describes itself.
    pub(crate) fn enter(&mut self) -> wasmtime::Result<()> {
        self.usage.host_calls = self.usage.host_calls.saturating_add(1);
        match self.purpose {
            Purpose::Run(_) => Ok(()),
            Purpose::Describe => wasmtime::bail!("`describe` must not call the host: it has no step to act for"),
        }
    }

    /// Whether the guest only describes itself.
    pub(crate) fn describing(&self) -> bool {
        matches!(self.purpose, Purpose::Describe)
    }

    /// What the plugin said of itself, once it has.
    pub(crate) fn descriptor(&self) -> Option<Arc<Descriptor>> {
        match &self.purpose {
            Purpose::Run(descriptor) => Some(descriptor.clone()),
            Purpose::Describe => None,
        }
    }

    /// The wall clock that is left.
    pub(crate) fn remaining(&self) -> Duration {
        self.call.limits.wall.saturating_sub(self.begin.elapsed())
    }

    /// Refuses something for want of a grant: the text for the guest, which is also kept for the report. `grant` is
    /// the content of `allow: { … }`.
    pub(crate) fn deny(&mut self, what: &str, grant: &str) -> String {
        let step = &self.call.step;
        self.keep_denial(format!("step `{step}` may not {what}: add to the step:\n  allow: {{ {grant} }}"))
    }

    /// Refuses something that no grant of this version allows.
    pub(crate) fn deny_always(&mut self, what: &str, why: &str) -> String {
        let step = &self.call.step;
        self.keep_denial(format!("step `{step}` may not {what}: {why}"))
    }

    fn keep_denial(&mut self, text: String) -> String {
        if self.denials.len() < DENIALS && !self.denials.contains(&text) {
            self.denials.push(text.clone());
        }
        text
    }
}

impl Bounded for CallData {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    fn limits_met(&self) -> &Limiter {
        &self.limiter
    }

    fn recorder(&self) -> &SharedRecorder {
        &self.recorder
    }
}

impl WasiView for CallData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A YAML string in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    // A JSON string is a YAML string.
    serde_json::Value::from(text).to_string()
}

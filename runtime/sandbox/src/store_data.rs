//! What one call carries: the data of its wasmtime store.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use trackside_spec::ArtifactRef;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::{
    call::StepCall,
    clocks::Clocks,
    descriptor::Descriptor,
    files::FileSlots,
    grants::decide::{Grants, Refused},
    host::{metrics::Metrics, staged::Staged},
    host_api::StepHost,
    limiter::Limiter,
    net::{
        Net,
        egress::{Denier, Egress},
    },
    nobody::Nobody,
    recorder::Recorder,
    report::{CallUsage, OutboxEntry},
    run::Bounded,
    wasi::{self, SharedRecorder, Streams},
};

/// The handles on an instance's text streams that are not the guest's: three in its WASI context, and ours.
const OWN_STREAMS: usize = 4;

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
    pub(crate) usage: CallUsage,
    pub(crate) files: FileSlots,
    pub(crate) tensors: crate::host::inference::TensorBudget,
    pub(crate) egress: Egress,
    pub(crate) wasi_http: WasiHttpCtx,
    pub(crate) grants: Arc<Grants>,
    denier: Denier,
    streams: Streams,
    pub(crate) clocks: Clocks,
    /// Secrets whose values the guest was shown.
    pub(crate) reveals: BTreeSet<String>,
}

/// What stays with an instance from one call to the next: what its own text streams need, how large it is, and how late
/// its clock is.
struct Kept {
    table: ResourceTable,
    limiter: Limiter,
    recorder: SharedRecorder,
    streams: Streams,
    clocks: Clocks,
}

impl CallData {
    /// `call.limits` must be clamped.
    pub(crate) fn new(purpose: Purpose, call: StepCall, host: Arc<dyn StepHost>, begin: Instant, net: Net) -> Self {
        Self::with(purpose, call, host, begin, net, None)
    }

    /// Makes everything anew for the next call of the same instance, but what stays with it.
    pub(crate) fn renew(
        &mut self,
        purpose: Purpose,
        call: StepCall,
        host: Arc<dyn StepHost>,
        begin: Instant,
        net: Net,
    ) {
        self.recorder.lock().renew(begin, &call.limits);
        let kept = Kept {
            table: std::mem::take(&mut self.table),
            limiter: self.limiter.renewed(&call.limits),
            recorder: self.recorder.clone(),
            streams: self.streams.clone(),
            clocks: self.clocks.clone(),
        };
        *self = Self::with(purpose, call, host, begin, net, Some(kept));
    }

    /// Lets go of the call that has ended: its input, its grants, its host. Gives the size of the instance in bytes.
    pub(crate) fn rest(&mut self) -> u64 {
        let net = self.egress.net();
        let call = StepCall { limits: self.call.limits, ..StepCall::new("", "", "") };
        self.renew(Purpose::Describe, call, Arc::new(Nobody), Instant::now(), net);
        self.limiter.used()
    }

    /// Whether the guest holds nothing of the host but its text streams.
    pub(crate) fn holds_only_streams(&mut self) -> bool {
        self.table.iter_mut().count().saturating_add(OWN_STREAMS) == self.streams.count()
    }

    fn with(
        purpose: Purpose,
        call: StepCall,
        host: Arc<dyn StepHost>,
        begin: Instant,
        net: Net,
        kept: Option<Kept>,
    ) -> Self {
        let limits = call.limits;
        let (mut table, limiter, recorder, streams, earlier) = match kept {
            Some(Kept { table, limiter, recorder, streams, clocks }) => {
                (table, limiter, recorder, streams, Some(clocks))
            }
            None => {
                let recorder = SharedRecorder::new(Recorder::new(begin, &limits));
                (ResourceTable::new(), Limiter::new(&limits), recorder, Streams::default(), None)
            }
        };
        table.set_max_capacity(limits.handles);
        let wants = match &purpose {
            Purpose::Run(descriptor) => Some(descriptor.clone()),
            Purpose::Describe => None,
        };
        let grants = Arc::new(Grants::new(wants, call.allow.clone(), call.policy.clone()));
        let denier = Denier { step: call.step.clone(), grants: grants.clone(), recorder: recorder.clone() };
        let key = call.idempotency_key.clone();
        let egress = Egress::new(&denier, (host.clone(), net), &limits, begin, key);
        let mut wasi_http = WasiHttpCtx::new();
        // Their size in memory, which is a little more than on the wire.
        wasi_http.set_field_size_limit(limits.http_header_bytes.saturating_mul(2));
        let clocks = match &earlier {
            Some(earlier) => earlier.renewed(grants.clock().is_ok(), &call, &host, begin),
            None => Clocks::new(grants.clock().is_ok(), &call, &host, begin),
        };
        let (env, hidden) = grants.env();
        let data = Self {
            table,
            wasi: wasi::context(&call, &grants, &clocks, env, &recorder, &streams),
            limiter,
            purpose,
            call,
            host,
            begin,
            recorder,
            metrics: Metrics::default(),
            produced: Vec::new(),
            staged: Staged::default(),
            outbox: Vec::new(),
            usage: CallUsage::default(),
            files: FileSlots::default(),
            tensors: crate::host::inference::TensorBudget::new(limits.tensor_bytes),
            egress,
            wasi_http,
            grants,
            denier,
            streams,
            clocks,
            reveals: BTreeSet::new(),
        };
        for (name, refused) in hidden {
            data.refuse(&format!("see the variable {}", quoted(&name)), refused);
        }
        data
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

    /// Refuses something for want of a grant: the text for the guest, which is also kept for the report.
    pub(crate) fn refuse(&self, what: &str, refused: Refused) -> String {
        self.denier.refuse(what, refused)
    }

    /// Refuses something that no grant would allow.
    pub(crate) fn deny_always(&self, what: &str, why: &str) -> String {
        self.denier.refuse_always(what, why)
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

    fn fuel(&self) -> Option<u64> {
        self.call.fuel
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

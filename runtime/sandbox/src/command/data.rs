//! What one call of a program carries: the data of its wasmtime store.

use wasmtime_wasi::{WasiCtxView, WasiView, p1::WasiP1Ctx};

use crate::{call::StepCall, limiter::Limiter, run::Bounded, wasi::SharedRecorder};

/// Resources of one call that are alive at once: open files, streams, and what it waits for. Each open file is one of
/// the node's, which has 1,024 by default.
pub(super) const HANDLES: usize = 128;

/// The data of one store. Preview 1 and preview 2 share one WASI context.
pub(crate) struct CommandData {
    pub(super) wasi: WasiP1Ctx,
    limiter: Limiter,
    recorder: SharedRecorder,
    fuel: Option<u64>,
}

impl CommandData {
    /// `call.limits` must be clamped.
    pub(super) fn new(mut wasi: WasiP1Ctx, call: &StepCall, recorder: SharedRecorder) -> Self {
        wasi.ctx().table.set_max_capacity(call.limits.handles.min(HANDLES));
        Self { wasi, limiter: Limiter::new(&call.limits), recorder, fuel: call.fuel }
    }
}

impl WasiView for CommandData {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl Bounded for CommandData {
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
        self.fuel
    }
}

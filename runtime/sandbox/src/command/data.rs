//! What one call of a program carries: the data of its wasmtime store.

use wasmtime_wasi::{WasiCtxView, WasiView, p1::WasiP1Ctx};

use crate::{limiter::Limiter, run::Bounded, wasi::SharedRecorder};

/// Resources of one call that are alive at once: open files, streams, and what it waits for. Each open file is one of
/// the node's, which has 1,024 by default.
pub(super) const HANDLES: usize = 128;

/// The data of one store. Preview 1 and preview 2 share one WASI context.
pub(crate) struct CommandData {
    pub(super) wasi: WasiP1Ctx,
    limiter: Limiter,
    recorder: SharedRecorder,
}

impl CommandData {
    pub(super) fn new(mut wasi: WasiP1Ctx, memory: u64, recorder: SharedRecorder) -> Self {
        wasi.ctx().table.set_max_capacity(HANDLES);
        Self { wasi, limiter: Limiter::new(memory), recorder }
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
}

//! `context`: who the step is, why it runs, how long it has.

use crate::{
    bindings::trackside::plugin::context::{Host, Info},
    store_data::CallData,
};

impl Host for CallData {
    fn get(&mut self) -> wasmtime::Result<Info> {
        self.enter()?;
        let call = &self.call;
        Ok(Info {
            workflow: call.workflow.clone(),
            run_id: call.run_id.clone(),
            step: call.step.clone(),
            attempt: call.attempt,
            idempotency_key: call.idempotency_key.clone(),
            logical_time_unix_ms: call.logical_time_ms,
            trigger_kind: call.trigger_kind.clone(),
            trigger: call.trigger.clone(),
        })
    }

    fn input_json(&mut self) -> wasmtime::Result<String> {
        self.enter()?;
        Ok(self.call.input_json.clone())
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<Option<u64>> {
        self.enter()?;
        Ok(Some(u64::try_from(self.remaining().as_millis()).unwrap_or(u64::MAX)))
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        self.enter()?;
        Ok(self.call.cancel.is_cancelled())
    }
}

//! `outbox`: effects that the host carries out after the step's result is committed.

use wasmtime::component::Resource;

use super::artifacts::Artifact;
use crate::{
    bindings::trackside::plugin::outbox::{Host, IfPresent, OutboxError},
    grants::deliver::{self, Refusal},
    report::{self, OutboxEntry},
    store_data::{CallData, quoted},
};

/// Effects of one call.
const ENTRIES: usize = 1_000;

impl Host for CallData {
    fn deliver(
        &mut self,
        src: Resource<Artifact>,
        path: String,
        present: IfPresent,
    ) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let artifact = self.table.get(&src)?.reference.clone();
        let target = match deliver::resolve(&self.call.allow.deliver, &path) {
            Ok(target) => target,
            Err(Refusal::BadPath(reason)) => return Ok(Err(OutboxError::BadRequest(reason))),
            Err(Refusal::NotGranted { folder }) => {
                let shown = quoted(&path.chars().take(200).collect::<String>());
                let text = self.deny(&format!("deliver to {shown}"), &format!("deliver: [{}]", quoted(&folder)));
                return Ok(Err(OutboxError::Denied(text)));
            }
        };
        if self.outbox.len() == ENTRIES {
            return Ok(Err(OutboxError::QuotaExceeded(format!("a step has at most {ENTRIES} effects"))));
        }
        let present = match present {
            IfPresent::Refuse => report::IfPresent::Refuse,
            IfPresent::Keep => report::IfPresent::Keep,
            IfPresent::Replace => report::IfPresent::Replace,
            IfPresent::Number => report::IfPresent::Number,
        };
        self.outbox.push(OutboxEntry::Deliver { artifact, folder: target.folder, path: target.path, present });
        Ok(Ok(()))
    }

    fn publish(
        &mut self,
        channel: String,
        _topic: String,
        _payload: Vec<u8>,
        _attrs: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let what = format!("publish on channel {}", quoted(&channel.chars().take(200).collect::<String>()));
        Ok(Err(OutboxError::Denied(self.deny_always(&what, "this version of Trackside has no channels"))))
    }

    fn emit(&mut self, event: String, _data_json: String) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let what = format!("emit the event {}", quoted(&event.chars().take(200).collect::<String>()));
        Ok(Err(OutboxError::Denied(self.deny_always(&what, "this version of Trackside has no events"))))
    }
}

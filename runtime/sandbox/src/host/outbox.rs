//! `outbox`: effects that the host carries out after the step's result is committed.

use trackside_spec::topic::topic_problem;
use wasmtime::component::Resource;

use super::artifacts::Artifact;
use crate::{
    bindings::trackside::plugin::outbox::{Host, IfPresent, OutboxError},
    report::{self, OutboxEntry},
    store_data::{CallData, quoted},
};

impl Host for CallData {
    fn deliver(
        &mut self,
        src: Resource<Artifact>,
        path: String,
        present: IfPresent,
    ) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let artifact = self.table.get(&src)?.reference.clone();
        let target = match self.grants.deliver(&path) {
            Ok(Ok(target)) => target,
            Err(reason) => return Ok(Err(OutboxError::BadRequest(reason))),
            Ok(Err(refused)) => {
                let shown = quoted(&path.chars().take(200).collect::<String>());
                return Ok(Err(OutboxError::Denied(self.refuse(&format!("deliver to {shown}"), refused))));
            }
        };
        let limit = self.call.limits.outbox_entries;
        if self.outbox.len() >= limit {
            return Ok(Err(OutboxError::QuotaExceeded(format!("a step has at most {limit} effects"))));
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
        _channel: String,
        topic: String,
        _payload: Vec<u8>,
        _attrs: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let shown = quoted(&topic.chars().take(200).collect::<String>());
        if let Some(problem) = topic_problem(&topic) {
            return Ok(Err(OutboxError::BadRequest(format!("{shown} is no topic: {problem}"))));
        }
        let what = format!("publish on {shown}");
        let text = match self.grants.publish(&topic) {
            Err(refused) => self.refuse(&what, refused),
            Ok(()) => self.deny_always(&what, "no broker is configured"),
        };
        Ok(Err(OutboxError::Denied(text)))
    }

    fn emit(&mut self, event: String, _data_json: String) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let what = format!("emit the event {}", quoted(&event.chars().take(200).collect::<String>()));
        Ok(Err(OutboxError::Denied(self.deny_always(&what, "this version of Trackside has no events"))))
    }
}

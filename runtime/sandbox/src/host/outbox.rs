//! `outbox`: effects that the host carries out after the step's result is committed.

use trackside_spec::{MAX_EVENT, read_outside, topic::topic_problem};
use wasmtime::component::Resource;

use super::artifacts::Artifact;
use crate::{
    bindings::trackside::plugin::outbox::{Host, IfPresent, OutboxError},
    grants::decide::Undeliverable,
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
            Ok(target) => target,
            Err(Undeliverable::BadPath(reason)) => return Ok(Err(OutboxError::BadRequest(reason))),
            Err(Undeliverable::Refused(refused)) => {
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
        channel: String,
        topic: String,
        payload: Vec<u8>,
        attrs: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let shown = quoted(&topic.chars().take(200).collect::<String>());
        if let Some(problem) = topic_problem(&topic) {
            return Ok(Err(OutboxError::BadRequest(format!("{shown} is no topic: {problem}"))));
        }
        if topic.starts_with('$') {
            return Ok(Err(OutboxError::BadRequest(format!("{shown} is a topic of the broker's own"))));
        }
        if let Some(problem) = attributes_problem(&attrs) {
            return Ok(Err(OutboxError::BadRequest(problem)));
        }
        let what = format!("publish on {shown}");
        if let Err(refused) = self.grants.publish(&topic) {
            return Ok(Err(OutboxError::Denied(self.refuse(&what, refused))));
        }
        if !self.host.has_channel(&channel) {
            let name = quoted(&channel.chars().take(200).collect::<String>());
            let why = format!("no broker {name} is configured ([mqtt.NAME] in trackside.toml)");
            return Ok(Err(OutboxError::Denied(self.deny_always(&what, &why))));
        }
        let limits = self.call.limits;
        if self.outbox.len() >= limits.outbox_entries {
            let message = format!("a step has at most {} effects", limits.outbox_entries);
            return Ok(Err(OutboxError::QuotaExceeded(message)));
        }
        if payload.len() > limits.message_bytes {
            let message = format!("the message has {} bytes; the limit is {}", payload.len(), limits.message_bytes);
            return Ok(Err(OutboxError::QuotaExceeded(message)));
        }
        let size = message_size(&topic, &payload, &attrs);
        let earlier: usize = self.outbox.iter().map(entry_size).sum();
        if earlier.saturating_add(size) > limits.messages_bytes {
            let message = format!("a step publishes at most {} bytes", limits.messages_bytes);
            return Ok(Err(OutboxError::QuotaExceeded(message)));
        }
        self.outbox.push(OutboxEntry::Publish { channel, topic, payload, attributes: attrs });
        Ok(Ok(()))
    }

    fn emit(&mut self, event: String, data_json: String) -> wasmtime::Result<Result<(), OutboxError>> {
        self.enter()?;
        let what = format!("emit the event {}", quoted(&event.chars().take(200).collect::<String>()));
        if let Err(refused) = self.grants.emit(&event) {
            return Ok(Err(OutboxError::Denied(self.refuse(&what, refused))));
        }
        let limit = self.call.limits.outbox_entries;
        if self.outbox.len() >= limit {
            return Ok(Err(OutboxError::QuotaExceeded(format!("a step has at most {limit} effects"))));
        }
        if data_json.len() > MAX_EVENT {
            let message = format!("the event's data has {} bytes; the limit is {MAX_EVENT}", data_json.len());
            return Ok(Err(OutboxError::QuotaExceeded(message)));
        }
        match read_outside(data_json.as_bytes()) {
            Ok(data) => self.outbox.push(OutboxEntry::Emit { event, data }),
            Err(error) => return Ok(Err(OutboxError::BadRequest(format!("the event's data is no JSON: {error}")))),
        }
        Ok(Ok(()))
    }
}

/// Attributes of one message.
const MAX_ATTRIBUTES: usize = 32;
/// Bytes of an attribute's name, and of its value.
const MAX_ATTRIBUTE: usize = 1024;

fn attributes_problem(attrs: &[(String, String)]) -> Option<String> {
    if attrs.len() > MAX_ATTRIBUTES {
        return Some(format!("a message has at most {MAX_ATTRIBUTES} attributes"));
    }
    let bad = |text: &String| text.len() > MAX_ATTRIBUTE || text.chars().any(char::is_control);
    let (name, _) = attrs.iter().find(|(name, value)| name.is_empty() || bad(name) || bad(value))?;
    let shown = quoted(&name.chars().take(50).collect::<String>());
    Some(format!(
        "the attribute {shown} is empty, contains a control character or is longer than {MAX_ATTRIBUTE} bytes"
    ))
}

fn message_size(topic: &str, payload: &[u8], attrs: &[(String, String)]) -> usize {
    topic.len() + payload.len() + attrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

fn entry_size(entry: &OutboxEntry) -> usize {
    match entry {
        OutboxEntry::Deliver { .. } | OutboxEntry::Emit { .. } => 0,
        OutboxEntry::Publish { topic, payload, attributes, .. } => message_size(topic, payload, attributes),
    }
}

//! How much the box takes on: so many runs, and so much of what they hold in memory.

use serde_json::Value;
use trackside_engine::{Event, RunId};

use super::dispatch::Core;

/// How long nothing more is said of a full house.
const TELL_AGAIN_MS: i64 = 600_000;

impl Core {
    /// Whether what comes now has to wait until something is over.
    ///
    /// Two kinds of runs do not ask. A child: its parent holds a place until it ends, and would wait for itself. A follower: it is
    /// in the transaction of what it follows, and nobody would offer it again.
    pub(super) fn is_full(&self) -> bool {
        self.degraded || self.runs.len() >= self.settings.max_runs || self.held >= self.settings.max_documents
    }

    /// Says that there is no room, once in a while: in a storm of files there is a place free every moment, and none the next.
    pub(super) fn tell_room(&mut self, now_ms: i64) {
        let is_told = self.told_full_ms.is_some_and(|told| (0..TELL_AGAIN_MS).contains(&now_ms.saturating_sub(told)));
        if self.is_full() && !self.degraded && !is_told {
            self.told_full_ms = Some(now_ms);
            let (runs, mib) = (self.runs.len(), self.held >> 20);
            tracing::warn!(runs, mib, "[TS-0629] no room for more runs: what comes now waits until one is over");
        }
    }

    /// Counts what these events add to what a run holds.
    pub(super) fn hold(&mut self, run: RunId, events: &[Event]) {
        let bytes = events.iter().map(held_by).sum();
        self.hold_bytes(run, bytes);
    }

    /// Counts bytes that a run holds from now on until it is settled.
    pub(super) fn hold_bytes(&mut self, run: RunId, bytes: usize) {
        let Some(live) = self.runs.get_mut(&run) else { return };
        live.held += bytes;
        self.held += bytes;
    }
}

fn held_by(event: &Event) -> usize {
    match event {
        Event::Started { params, trigger, .. } => weight(params) + weight(trigger.as_json()),
        Event::StepSucceeded { output, .. } | Event::StepTaken { output, .. } => weight(output),
        _ => 0,
    }
}

/// What a document takes in memory, bytes: its values, their texts and names.
pub(super) fn weight(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        // Beside the value a name, a hash and a place in the index.
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + size_of::<(String, u64, usize)>() + weight(member)).sum()
        }
    };
    size_of::<Value>() + inside
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_weighs_what_its_values_take_and_not_what_its_text_takes() {
        let text = format!("[{}1]", "1,".repeat(999));
        let numbers: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(weight(&numbers), 1001 * size_of::<Value>());
        assert!(weight(&numbers) >= text.len() * 12);
        assert_eq!(weight(&json!("x".repeat(1000))), 1000 + size_of::<Value>());
        assert!(weight(&json!({ "name": null })) > 2 * size_of::<Value>() + 4);
    }
}

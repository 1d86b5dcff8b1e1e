//! How the events of one entry of the journal stand on disk: a JSON array in its packed form.
//!
//! The start of a run, which most entries of a busy box are, is written without what it says twice: its trigger's document has
//! the run's logical time as a text and as a number, and the event has it once more. Under `from` the document stands without
//! them. Entries of before have it whole, under `trigger`.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value;
use trackside_facts::{Entry, EntryError};

use crate::event::{Event, Parent};

/// The beginning of an entry whose start has a document without its times.
const SHORT: &str = "[{\"event\":\"started\",\"from\":";
/// The same in the packed form.
static SHORT_PACKED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let Entry::Packed(mut bytes) = Entry::of(&[Short { event: STARTED, from: (), rest: None }]) else {
        return Vec::new();
    };
    // Without the null and two ends.
    bytes.truncate(bytes.len().saturating_sub(3));
    bytes
});

const STARTED: &str = "started";

/// The start of a run, without what it says twice.
#[derive(Serialize)]
struct Short<'a, T> {
    event: &'static str,
    from: T,
    #[serde(flatten)]
    rest: Option<Rest<'a>>,
}

#[derive(Serialize)]
struct Rest<'a> {
    params: &'a Value,
    logical_time_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: &'a Option<Parent>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a, T> {
    Start(Short<'a, T>),
    Other(&'a Event),
}

/// An entry of these events.
#[must_use]
pub fn to_entry(events: &[Event]) -> Entry {
    let Some((Event::Started { params, trigger, logical_time_ms, parent }, others)) = events.split_first() else {
        return Entry::of(events);
    };
    let Some(from) = trigger.without_times(*logical_time_ms) else { return Entry::of(events) };
    let rest = Some(Rest { params, logical_time_ms: *logical_time_ms, parent });
    let start = Written::Start(Short { event: STARTED, from, rest });
    let written: Vec<_> = std::iter::once(start).chain(others.iter().map(Written::Other)).collect();
    Entry::of(&written)
}

/// The events of an entry, of this version or of one before.
///
/// # Errors
/// When it is damaged.
pub fn from_entry(entry: &Entry) -> Result<Vec<Event>, EntryError> {
    let mut events: Vec<Event> = entry.read()?;
    let is_short = match entry {
        Entry::Json(text) => text.starts_with(SHORT),
        Entry::Packed(bytes) => bytes.starts_with(&SHORT_PACKED),
    };
    if is_short && let Some(Event::Started { trigger, logical_time_ms, .. }) = events.first_mut() {
        trigger.put_times(*logical_time_ms);
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_facts::{Cause, TriggerDocument};

    use super::*;
    use crate::{event::Parent, id::RunId};
    use trackside_spec::StepIndex;

    const THEN: i64 = 1_780_000_000_123;

    fn started(trigger: TriggerDocument, logical_time_ms: i64, parent: Option<Parent>) -> Event {
        Event::Started { params: json!({ "n": 1 }), trigger, logical_time_ms, parent }
    }

    #[test]
    fn a_start_is_written_without_what_it_says_twice_and_read_whole() {
        let parent = Parent { run: RunId::from_i64(7), step: StepIndex(0), item: None, attempt: 1, depth: 1 };
        let trigger = TriggerDocument::new("w/cron-0", THEN, Cause::Cron { missed: 2 });
        let next = Event::Queued { group: "g".into() };
        for events in [
            vec![started(trigger.clone(), THEN, None)],
            vec![started(trigger.clone(), THEN, Some(parent)), next.clone(), next],
        ] {
            let entry = to_entry(&events);
            assert!(entry.bytes() + 30 < Entry::of(&events).bytes(), "{entry:?}");
            let read = from_entry(&entry).unwrap();
            assert_eq!(from_entry(&Entry::Json(entry.to_json().unwrap())).unwrap(), events, "as JSON, too");
            assert_eq!(read, events);
            // Also the order of what a reader of the API sees.
            assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&events).unwrap());
        }
        // Kept for years.
        assert_eq!(
            to_entry(&[started(trigger, THEN, None)]).to_json().unwrap(),
            r#"[{"event":"started","from":{"kind":"cron","id":"w/cron-0","scheduled":"2026-05-28T20:26:40.123Z","missed":2},"params":{"n":1},"logical_time_ms":1780000000123}]"#
        );
    }

    #[test]
    fn other_documents_and_entries_of_before_are_as_they_were() {
        let of_no_version = TriggerDocument::from_json(json!({ "kind": "manual", "id": "w/manual" }));
        let of_another_time = TriggerDocument::new("w/cron-0", THEN + 1, Cause::Cron { missed: 0 });
        let mut in_other_order = json!({ "logical_time_ms": THEN, "kind": "cron" });
        in_other_order["logical_time"] = "2026-05-28T20:26:40.123Z".into();
        let damaged =
            TriggerDocument::from_json(json!({ "kind": "x", "id": 1, "logical_time": "?", "logical_time_ms": THEN }));
        for trigger in [of_no_version, of_another_time, TriggerDocument::from_json(in_other_order), damaged] {
            let events = [started(trigger, THEN, None)];
            let entry = to_entry(&events);
            assert_eq!(entry.to_json().unwrap(), serde_json::to_string(&events).unwrap());
            assert_eq!(from_entry(&entry).unwrap(), events);
        }
        assert_eq!(to_entry(&[]).to_json().unwrap(), "[]");
        assert!(from_entry(&Entry::Json(SHORT.to_owned())).is_err());
        assert!(from_entry(&Entry::Packed(SHORT_PACKED.clone())).is_err());
    }
}

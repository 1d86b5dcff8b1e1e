//! How the events of one entry of the journal stand on disk: a JSON array.
//!
//! The start of a run, which most entries of a busy box are, is written without what it says twice: its trigger's document has
//! the run's logical time as a text and as a number, and the event has it once more. Under `from` the document stands without
//! them. Entries of before have it whole, under `trigger`.

use serde::Serialize;

use crate::event::Event;

/// The beginning of an entry whose start has a document without its times.
const SHORT: &str = "[{\"event\":\"started\",\"from\":";

/// An entry's text.
///
/// # Errors
/// Never: events hold JSON values and texts only.
pub fn to_entry(events: &[Event]) -> serde_json::Result<String> {
    let Some((Event::Started { params, trigger, logical_time_ms, parent }, rest)) = events.split_first() else {
        return serde_json::to_string(events);
    };
    let Some(short) = trigger.without_times(*logical_time_ms) else { return serde_json::to_string(events) };
    let mut text = SHORT.as_bytes().to_vec();
    serde_json::to_writer(&mut text, &short)?;
    write(&mut text, ",\"params\":", params)?;
    write(&mut text, ",\"logical_time_ms\":", logical_time_ms)?;
    if let Some(parent) = parent {
        write(&mut text, ",\"parent\":", parent)?;
    }
    text.push(b'}');
    for event in rest {
        write(&mut text, ",", event)?;
    }
    text.push(b']');
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}

fn write(text: &mut Vec<u8>, before: &str, value: &impl Serialize) -> serde_json::Result<()> {
    text.extend_from_slice(before.as_bytes());
    serde_json::to_writer(text, value)
}

/// The events of an entry's text, of this version or of one before.
///
/// # Errors
/// When it is damaged.
pub fn from_entry(text: &str) -> serde_json::Result<Vec<Event>> {
    let mut events: Vec<Event> = serde_json::from_str(text)?;
    if text.starts_with(SHORT)
        && let Some(Event::Started { trigger, logical_time_ms, .. }) = events.first_mut()
    {
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
            let text = to_entry(&events).unwrap();
            assert!(text.len() + 70 < serde_json::to_string(&events).unwrap().len(), "{text}");
            let read = from_entry(&text).unwrap();
            assert_eq!(read, events);
            // Also the order of what a reader of the API sees.
            assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&events).unwrap());
        }
        // Kept for years.
        assert_eq!(
            to_entry(&[started(trigger, THEN, None)]).unwrap(),
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
            let text = to_entry(&events).unwrap();
            assert_eq!(text, serde_json::to_string(&events).unwrap());
            assert_eq!(from_entry(&text).unwrap(), events);
        }
        assert_eq!(to_entry(&[]).unwrap(), "[]");
        assert!(from_entry("[{\"event\":\"started\",\"from\":").is_err());
    }
}

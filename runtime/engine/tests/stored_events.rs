//! The JSON form of events is kept for years: what an older version wrote is read, and written the same.

use serde_json::Value;
use trackside_engine::{Event, EventAt};
use trackside_spec::StepIndex;

/// Of the first version, and of those that came after it at the end. Lines are added here, never changed.
const STORED: &str = include_str!("stored_events.jsonl");

#[test]
fn events_that_were_stored_are_read_and_written_the_same() {
    for line in STORED.trim().lines() {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}

#[test]
fn the_head_of_an_event_is_what_its_json_says() {
    for line in STORED.trim().lines() {
        let event: Event = serde_json::from_str(line).unwrap();
        let value: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| value[key].as_u64().map(|number| u32::try_from(number).unwrap());
        let step = number("step").map(|step| StepIndex(u16::try_from(step).unwrap()));
        let told = step.map(|step| EventAt { step, item: number("item"), attempt: number("attempt") });
        assert_eq!(event.about(), told, "{line}");
    }
}

#[test]
fn there_is_a_stored_event_of_every_kind() {
    let refused = serde_json::from_str::<Event>(r#"{"event":"no-such-event"}"#).unwrap_err().to_string();
    let (_, kinds) = refused.split_once("expected one of ").unwrap();
    for kind in kinds.split('`').skip(1).step_by(2) {
        assert!(STORED.contains(&format!("{{\"event\":\"{kind}\"")), "{kind}");
    }
    assert!(kinds.contains("`ended`"), "{kinds}");
}

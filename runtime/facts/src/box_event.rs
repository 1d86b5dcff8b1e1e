//! Events of the box's own: what a step or a person emits, and what triggers and waits are set off by.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event, as expressions see it under `event` and `trigger.event`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxEvent {
    /// Its name.
    pub name: String,
    /// What it brought.
    #[serde(default)]
    pub data: Value,
    /// When it was emitted, milliseconds since 1970.
    pub at: i64,
    /// The run that emitted it; null when that was a person.
    #[serde(default)]
    pub run: Option<String>,
    /// That run's workflow.
    #[serde(default)]
    pub workflow: Option<String>,
    /// Its step.
    #[serde(default)]
    pub step: Option<String>,
}

impl BoxEvent {
    /// As expressions see it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "name": self.name,
            "data": self.data,
            "at": self.at,
            "run": self.run,
            "workflow": self.workflow,
            "step": self.step,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_on_disk_as_expressions_see_it() {
        let text = r#"{"name":"batch-done","data":{"n":1},"at":7,"run":"0r","workflow":"w","step":"s"}"#;
        let event: BoxEvent = serde_json::from_str(text).unwrap();
        assert_eq!(
            (serde_json::to_string(&event).unwrap().as_str(), event.to_json()),
            (text, serde_json::from_str(text).unwrap())
        );
    }
}

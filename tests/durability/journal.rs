//! What a run's journal says about its steps.

use serde_json::Value;

use crate::support::{Node, Project, project::step};

/// How often something happened to a step.
#[track_caller]
pub fn times(events: &[Value], step: &str, event: &str) -> usize {
    events.iter().filter(|one| one["step_id"] == step && one["event"] == event).count()
}

/// The run must have succeeded, every step with exactly one success; the interrupted step, and no other, was started
/// again.
#[track_caller]
pub fn only_this_step_was_repeated(project: &Project, node: &Node, run: &str, interrupted: &str) {
    let view = project.wait_end(run);
    assert_eq!(view["state"], "succeeded", "{view:#}");
    let events = node.events(run);
    for one in view["steps"].as_array().unwrap() {
        let id = one["id"].as_str().unwrap();
        assert_eq!(one["state"], "succeeded", "{view:#}");
        assert_eq!(times(&events, id, "step-succeeded"), 1, "results of {id}: {events:#?}");
        let starts = if id == interrupted { 2 } else { 1 };
        assert_eq!(times(&events, id, "step-started"), starts, "starts of {id}: {events:#?}");
        assert_eq!(times(&events, id, "step-interrupted"), starts - 1, "interruptions of {id}: {events:#?}");
    }
    let again = step(&view, interrupted);
    assert_eq!(again["attempts"], 2, "{view:#}");
    assert_eq!(again["earlier"], serde_json::json!([{ "attempt": 1, "error": null }]), "{view:#}");
}

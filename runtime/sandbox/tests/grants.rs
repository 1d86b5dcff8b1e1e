//! What was not granted is refused in words that tell how to grant it, and is recorded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic, its helpers too")]

mod support;

use std::sync::Arc;

use support::{TestHost, call, call_with, failure, output, run, run_on};
use trackside_sandbox::{Expect, OutboxEntry, Outcome, StateEntry, StateOp, StateScope};

/// Runs a mode without grants and returns the one refusal.
fn refusal(input: serde_json::Value) -> String {
    let report = run(call_with(input));
    let (_, message) = failure(&report);
    assert_eq!(report.denials.len(), 1, "{:?}", report.denials);
    let first = report.denials[0].lines().next().unwrap();
    assert!(message.contains(first), "the guest's error does not carry the refusal: {message}");
    report.denials[0].clone()
}

#[test]
fn an_ungranted_request_prints_the_grant() {
    let text = refusal(serde_json::json!({ "mode": "http", "target": "https://Hooks.example.org/pump?x=1" }));
    assert_eq!(
        text,
        "step `alert` may not GET to https://hooks.example.org: add to the step:\n  \
         allow: { http: [\"https://hooks.example.org\"] }"
    );
}

#[test]
fn an_ungranted_model_prints_the_grant() {
    let text = refusal(serde_json::json!({ "mode": "model", "target": "pump-anomaly" }));
    assert!(text.ends_with("allow: { models: [\"pump-anomaly\"] }"), "{text}");
}

#[test]
fn ungranted_state_prints_the_grant() {
    assert!(refusal(serde_json::json!({ "mode": "state" })).ends_with("allow: { state: true }"));
}

#[test]
fn an_ungranted_folder_prints_the_grant() {
    let text = refusal(serde_json::json!({ "mode": "deliver", "target": "reports/2026/a.txt" }));
    assert!(text.ends_with("allow: { deliver: [\"reports/2026\"] }"), "{text}");
}

#[test]
fn a_granted_delivery_is_staged_and_not_done() {
    let mut call = call("deliver");
    call.allow.deliver = vec!["out".to_owned()];
    let report = run(call);
    output(&report);
    let [OutboxEntry::Deliver { folder, path, artifact, .. }] = report.outbox.as_slice() else {
        panic!("{:?}", report.outbox)
    };
    assert_eq!((folder.as_str(), path.as_str()), ("out", "misbehave.txt"));
    assert_eq!(report.artifacts, [("out".to_owned(), artifact.clone())]);
}

#[test]
fn a_delivery_cannot_climb_out_of_its_folder() {
    let mut call = call("deliver-outside");
    call.allow.deliver = vec!["out".to_owned()];
    let report = run(call);
    assert!(failure(&report).1.contains(".."), "{:?}", report.outcome);
}

#[test]
fn effects_of_a_failed_step_are_dropped() {
    let mut failing = call("deliver-then-fail");
    failing.allow.deliver = vec!["out".to_owned()];
    assert_eq!(failure(&run(failing)).0, "as-asked");
    let mut failing = call("set-then-fail");
    failing.allow.state = true;
    assert_eq!(failure(&run(failing)).0, "as-asked");
}

#[test]
fn state_is_read_from_the_host_and_written_to_the_report() {
    let host = Arc::new(TestHost::new());
    let key = (StateScope::Workflow, "count".to_owned());
    host.state.lock().unwrap().insert(key, StateEntry { value: b"41".to_vec(), version: 7 });
    let mut call = call("count");
    call.allow.state = true;
    let report = run_on(call, host.clone());
    assert_eq!(output(&report)["count"], 42);
    let [write] = report.state_writes.as_slice() else { panic!("{:?}", report.state_writes) };
    assert_eq!((write.scope, write.key.as_str()), (StateScope::Workflow, "count"));
    assert_eq!(write.op, StateOp::Set { value: b"42".to_vec(), ttl_ms: None });
    assert_eq!(write.expect, Expect::Version(7));
    // Committing is the node's business.
    assert_eq!(host.state.lock().unwrap().values().next().unwrap().version, 7);
}

#[test]
fn a_granted_model_is_opened_through_the_host() {
    let mut call = call("model");
    call.allow.models = vec!["ungranted".to_owned()];
    let info =
        trackside_sandbox::ModelInfo { digest: "sha256:abc".into(), inputs: vec![], outputs: vec![], metadata: vec![] };
    let host = TestHost { model: Some(Arc::new(support::Identity(info))), ..TestHost::new() };
    assert_eq!(output(&run_on(call, Arc::new(host)))["digest"], "sha256:abc");
}

#[test]
fn a_skipped_step_gives_its_reason() {
    let report = run(call("skip"));
    assert_eq!(report.outcome.unwrap(), Outcome::Skipped("asked to".to_owned()));
}

#[test]
fn a_step_without_effects_sees_logical_time_and_repeatable_randomness() {
    let look = |key: &str| {
        let mut call = call("clock");
        call.logical_time_ms = 1_700_000_000_000;
        call.idempotency_key = key.to_owned();
        output(&run(call))
    };
    let (first, again, other) = (look("a"), look("a"), look("b"));
    assert_eq!(first["unix_ms"], 1_700_000_000_000_u64);
    assert_eq!(first["random"], again["random"]);
    assert_ne!(first["random"], other["random"]);
}

#[test]
fn a_step_with_effects_sees_the_hosts_clock() {
    let mut call = call("clock");
    call.allow.http = vec!["https://a.example".to_owned()];
    let host = TestHost { now_ms: 1_800_000_000_123, ..TestHost::new() };
    assert_eq!(output(&run_on(call, Arc::new(host)))["unix_ms"], 1_800_000_000_123_u64);
}

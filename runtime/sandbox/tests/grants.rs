//! What was not granted is refused in words that tell how to grant it, and is recorded.

use std::sync::Arc;

use crate::support::{self, TestHost, call, call_with, failure, output, run, run_on};
use trackside_sandbox::{Completion, Expect, OutboxEntry, StateEntry, StateOp, StateScope};
use trackside_spec::{HttpGrant, Policy};

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
    let info = trackside_sandbox::ModelSignature {
        digest: "sha256:abc".into(),
        inputs: vec![],
        outputs: vec![],
        metadata: vec![],
    };
    let host = TestHost { model: Some(Arc::new(support::Identity(info))), ..TestHost::new() };
    assert_eq!(output(&run_on(call, Arc::new(host)))["digest"], "sha256:abc");
}

#[test]
fn what_a_plugin_never_asked_for_is_refused_whatever_the_workflow_says() {
    let bench = support::Bench::new();
    let echo = bench.sandbox.load(&support::guest("http-request.wasm"), "http-request").unwrap();
    let mut call = call_with(serde_json::json!({ "url": "https://a.example/" }));
    call.allow.env = [("TZ".to_owned(), "Europe/Paris".to_owned())].into();
    let report = support::runtime().block_on(echo.run(call, Arc::new(TestHost::new())));
    let text = report.denials.iter().find(|text| text.contains("TZ")).unwrap();
    assert!(text.contains("`http-request` does not ask for that") && text.contains("`env`"), "{text}");
}

#[test]
fn the_box_has_the_last_word() {
    let refused = |mode: &str, policy: Policy, prepare: &dyn Fn(&mut trackside_sandbox::StepCall)| {
        let mut call = call(mode);
        prepare(&mut call);
        call.policy = policy;
        let report = run(call);
        failure(&report);
        let [text] = report.denials.as_slice() else { panic!("{:?}", report.denials) };
        assert!(text.contains("this box does not permit it") && text.contains("[policy] "), "{text}");
        text.clone()
    };
    let origin = HttpGrant::parse("https://ungranted.example.org").unwrap();
    let text = refused("http", Policy { http: Some(vec![]), ..Policy::default() }, &|call| {
        call.allow.http = vec![origin.clone()];
    });
    assert!(text.contains("[policy] http"), "{text}");
    refused("count", Policy { state: Some(false), ..Policy::default() }, &|call| call.allow.state = true);
    refused("model", Policy { models: Some(vec![]), ..Policy::default() }, &|call| {
        call.allow.models = vec!["ungranted".to_owned()];
    });
    refused("deliver", Policy { deliver: Some(vec!["elsewhere".into()]), ..Policy::default() }, &|call| {
        call.allow.deliver = vec!["out".to_owned()];
    });
    refused("publish", Policy { publish: Some(vec!["other/#".into()]), ..Policy::default() }, &|call| {
        call.allow.publish = vec!["site/+".to_owned()];
    });
}

#[test]
fn publishing_is_refused_for_want_of_a_grant_and_then_of_a_broker() {
    let text = refusal(serde_json::json!({ "mode": "publish", "target": "site/7/alarm" }));
    assert!(text.ends_with("allow: { publish: [\"site/7/alarm\"] }"), "{text}");
    let mut granted = call_with(serde_json::json!({ "mode": "publish", "target": "site/7/alarm" }));
    granted.allow.publish = vec!["site/+/alarm".to_owned()];
    assert!(run(granted).denials[0].contains("no broker \"mqtt\" is configured"));
    let report = run(call_with(serde_json::json!({ "mode": "publish", "target": "site/#" })));
    assert!(failure(&report).1.contains("no topic") && report.denials.is_empty());
}

#[test]
fn a_guest_sees_the_granted_variables_and_no_others() {
    let mut call = call("env");
    assert_eq!(output(&run(call.clone()))["env"], serde_json::json!({}));
    call.allow.env = [("TZ", "Europe/Paris"), ("SITE", "7")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(output(&run(call.clone()))["env"], serde_json::json!({ "SITE": "7", "TZ": "Europe/Paris" }));
    call.policy.env = Some(vec!["TZ".to_owned()]);
    let report = run(call);
    assert_eq!(output(&report)["env"], serde_json::json!({ "TZ": "Europe/Paris" }));
    assert!(report.denials[0].contains("SITE") && report.denials[0].contains("[policy] env"), "{:?}", report.denials);
}

#[test]
fn a_skipped_step_gives_its_reason() {
    let report = run(call("skip"));
    assert_eq!(report.outcome.unwrap(), Completion::Skipped("asked to".to_owned()));
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
fn a_step_with_the_grant_sees_the_hosts_clock() {
    for granted in [false, true] {
        let mut call = call("clock");
        call.allow.clock = granted;
        let host = TestHost { now_ms: 1_800_000_000_123, ..TestHost::new() };
        let seen = output(&run_on(call, Arc::new(host)))["unix_ms"].as_u64().unwrap();
        assert_eq!(seen, if granted { 1_800_000_000_123 } else { 0 });
    }
}

#[test]
fn a_step_with_the_grant_gets_real_randomness_and_a_seed_replaces_the_run() {
    let look = |prepare: &dyn Fn(&mut trackside_sandbox::StepCall)| {
        let mut call = call("clock");
        prepare(&mut call);
        output(&run(call))["random"].clone()
    };
    assert_ne!(look(&|call| call.allow.random = true), look(&|call| call.allow.random = true));
    let seeded = |key: &str, seed| look(&|call| (call.idempotency_key, call.seed) = (key.to_owned(), Some(seed)));
    assert_eq!(seeded("a", 7), seeded("b", 7));
    assert_ne!(seeded("a", 7), seeded("a", 8));
}

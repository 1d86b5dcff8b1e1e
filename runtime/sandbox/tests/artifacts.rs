//! Artifacts are written whole or not at all, and only as many and as large as a step may. That they stream is shown in
//! `alone/streams.rs`.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use crate::support::{TestHost, call_with, failure, output, run_on};

#[test]
fn an_artifact_over_the_quota_is_refused_and_its_sink_dropped() {
    let host = Arc::new(TestHost::new());
    let mut call = call_with(serde_json::json!({ "mode": "write", "n": 10 << 20 }));
    call.limits.artifact_bytes = 1 << 20;
    let report = run_on(call, host.clone());
    assert!(failure(&report).1.contains("limit is 1048576"), "{:?}", report.outcome);
    assert_eq!(host.open_sinks.load(Ordering::SeqCst), 0);
}

#[test]
fn a_writer_that_is_not_committed_leaves_nothing() {
    let host = Arc::new(TestHost::new());
    let report = run_on(call_with(serde_json::json!({ "mode": "write-uncommitted", "n": 1 << 20 })), host.clone());
    output(&report);
    assert!(report.artifacts.is_empty());
    assert_eq!(host.open_sinks.load(Ordering::SeqCst), 0);
}

#[test]
fn a_port_that_is_not_declared_takes_nothing() {
    let report = run_on(call_with(serde_json::json!({ "mode": "write-undeclared" })), Arc::new(TestHost::new()));
    assert!(failure(&report).1.contains("never-declared"), "{:?}", report.outcome);
}

#[test]
fn an_artifact_that_is_gone_is_an_error_not_an_end_of_file() {
    let host = Arc::new(TestHost::new());
    let gone = host.sparse(10);
    std::fs::remove_file(host.path(&gone.digest)).unwrap();
    let mut call = call_with(serde_json::json!({ "mode": "read" }));
    call.inputs = BTreeMap::from([("in".to_owned(), vec![gone])]);
    failure(&run_on(call, host));
}

#[test]
fn two_artifacts_on_a_port_for_one_are_refused() {
    let host = Arc::new(TestHost::new());
    let mut call = call_with(serde_json::json!({ "mode": "read" }));
    call.inputs = BTreeMap::from([("in".to_owned(), vec![host.sparse(1), host.sparse(2)])]);
    assert_eq!(failure(&run_on(call, host)).0, "bad-input");
}

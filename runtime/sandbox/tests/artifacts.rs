//! Artifacts stream: what a guest reads or writes is never whole in memory, neither its own nor the host's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic, its helpers too")]

mod support;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use support::{TestHost, call_with, failure, output, run_on};

const SIZE: u64 = 100 << 20;

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_hundred_megabytes_pass_in_both_directions_with_little_memory() {
    // Compiling the guest takes more memory than the test allows.
    support::misbehave();
    let before = resident();

    let host = Arc::new(TestHost::new());
    let mut reading = call_with(serde_json::json!({ "mode": "read" }));
    reading.inputs = BTreeMap::from([("in".to_owned(), vec![host.sparse(SIZE)])]);
    let report = run_on(reading, host.clone());
    assert_eq!(output(&report)["bytes"], SIZE);
    assert_eq!(report.usage.artifact_bytes_read, SIZE);

    let writing = call_with(serde_json::json!({ "mode": "write", "n": SIZE }));
    let report = run_on(writing, host.clone());
    assert_eq!(output(&report)["bytes"], SIZE);
    assert_eq!(report.usage.artifact_bytes_written, SIZE);
    assert_eq!(report.artifacts[0].1.size, SIZE);
    assert!(host.largest_write.load(Ordering::Relaxed) <= 2 << 20);

    let grown = resident() - before;
    assert!(grown < 24 << 20, "the process grew by {} MiB", grown >> 20);
}

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

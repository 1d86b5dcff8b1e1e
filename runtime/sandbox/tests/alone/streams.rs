//! Artifacts stream: what a guest reads or writes is never whole in memory, neither its own nor the host's.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    alone::alone,
    support::{self, TestHost, call_with, output, run_on},
    turn,
};

const SIZE: u64 = 100 << 20;

/// Resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_hundred_megabytes_pass_in_both_directions_with_little_memory() {
    let _turn = turn();
    alone(|| {
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
    });
}

//! The ways in which instances get their memory: each must hold the same bounds, and nothing may pass from one call to
//! the next.

use std::sync::Arc;

use crate::support::{Bench, TestHost, bench_with, call, failure, output, runtime, settings};
use trackside_sandbox::{Layout, Sandbox, SandboxSettings};

const LAYOUTS: [Layout; 3] = [Layout::Pooled, Layout::Large, Layout::Small];

#[test]
fn every_layout_keeps_the_memory_limit() {
    for layout in LAYOUTS {
        let bench = bench_with(layout);
        assert_eq!(bench.sandbox.layout(), layout);
        let plugin = bench.misbehave();
        for mode in ["allocate-all", "grow"] {
            let report = runtime().block_on(plugin.run(call(mode), Arc::new(TestHost::new())));
            assert_eq!(failure(&report).0, "out-of-memory", "{layout:?} {mode}");
            assert!(report.usage.memory_peak <= 64 << 20, "{layout:?} {mode}");
        }
        let report = runtime().block_on(plugin.run(call("recurse"), Arc::new(TestHost::new())));
        assert_eq!(failure(&report).0, "stack-overflow", "{layout:?}");
        let report = runtime().block_on(plugin.run(call("succeed"), Arc::new(TestHost::new())));
        assert_eq!(output(&report)["mode"], "succeed", "{layout:?}");
    }
}

#[test]
fn nothing_of_a_call_is_left_for_the_next() {
    for layout in LAYOUTS {
        let bench = bench_with(layout);
        let plugin = bench.misbehave();
        // Also after a call that was cut off in the middle.
        for mode in ["leave-traces", "leave-traces", "grow", "leave-traces", "panic", "leave-traces"] {
            let report = runtime().block_on(plugin.run(call(mode), Arc::new(TestHost::new())));
            if mode == "leave-traces" {
                assert_eq!(output(&report)["found"], 0, "{layout:?}");
            }
        }
    }
}

#[test]
fn more_calls_than_there_is_room_for_wait_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(SandboxSettings { concurrent_calls: 1, ..settings(folder.path()) }).unwrap();
    let bench = Bench { folder, sandbox };
    let plugin = bench.misbehave();
    let runtime = runtime();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let plugin = plugin.clone();
            runtime.spawn(async move { plugin.run(call("succeed"), Arc::new(TestHost::new())).await })
        })
        .collect();
    for call in calls {
        let report = runtime.block_on(call).unwrap();
        assert_eq!(output(&report)["mode"], "succeed");
    }
}

//! An instance that nobody calls is dropped by itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    alone::alone,
    support::{self, Bench, TestHost, guest, runtime},
    turn,
};
use serde_json::json;
use trackside_sandbox::{Reuse, StepCall};

/// Memory of this process in kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn an_idle_instance_is_dropped_by_a_timer_and_one_with_more_time_is_not() {
    let _turn = turn();
    alone(|| {
        let bench = Bench::new();
        let gauge = bench.sandbox.load(&guest("testing/gauge.wasm"), "gauge").unwrap();
        let (runtime, host) = (runtime(), Arc::new(TestHost::new()));
        let run = |step: &str, n: u64, idle: Duration| {
            let call = StepCall {
                step: step.to_owned(),
                reuse: Some(Reuse { runs: 100, idle }),
                ..support::call_with(json!({ "mode": "keep", "n": n }))
            };
            runtime.block_on(gauge.run(call, host.clone())).usage.earlier_calls
        };
        let (long, brief) = (Duration::from_secs(600), Duration::from_millis(100));
        // The long one first: the timer that it sets must not keep the brief one alive.
        run("long", 0, long);
        let before = resident();
        run("brief", 48 << 20, brief);
        let until = Instant::now() + support::wait::patience();
        while resident() > before + 16_384 {
            assert!(Instant::now() < until, "{} kB are resident, {before} kB were before", resident());
            std::thread::yield_now();
        }
        assert_eq!(run("long", 0, long), 1);
        assert_eq!(run("brief", 0, brief), 0);
    });
}

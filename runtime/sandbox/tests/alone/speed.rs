//! A fresh instance for every call is affordable. The bound is loose, so that a busy machine does not fail it; the
//! benches measure exactly.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    support::{self, Bench, TestHost, guest},
    turn,
};
use trackside_sandbox::StepCall;

#[test]
fn an_empty_call_in_a_fresh_instance_takes_well_under_a_millisecond() {
    let _turn = turn();
    let bench = Bench::new();
    let plugin = bench.sandbox.load(&guest("echo.wasm"), "echo").unwrap();
    let host = Arc::new(TestHost::new());
    let mut times = support::runtime().block_on(async {
        let mut times = Vec::new();
        for _ in 0..500 {
            let mut call = StepCall::new("flow", "run", "echo");
            call.input_json = r#"{"value":1}"#.to_owned();
            let begin = Instant::now();
            let report = plugin.run(call, host.clone()).await;
            times.push(begin.elapsed());
            assert!(report.outcome.is_ok());
        }
        times
    });
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!("fresh instance and call: median {median:?}, fastest {:?}", times[0]);
    assert!(median < Duration::from_millis(1), "{median:?}");
}

#[test]
fn starting_a_sandbox_takes_little_time() {
    let _turn = turn();
    let folder = tempfile::tempdir().unwrap();
    // The first start makes the key, which waits for the disk.
    trackside_sandbox::Sandbox::new(support::settings(folder.path())).unwrap();
    let begin = Instant::now();
    trackside_sandbox::Sandbox::new(support::settings(folder.path())).unwrap();
    let took = begin.elapsed();
    println!("start: {took:?}");
    assert!(took < Duration::from_millis(50), "{took:?}");
}

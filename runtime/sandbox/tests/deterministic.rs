//! A step without grants gives the same bytes every time.

use std::sync::Arc;

use crate::support::{self, TestHost, call, call_with, failure, output};
use trackside_sandbox::{Completion, Layout};

fn text(report: trackside_sandbox::StepReport) -> String {
    match report.outcome {
        Ok(Completion::Done(json)) => json,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_without_grants_gives_identical_bytes_in_every_engine_and_layout() {
    let mut step = call("deterministic");
    step.logical_time_ms = 1_700_000_000_000;
    let first = text(support::run(step.clone()));
    // Another sandbox with other code for the same component, at another time, on another host.
    for layout in [Layout::Pooled, Layout::Large, Layout::Small] {
        let bench = support::bench_with(layout);
        let host = TestHost { now_ms: 1_800_000_000_000, ..TestHost::new() };
        let report = support::runtime().block_on(bench.misbehave().run(step.clone(), Arc::new(host)));
        assert_eq!(text(report), first, "{layout:?}");
    }
    let counting = support::counting();
    let report = support::runtime().block_on(counting.run(step, Arc::new(TestHost::new())));
    assert_eq!(text(report), first, "with counted instructions");
}

#[test]
fn nans_are_canonical_and_logical_time_goes_on_by_looks_and_sleeps() {
    let seen = output(&support::run(call("deterministic")));
    for (index, bits) in seen["nans"].as_array().unwrap().iter().enumerate() {
        // The second one is negated, which turns the sign and nothing else.
        let canonical = if index == 1 { "fff8000000000000" } else { "7ff8000000000000" };
        assert_eq!(bits, canonical, "{index}: {seen:#}");
    }
    for bits in seen["narrow"].as_array().unwrap() {
        assert_eq!(bits, "7fc00000", "{seen:#}");
    }
    assert!(seen["looks"].as_u64().unwrap() > 0);
    let slept = seen["slept_ns"].as_u64().unwrap();
    assert!((4_000_000..5_000_000).contains(&slept), "1 ms of looks and 3 ms of sleep: {slept} ns");
}

#[test]
fn the_same_input_takes_the_same_number_of_instructions_and_a_bound_holds() {
    let plugin = support::counting();
    let run = |n: u64, fuel: Option<u64>| {
        let mut call = call_with(serde_json::json!({ "mode": "compute", "n": n }));
        call.fuel = fuel;
        support::runtime().block_on(plugin.run(call, Arc::new(TestHost::new())))
    };
    let used = run(1_000, None).usage.fuel.unwrap();
    assert_eq!(run(1_000, None).usage.fuel, Some(used));
    assert_eq!(run(1_000, Some(used)).usage.fuel, Some(used), "exactly enough is enough");
    let more = run(2_000, None).usage.fuel.unwrap();
    assert!(more > used + 1_000, "{used} {more}");
    let report = run(1_000, Some(used - 1));
    let (code, message) = failure(&report);
    assert_eq!(code, "fuel-limit");
    assert!(message.contains(&(used - 1).to_string()) && message.contains("limits.fuel"), "{message}");
    assert_eq!(report.usage.fuel, Some(used - 1));
}

#[test]
fn a_plugin_that_does_not_count_tells_no_number_and_takes_no_bound() {
    assert_eq!(support::run(call("succeed")).usage.fuel, None);
    let mut bounded = call("succeed");
    bounded.fuel = Some(1_000_000);
    assert_eq!(failure(&support::run(bounded)).0, "host-error");
}

//! A guest that does not stop, takes too much, or falls over ends as a readable failure, and the next call runs.

use std::time::{Duration, Instant};

use crate::support::{self, call, call_with, failure, output, run, wait::patient};
use trackside_sandbox::StepCall;

fn still_works() {
    assert_eq!(output(&run(call("succeed")))["mode"], "succeed");
}

#[test]
fn an_endless_loop_ends_at_its_cpu_limit() {
    let mut looping = call("loop");
    looping.limits.cpu = Duration::from_millis(200);
    let report = run(looping);
    let (code, message) = failure(&report);
    assert_eq!(code, "cpu-limit");
    assert!(message.contains("200ms") && message.contains("limits.cpu"), "{message}");
    let cpu = Duration::from_micros(report.usage.cpu_us);
    assert!(cpu >= Duration::from_millis(200) && cpu < Duration::from_millis(450), "{cpu:?}");
    assert!(!report.outcome.unwrap_err().backtrace.is_empty());
    still_works();
}

#[test]
fn a_guest_that_computes_leaves_the_thread_to_others() {
    let mut looping = call("loop");
    looping.limits.cpu = Duration::from_millis(300);
    let host = std::sync::Arc::new(support::TestHost::new());
    let plugin = support::misbehave();
    // One thread for the guest and everybody else.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let turns = runtime.block_on(async {
        let others = tokio::spawn(async {
            for turn in 0u32.. {
                tokio::task::yield_now().await;
                if turn == 20 {
                    break;
                }
            }
        });
        let report = plugin.run(looping, host).await;
        assert_eq!(failure(&report).0, "cpu-limit");
        others.is_finished()
    });
    assert!(turns, "the other task did not get its turns while the guest ran");
}

#[test]
fn a_guest_that_sleeps_for_ever_ends_at_its_wall_limit() {
    let mut sleeping = call("sleep");
    sleeping.limits.wall = Duration::from_millis(300);
    let begin = Instant::now();
    let report = run(sleeping);
    let (code, message) = failure(&report);
    assert_eq!(code, "wall-limit");
    assert!(message.contains("300ms"), "{message}");
    assert!(begin.elapsed() < patient(Duration::from_secs(60)));
    // Waiting costs no CPU time, so it must not be charged as such.
    assert!(report.usage.cpu_us < 150_000, "{}", report.usage.cpu_us);
    assert!(report.outcome.unwrap_err().retryable);
    still_works();
}

#[test]
fn taking_all_memory_ends_as_out_of_memory() {
    for mode in ["allocate-all", "grow"] {
        let report = run(call(mode));
        let (code, message) = failure(&report);
        assert_eq!(code, "out-of-memory", "{mode}: {message}");
        assert!(message.contains("64 MiB") && message.contains("limits.memory"), "{message}");
        assert!(report.usage.memory_peak <= 64 << 20);
    }
    still_works();
}

#[test]
fn a_plugin_larger_than_its_memory_limit_is_out_of_memory_before_it_starts() {
    let mut tiny = call("succeed");
    tiny.limits.memory = 64 << 10;
    assert_eq!(failure(&run(tiny)).0, "out-of-memory");
}

#[test]
fn a_panic_tells_its_message_place_and_frames() {
    let report = run(call("panic-deep"));
    let (code, message) = failure(&report);
    assert_eq!(code, "panic");
    assert!(message.contains("misbehave was asked to panic ten calls down"), "{message}");
    assert!(message.contains("modes.rs:"), "{message}");
    let backtrace = &report.outcome.unwrap_err().backtrace;
    let deep = backtrace.iter().filter(|frame| frame.contains("panic_below")).count();
    assert!(deep >= 3, "{backtrace:#?}");
    assert!(backtrace.iter().all(|frame| !frame.contains("_R") && !frame.contains("17h")), "{backtrace:#?}");
}

#[test]
fn traps_are_told_apart() {
    for (mode, expected) in [("unreachable", "trap"), ("recurse", "stack-overflow"), ("out-of-bounds", "panic")] {
        let report = run(call(mode));
        let (code, message) = failure(&report);
        assert_eq!(code, expected, "{mode}: {message}");
        assert!(!report.outcome.unwrap_err().backtrace.is_empty(), "{mode}");
    }
    still_works();
}

#[test]
fn rubbish_is_not_taken_for_a_result() {
    let mut huge = call_with(serde_json::json!({ "mode": "output-huge", "n": 2 << 20 }));
    huge.limits.output_bytes = 1 << 20;
    let mut vast = call_with(serde_json::json!({ "mode": "output-huge", "n": 12 << 20 }));
    vast.limits.output_bytes = 1 << 20;
    let cases: [(StepCall, &str); 4] = [
        (call("output-rubbish"), "bad-output"),
        (call_with(serde_json::json!({ "mode": "output-deep", "n": 100_000 })), "bad-output"),
        (huge, "output-too-large"),
        (vast, "output-too-large"),
    ];
    for (call, expected) in cases {
        let input = call.input_json.clone();
        let report = run(call);
        assert_eq!(failure(&report).0, expected, "{input}: {:?}", report.outcome);
    }
}

#[test]
fn a_flood_of_text_is_cut_and_counted() {
    for mode in ["log-flood", "stderr-flood"] {
        let mut flood = call_with(serde_json::json!({ "mode": mode, "n": 20_000 }));
        (flood.limits.log_bytes, flood.limits.log_lines) = (10_000, 1_000);
        let report = run(flood);
        assert_eq!(output(&report)["mode"], mode);
        assert!(report.logs.len() < 100, "{mode}: {}", report.logs.len());
        assert!(report.logs_dropped > 10_000, "{mode}: {}", report.logs_dropped);
    }
}

#[test]
fn a_cancelled_guest_that_listens_ends_at_once_and_one_that_does_not_after_the_grace() {
    let runtime = support::runtime();
    for (mode, grace) in [("wait-for-cancel", 60_000), ("sleep", 50)] {
        let mut call = call(mode);
        call.limits.cancel_grace = Duration::from_millis(grace);
        let cancel = call.cancel.clone();
        let begin = Instant::now();
        let report = runtime.block_on(async {
            let plugin = support::misbehave();
            let running =
                tokio::spawn(async move { plugin.run(call, std::sync::Arc::new(support::TestHost::new())).await });
            tokio::task::yield_now().await;
            cancel.cancel();
            running.await.unwrap()
        });
        assert!(begin.elapsed() < patient(Duration::from_secs(30)), "{mode}");
        match mode {
            "sleep" => assert_eq!(failure(&report).0, "cancelled"),
            _ => assert!(report.outcome.is_ok(), "{:?}", report.outcome),
        }
    }
}

#[test]
fn a_guests_own_error_keeps_its_code_and_wish_to_be_retried() {
    let report = run(call_with(serde_json::json!({ "mode": "flaky", "n": 3 })));
    let failed = report.outcome.unwrap_err();
    assert_eq!((failed.code.as_str(), failed.retryable, failed.from_guest), ("flaky", true, true));
    assert_eq!(failed.retry_after_ms, Some(1));
    let mut third = call_with(serde_json::json!({ "mode": "flaky", "n": 3 }));
    third.attempt = 3;
    assert!(run(third).outcome.is_ok());
}

#[test]
fn an_input_over_the_limit_is_refused_before_the_guest_runs() {
    let mut call = call("succeed");
    call.limits.input_bytes = 10;
    assert_eq!(failure(&run(call)).0, "bad-input");
}

#[test]
fn no_tick_passes_while_no_guest_runs() {
    let bench = support::Bench::new();
    let plugin = bench.misbehave();
    let runtime = support::runtime();
    let mut sleeping = call("sleep");
    sleeping.limits.wall = Duration::from_millis(400);
    // A guest that waits in a host call is no running guest either.
    let before = bench.sandbox.ticks();
    let report = runtime.block_on(plugin.run(sleeping, std::sync::Arc::new(support::TestHost::new())));
    assert_eq!(failure(&report).0, "wall-limit");
    assert!(bench.sandbox.ticks() - before < 20, "{} ticks in 400 ms of waiting", bench.sandbox.ticks() - before);
}

#[test]
fn every_quota_ends_in_words_that_name_the_limit_and_its_use_is_told() {
    type Prepare = fn(&mut StepCall);
    type Used = fn(&trackside_sandbox::CallUsage) -> u64;
    let cases: [(&str, u64, &str, Prepare, Used, u64); 9] = [
        ("write", 5_000, "4000", |call| call.limits.artifact_bytes = 4_000, |usage| usage.artifact_bytes_written, 0),
        (
            "write-many",
            5,
            "at most 3 artifacts",
            |call| call.limits.artifact_count = 3,
            |usage| usage.artifacts.into(),
            3,
        ),
        ("state-many", 5, "at most 3 state keys", |call| call.limits.state_writes = 3, |usage| usage.state_entries, 3),
        (
            "state-many",
            5,
            "at most 2500 bytes",
            |call| call.limits.state_bytes = 2_500,
            |usage| usage.state_bytes,
            2_010,
        ),
        ("state-large", 5_000, "4000", |call| call.limits.state_value_bytes = 4_000, |usage| usage.state_bytes, 0),
        ("tensor", 5_000, "4000", |call| call.limits.tensor_bytes = 4_000, |usage| usage.tensor_peak, 0),
        (
            "deliver-many",
            5,
            "at most 3 effects",
            |call| call.limits.outbox_entries = 3,
            |usage| usage.outbox_entries,
            3,
        ),
        ("handles", 50, "", |call| call.limits.handles = 20, |usage| usage.host_calls, 21),
        ("host-call", 2 << 20, "", |call| call.limits.host_call_bytes = 1 << 20, |usage| usage.log_lines, 0),
    ];
    for (mode, n, words, prepare, used, expected) in cases {
        let mut call = call_with(serde_json::json!({ "mode": mode, "n": n }));
        call.allow.state = true;
        call.allow.deliver = vec!["out".to_owned()];
        prepare(&mut call);
        let report = run(call);
        let (code, message) = failure(&report);
        assert!(message.contains(words), "{mode}: {code}: {message}");
        if words.is_empty() {
            assert_eq!(code, "host-limit", "{mode}: {message}");
        }
        if mode != "handles" {
            assert_eq!(used(&report.usage), expected, "{mode}: {:?}", report.usage);
        }
    }
    still_works();
}

#[test]
fn what_a_call_used_is_told_when_it_ends_well() {
    let mut call = call_with(serde_json::json!({ "mode": "state-many", "n": 3 }));
    call.allow.state = true;
    let usage = run(call).usage;
    assert_eq!((usage.state_entries, usage.state_bytes), (3, 3 * 1_005));
    let report = run(call_with(serde_json::json!({ "mode": "log-flood", "n": 3 })));
    assert_eq!(report.usage.log_lines, 3);
    assert!(report.usage.log_bytes >= 300 && report.usage.table_elements > 0 && report.usage.memory_peak > 0);
    assert!(report.usage.output_bytes > 0 && report.usage.input_bytes > 0);
    let report = run(call_with(serde_json::json!({ "mode": "tensor", "n": 5_000 })));
    assert_eq!(report.usage.tensor_peak, 5_000);
}

#[test]
fn tables_instances_and_depth_are_bounded() {
    let mut no_tables = call("succeed");
    no_tables.limits.table_elements = 1;
    failure(&run(no_tables));
    let mut no_instances = call("succeed");
    no_instances.limits.instances = 1;
    failure(&run(no_instances));
    let mut shallow = call_with(serde_json::json!({ "mode": "output-deep", "n": 5 }));
    shallow.limits.output_depth = 4;
    assert!(failure(&run(shallow)).1.contains("deeper than 4 levels"));
    still_works();
}

#[test]
fn lines_beyond_the_rate_are_dropped_and_counted() {
    let mut flood = call_with(serde_json::json!({ "mode": "log-flood", "n": 500 }));
    flood.limits.log_rate = 100;
    let report = run(flood);
    assert!(report.logs_dropped >= 300, "{} kept, {} dropped", report.logs.len(), report.logs_dropped);
    assert_eq!(report.logs.len() as u64 + report.logs_dropped, 500);
}

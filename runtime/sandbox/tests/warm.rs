//! A warm instance keeps the guest's own memory for the next call of the same step, and nothing else for anybody.

use std::{sync::Arc, time::Duration};

use crate::support::{self, TestHost, guest, output, runtime, settings};
use serde_json::json;
use tempfile::TempDir;
use trackside_sandbox::{Plugin, Reuse, Sandbox, SandboxSettings, SecretValue, StepCall, StepReport};
use trackside_spec::SecretGrant;

const MANY: Reuse = Reuse { runs: 100, idle: Duration::from_secs(600) };

struct Gauge {
    _folder: TempDir,
    sandbox: Sandbox,
    plugin: Arc<Plugin>,
    runtime: tokio::runtime::Runtime,
    host: Arc<TestHost>,
}

impl Gauge {
    fn new() -> Self {
        Self::with(8, 256 << 20, "testing/gauge.wasm")
    }

    fn with(warm_instances: usize, warm_bytes: u64, file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = SandboxSettings { warm_instances, warm_bytes, ..settings(folder.path()) };
        let sandbox = Sandbox::new(settings).unwrap();
        let plugin = sandbox.load(&guest(file), "gauge").unwrap();
        Self { _folder: folder, sandbox, plugin, runtime: runtime(), host: Arc::new(TestHost::new()) }
    }

    fn run(&self, call: StepCall) -> StepReport {
        self.runtime.block_on(self.plugin.run(call, self.host.clone()))
    }

    /// How many calls the instance has served that serves this one.
    fn calls(&self, call: StepCall) -> u64 {
        let report = self.run(call);
        let calls = output(&report)["calls"].as_u64().unwrap();
        assert_eq!(u64::from(report.usage.earlier_calls) + 1, calls, "the report must say what the guest sees");
        calls
    }
}

fn call(mode: &str) -> StepCall {
    let mut call = support::call_with(json!({ "mode": mode }));
    call.reuse = Some(MANY);
    call
}

fn with_n(mode: &str, n: u64) -> StepCall {
    StepCall { input_json: json!({ "mode": mode, "n": n }).to_string(), ..call(mode) }
}

#[test]
fn memory_is_kept_with_reuse_and_not_without() {
    let gauge = Gauge::new();
    let fresh = || StepCall { reuse: None, ..call("empty") };
    assert_eq!([gauge.calls(fresh()), gauge.calls(fresh())], [1, 1]);
    assert_eq!([1, 2, 3].map(|_| gauge.calls(call("empty"))), [1, 2, 3]);
    // A step without it gets no instance of one with it.
    assert_eq!(gauge.calls(fresh()), 1);
    assert_eq!(gauge.calls(call("empty")), 4);
}

#[test]
fn an_instance_serves_as_many_calls_as_it_may() {
    let gauge = Gauge::new();
    let twice = || StepCall { reuse: Some(Reuse { runs: 2, ..MANY }), ..call("empty") };
    assert_eq!([1, 2, 3, 4, 5].map(|_| gauge.calls(twice())), [1, 2, 1, 2, 1]);
}

#[test]
fn an_instance_never_goes_to_another_step_workflow_component_grant_or_limit() {
    let gauge = Gauge::new();
    assert_eq!(gauge.calls(call("empty")), 1);
    let mut others = [(); 6].map(|()| call("empty"));
    others[0].step = "other".to_owned();
    others[1].workflow = "other".to_owned();
    others[2].allow.state = true;
    others[3].limits.memory -= 65_536;
    others[4].policy.private = Some(false);
    others[5].reuse = Some(Reuse { runs: 99, ..MANY });
    for (number, other) in others.into_iter().enumerate() {
        assert_eq!(gauge.calls(other), 1, "{number}");
    }
    let marked = [guest("testing/gauge.wasm"), vec![0, 5, 4, b'm', b'a', b'r', b'k']].concat();
    let other = gauge.sandbox.load(&marked, "gauge").unwrap();
    let report = gauge.runtime.block_on(other.run(call("empty"), gauge.host.clone()));
    assert_eq!(output(&report)["calls"], 1);
    assert_eq!(gauge.calls(call("empty")), 2, "the first is still there");
}

#[test]
fn an_instance_is_dropped_after_a_failure_and_when_it_holds_something_of_the_host() {
    let gauge = Gauge::new();
    for mode in ["fail", "trap", "leak"] {
        let of = |mode: &str, kind: &str| StepCall { step: kind.to_owned(), ..call(mode) };
        assert_eq!([1, 2].map(|_| gauge.calls(of("empty", mode))), [1, 2], "before {mode}");
        assert_eq!(gauge.run(of(mode, mode)).usage.earlier_calls, 2);
        assert_eq!(gauge.calls(of("empty", mode)), 1, "after {mode}");
    }
}

#[test]
fn a_component_that_was_replaced_keeps_no_instances() {
    let gauge = Gauge::new();
    assert_eq!([1, 2].map(|_| gauge.calls(call("empty"))), [1, 2]);
    gauge.plugin.retire();
    assert_eq!([1, 2].map(|_| gauge.calls(call("empty"))), [1, 1]);
    // It can come back by a rollback, which loads it again.
    let again = gauge.sandbox.load(&guest("testing/gauge.wasm"), "gauge").unwrap();
    let calls =
        [1, 2].map(|_| gauge.runtime.block_on(again.run(call("empty"), gauge.host.clone())).usage.earlier_calls);
    assert_eq!(calls, [0, 1]);
}

#[test]
fn a_cancelled_or_timed_out_call_leaves_no_instance() {
    let gauge = Gauge::with(8, 256 << 20, "testing/misbehave.wasm");
    let ask = |mode: &str| {
        let mut call = call(mode);
        call.limits.wall = Duration::from_millis(300);
        call.limits.cpu = Duration::from_millis(200);
        call.limits.cancel_grace = Duration::from_secs(2);
        call
    };
    for mode in ["sleep", "loop"] {
        assert!(gauge.run(ask("succeed")).outcome.is_ok());
        assert_eq!(gauge.run(ask("succeed")).usage.earlier_calls, 1);
        assert!(gauge.run(ask(mode)).outcome.is_err());
        assert_eq!(gauge.run(ask("succeed")).usage.earlier_calls, 0, "after {mode}");
        // The one that has just served is gone before the next round.
        assert!(gauge.run(ask("fail")).outcome.is_err());
    }
    // It ends well, but it was told to stop.
    let cancelled = ask("wait-for-cancel");
    cancelled.cancel.cancel();
    assert!(gauge.run(cancelled).outcome.is_ok());
    assert_eq!(gauge.run(ask("succeed")).usage.earlier_calls, 0);
}

#[test]
fn an_instance_that_was_shown_a_secret_is_dropped() {
    let mut gauge = Gauge::with(8, 256 << 20, "testing/misbehave.wasm");
    let value = SecretValue { value: b"hunter2-hunter2".to_vec(), hosts: Vec::new(), reveal: true };
    gauge.host = Arc::new(TestHost { secrets: [("pw".to_owned(), value)].into(), ..TestHost::new() });
    let ask = |mode: &str| {
        let mut call = call(mode);
        call.input_json = json!({ "mode": mode, "secret": "pw" }).to_string();
        call.allow.secrets = vec![SecretGrant { name: "pw".to_owned(), reveal: true }];
        call
    };
    assert_eq!([1, 2].map(|_| gauge.run(ask("succeed")).usage.earlier_calls), [0, 1]);
    let shown = gauge.run(ask("secret-reveal"));
    assert_eq!((shown.usage.earlier_calls, shown.reveals.as_slice()), (2, ["pw".to_owned()].as_slice()));
    assert_eq!(gauge.run(ask("succeed")).usage.earlier_calls, 0);
}

#[test]
fn the_host_makes_everything_anew_for_every_call() {
    let gauge = Gauge::new();
    assert_eq!(gauge.calls(call("print")), 1);
    let second = gauge.run(call("print"));
    assert_eq!(second.usage.earlier_calls, 1);
    // Its text streams were opened in the first call; what it writes now belongs to this one.
    let texts: Vec<&str> = second.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(texts, ["to standard output", "to standard error"]);
    assert_eq!(Arc::strong_count(&gauge.host), 1, "an instance that waits holds nothing of its last call's host");
    // A bound of each call, not of the instance.
    for earlier in 0..3 {
        let mut call = with_n("log", 10);
        call.limits.log_lines = 15;
        let report = gauge.run(call);
        assert_eq!((report.usage.earlier_calls, report.logs.len(), report.logs_dropped), (earlier, 10, 0));
    }
}

#[test]
fn every_limit_holds_for_every_call_anew() {
    let gauge = Gauge::new();
    let keep = || {
        let mut call = with_n("keep", 6 << 20);
        call.limits.memory = 16 << 20;
        call
    };
    assert_eq!([gauge.calls(keep()), gauge.calls(keep())], [1, 2]);
    // What it holds from before counts: two times 6 MiB and this do not fit.
    let third = gauge.run(keep());
    assert_eq!(third.outcome.unwrap_err().code, "out-of-memory");
    assert_eq!(gauge.calls(keep()), 1);

    let counting = gauge.sandbox.load_counting(&guest("testing/misbehave.wasm"), "misbehave").unwrap();
    let ask = |n: u64| {
        let mut call = call("compute");
        call.input_json = json!({ "mode": "compute", "n": n }).to_string();
        call.fuel = Some(5_000_000);
        call
    };
    let run = |call| gauge.runtime.block_on(counting.run(call, gauge.host.clone()));
    for earlier in 0..8 {
        // Together they would need more than the bound.
        let report = run(ask(200_000));
        assert!(report.outcome.is_ok(), "{:?}", report.outcome);
        assert_eq!(report.usage.earlier_calls, earlier);
        assert!(report.usage.fuel.unwrap() > 200_000);
    }
    assert_eq!(run(ask(50_000_000)).outcome.unwrap_err().code, "fuel-limit");
}

#[test]
fn the_monotonic_clock_of_a_warm_instance_does_not_go_back() {
    let gauge = Gauge::new();
    let readings = [(); 5].map(|()| output(&gauge.run(call("time")))["ns"].as_u64().unwrap());
    assert!(readings.is_sorted() && readings[0] < readings[4], "{readings:?}");
}

#[test]
fn a_box_keeps_so_many_and_the_one_that_waited_longest_goes_first() {
    let gauge = Gauge::with(2, 256 << 20, "testing/gauge.wasm");
    let of = |step: &str| StepCall { step: step.to_owned(), ..call("empty") };
    for step in ["a", "b", "a", "c"] {
        gauge.run(of(step));
    }
    // `b` waited longest when `c` came.
    assert_eq!(gauge.calls(of("a")), 3);
    assert_eq!(gauge.calls(of("c")), 2);
    assert_eq!(gauge.calls(of("b")), 1);
    let none = Gauge::with(0, 256 << 20, "testing/gauge.wasm");
    assert_eq!([1, 2].map(|_| none.calls(call("empty"))), [1, 1]);
}

#[test]
fn a_box_keeps_so_much_memory() {
    let gauge = Gauge::with(8, 20 << 20, "testing/gauge.wasm");
    let of = |step: &str, n: u64| StepCall { step: step.to_owned(), ..with_n("keep", n) };
    gauge.run(of("a", 8 << 20));
    assert_eq!(gauge.calls(of("a", 0)), 2);
    gauge.run(of("b", 14 << 20));
    assert_eq!(gauge.calls(of("a", 0)), 1, "8 and 14 MiB do not fit into 20");
    gauge.run(of("c", 21 << 20));
    assert_eq!(gauge.calls(of("c", 0)), 1, "one that is too large by itself is not kept");
    assert_eq!(gauge.calls(of("b", 0)), 2, "and takes the place of none");
}

#[test]
fn calls_at_the_same_time_get_instances_of_their_own() {
    let gauge = Gauge::new();
    let at_once = || {
        gauge.runtime.block_on(async {
            let runs: Vec<_> = (0..4)
                .map(|_| {
                    let (plugin, host) = (gauge.plugin.clone(), gauge.host.clone());
                    tokio::spawn(async move { plugin.run(call("empty"), host).await })
                })
                .collect();
            for run in runs {
                assert!(run.await.unwrap().outcome.is_ok());
            }
        });
    };
    for _ in 0..50 {
        at_once();
    }
}

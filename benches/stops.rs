//! How long after its limit a guest that does not stop by itself is gone.

use std::time::{Duration, Instant};

use serde_json::json;
use trackside_sandbox::StepCall;

use crate::{
    host::{Place, call},
    report::{line, median, title},
};

const LIMIT: Duration = Duration::from_millis(100);
const ROUNDS: usize = 30;

pub fn run() {
    title("forced stop: time after the limit of 100 ms until the call is over");
    let place = Place::new();
    let plugin = place.misbehave();
    let stopped = |name: &str, mode: &str, set: &dyn Fn(&mut StepCall), code: &str, by_cpu: bool| {
        let over: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let mut call = call(json!({ "mode": mode }));
                set(&mut call);
                let begun = Instant::now();
                let report = place.runtime.block_on(plugin.run(call, place.host.clone()));
                let took = begun.elapsed();
                let failure = report.outcome.expect_err("it must be stopped");
                assert_eq!(failure.code, code);
                let used = if by_cpu { Duration::from_micros(report.usage.cpu_us) } else { took };
                (used.as_secs_f64() - LIMIT.as_secs_f64()) * 1e3
            })
            .collect();
        let worst = over.iter().copied().fold(f64::MIN, f64::max);
        line(&format!("{name}, median"), median(over), "ms");
        line(&format!("{name}, worst of {ROUNDS}"), worst, "ms");
    };
    stopped("cpu limit, computing (processor time)", "loop", &|call| call.limits.cpu = LIMIT, "cpu-limit", true);
    stopped("wall limit, computing", "loop", &|call| call.limits.wall = LIMIT, "wall-limit", false);
    stopped("wall limit, asleep in the host", "sleep", &|call| call.limits.wall = LIMIT, "wall-limit", false);
    let cancel = |call: &mut StepCall| {
        call.limits.cancel_grace = LIMIT;
        call.cancel.cancel();
    };
    stopped("cancel and its grace, computing", "loop", &cancel, "cancelled", false);
}

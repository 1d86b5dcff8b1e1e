//! Memory of this process for each plugin that is loaded, each that runs, and each warm instance.

use std::time::Duration;

use serde_json::json;
use trackside_sandbox::{Reuse, StepCall};

use crate::{
    host::{Place, call, repository},
    report::{line, title},
};

const COUNT: u32 = 16;

/// Resident memory in KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN)
}

pub fn run() {
    title("memory (resident, averages of 16; a Rust plugin of 190 kB)");
    let place = Place::new();
    let bytes = std::fs::read(repository("../plugins/prebuilt/testing/gauge.wasm")).expect("plugins/build.sh was run");
    let variants = || {
        (0..COUNT).map(|number| {
            let name = format!("v{number:03}");
            let section = [&[0, 6, 1, b'm'], name.as_bytes()].concat();
            place.sandbox.load(&[bytes.clone(), section].concat(), "bench").expect("the plugin")
        })
    };
    // Compiled first: what is measured is what a node holds that finds them in its cache.
    drop(variants().collect::<Vec<_>>());
    let each = |before: f64| (resident() - before) / f64::from(COUNT);
    let before = resident();
    let loaded: Vec<_> = variants().collect();
    line("a plugin that is loaded and idle", each(before), "KiB");

    let misbehave = place.misbehave();
    let sleep = || call(json!({ "mode": "sleep" }));
    let held = || {
        place.runtime.block_on(async {
            let cancel = trackside_sandbox::CancelToken::new();
            let before = resident();
            let calls: Vec<_> = (0..COUNT)
                .map(|_| {
                    let (plugin, host) = (misbehave.clone(), place.host.clone());
                    let mut call = StepCall { cancel: cancel.clone(), ..sleep() };
                    call.limits.cancel_grace = Duration::ZERO;
                    tokio::spawn(async move { plugin.run(call, host).await })
                })
                .collect();
            tokio::time::sleep(Duration::from_millis(500)).await;
            let each = each(before);
            cancel.cancel();
            for call in calls {
                assert!(call.await.expect("a call").outcome.is_err());
            }
            each
        })
    };
    line("a plugin that runs, its slot used for the first time", held(), "KiB");
    let reuse = Some(Reuse { runs: 1_000, idle: Duration::from_secs(600) });
    let before = resident();
    for number in 0..COUNT {
        let call = StepCall { reuse, step: format!("s{number}"), ..call(json!({})) };
        place.run(&loaded[0], call);
    }
    line("a warm instance", each(before), "KiB");
}

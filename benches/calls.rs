//! What it costs to have an instance and to call it.

use std::{sync::Arc, time::Instant};

use criterion::Criterion;
use trackside_sandbox::{Plugin, Reuse, StepCall};
use wasmtime::{
    Config, Engine, Store,
    component::{Component, Linker},
};

use crate::{
    host::{Place, call, gauge, repository},
    report::{line, median, title},
};

/// Instances alone, then whole calls.
pub fn criterion(criterion: &mut Criterion) {
    instances(criterion);
    let place = Place::new();
    let plugin = place.gauge();
    let mut group = criterion.benchmark_group("sandbox/empty call");
    group.bench_function("fresh instance", |bencher| {
        bencher.iter(|| place.run(&plugin, gauge("empty", 0, None)));
    });
    let reuse = Some(Reuse { runs: u32::MAX, idle: std::time::Duration::from_secs(600) });
    group.bench_function("warm instance", |bencher| {
        bencher.iter(|| place.run(&plugin, StepCall { reuse, ..gauge("empty", 0, None) }));
    });
    group.finish();
}

/// The engine alone: what linking a component before its calls saves. Every import is there and traps.
fn instances(criterion: &mut Criterion) {
    let mut config = Config::new();
    config.wasm_multi_memory(true).allocation_strategy(wasmtime::PoolingAllocationConfig::new());
    let engine = Engine::new(&config).expect("an engine");
    let file = repository("../plugins/prebuilt/testing/gauge.wasm");
    let component = Component::from_file(&engine, file).expect("the component");
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&component).expect("imports");
    let mut group = criterion.benchmark_group("engine/instance");
    group.bench_function("linked at every call", |bencher| {
        bencher.iter(|| {
            let mut store = Store::new(&engine, ());
            linker.instantiate(&mut store, &component).expect("an instance");
        });
    });
    let pre = linker.instantiate_pre(&component).expect("a linked component");
    group.bench_function("linked before", |bencher| {
        bencher.iter(|| {
            let mut store = Store::new(&engine, ());
            pre.instantiate(&mut store).expect("an instance");
        });
    });
    group.finish();
}

/// Calls of the host from a guest, and calls at the same time.
pub fn table() {
    title("calls");
    let place = Place::new();
    let plugin = place.gauge();
    let lines = 10_000;
    let time = |n| {
        let times = (0..15).map(|_| {
            let begun = Instant::now();
            place.run(&plugin, gauge("log", n, None));
            begun.elapsed().as_secs_f64() * 1e6
        });
        median(times.collect())
    };
    line("one line of log (of 10,000 in a call)", (time(lines) - time(0)) / lines as f64, "us");
    for parallel in [1, 4, 16] {
        line(
            &format!("steps a second, {parallel} at the same time"),
            steps_per_second(&place, &plugin, parallel),
            "/s",
        );
    }
}

/// Fresh instances and empty calls by so many callers.
fn steps_per_second(place: &Place, plugin: &Arc<Plugin>, parallel: usize) -> f64 {
    const SECONDS: f64 = 2.0;
    place.runtime.block_on(async {
        let begun = Instant::now();
        let callers: Vec<_> = (0..parallel)
            .map(|_| {
                let (plugin, host) = (plugin.clone(), place.host.clone());
                tokio::spawn(async move {
                    let mut done = 0u32;
                    while begun.elapsed().as_secs_f64() < SECONDS {
                        let report = plugin.run(call(serde_json::json!({})), host.clone()).await;
                        assert!(report.outcome.is_ok());
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        let mut sum = 0;
        for caller in callers {
            sum += caller.await.expect("a caller");
        }
        f64::from(sum) / begun.elapsed().as_secs_f64()
    })
}

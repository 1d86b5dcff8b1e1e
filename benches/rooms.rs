//! The rooms one by one.

use std::{
    io::{Read, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};

use criterion::{BenchmarkId, Criterion, Throughput};
use serde_json::json;
use trackside_engine::{Command, Outcome, RunId, RunState};
use trackside_facts::Entry;
use trackside_models::{CancelToken, EngineChoice, EngineSettings, Engines, ModelSource};
use trackside_sandbox::{Sandbox, SandboxSettings, StepCall};
use trackside_spec::{Plan, StepIndex, Tensor, load_workflow};
use trackside_store::{Committer, Durability, Ended, NewRun, Txn, Write as Row};

const ONE: &str = "version: 1\nname: one\nsteps:\n  echo: { plugin: echo, with: { value: 1 } }\n";

fn plan() -> Arc<Plan> {
    Arc::new(load_workflow("one.yaml", ONE).expect("the workflow is right"))
}

/// A one-step run through the state machine: start, one outcome, end.
pub fn engine(criterion: &mut Criterion) {
    let plan = plan();
    criterion.bench_function("engine/one-step run", |bencher| {
        bencher.iter(|| {
            let mut run = RunState::new(plan.clone(), RunId::from_i64(1));
            run.handle(
                Command::Start { params: json!({}), trigger: Default::default(), logical_time_ms: 1, parent: None },
                1,
            );
            let outcome = Outcome::Succeeded(json!({ "value": 1 }));
            let (step, report) = (StepIndex(0), None);
            run.handle(Command::Finished { step, item: None, attempt: 1, outcome, chance: 0, report }, 2)
        });
    });
}

/// One commit that holds the acceptance and the end of 1, 8 and 64 runs, flushed.
pub fn store(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let mut committer = Committer::open(folder.path(), Durability::Full).expect("a store");
    let plan = plan();
    let mut next = 0;
    let mut group = criterion.benchmark_group("store/commit");
    for runs in [1u64, 8, 64] {
        group.throughput(Throughput::Elements(runs));
        group.bench_function(BenchmarkId::from_parameter(runs), |bencher| {
            bencher.iter_custom(|times| {
                let begun = Instant::now();
                for _ in 0..times {
                    let batch: Vec<Txn> = (0..runs)
                        .map(|_| {
                            next += 1;
                            transaction(RunId::from_i64(next), &plan)
                        })
                        .collect();
                    committer.commit(&batch).expect("a commit");
                }
                begun.elapsed()
            });
        });
    }
    group.finish();
}

fn transaction(run: RunId, plan: &Arc<Plan>) -> Txn {
    let started =
        serde_json::json!({ "event": "started", "params": {}, "trigger": { "kind": "manual" }, "logical_time_ms": 0 });
    let ended = Some(Ended { end: trackside_engine::RunEnd::Succeeded, error: None });
    let new = NewRun { run, plan: plan.clone(), trigger: "manual".into(), started_ms: 1 };
    let writes = vec![Row::Run(new), Row::Journal { run, at_ms: 2, entry: Entry::of(&[started]), ended }];
    Txn::of(writes)
}

/// 64 MiB into the artifact store (digest included) and out of it.
pub fn artifacts(criterion: &mut Criterion) {
    const SIZE: usize = 64 << 20;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let committer = Committer::open(folder.path(), Durability::Full).expect("a store");
    let mut bytes = vec![7u8; SIZE];
    let mut group = criterion.benchmark_group("artifact");
    group.sample_size(10).throughput(Throughput::Bytes(SIZE as u64));
    let mut stored = None;
    group.bench_function("write 64 MiB", |bencher| {
        bencher.iter(|| {
            // Other bytes each time: a known artifact would not be written again.
            bytes[0] = bytes[0].wrapping_add(1);
            bytes[1] = bytes[1].wrapping_add(u8::from(bytes[0] == 0));
            let mut writer = trackside_store::Hold::new(committer.artifacts()).create().expect("a writer");
            writer.write_all(&bytes).expect("space");
            stored = Some(writer.finish("bench", "application/octet-stream").expect("an artifact"));
        });
    });
    // With a filter for the reading alone nothing has been written.
    let stored = stored.unwrap_or_else(|| {
        trackside_store::Hold::new(committer.artifacts())
            .store(&mut &bytes[..], "bench", "application/octet-stream")
            .expect("an artifact")
    });
    let mut buffer = vec![0; 1 << 20];
    group.bench_function("read 64 MiB", |bencher| {
        bencher.iter(|| {
            let mut file = committer.artifacts().open_artifact(&stored.digest).expect("the artifact");
            while file.read(&mut buffer).expect("bytes") > 0 {}
        });
    });
    group.finish();
}

/// A fresh instance and one call of the echo plugin.
pub fn sandbox(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let settings = SandboxSettings::new(folder.path().join("cache"), folder.path().join("key"));
    let sandbox = Sandbox::new(settings).expect("a sandbox");
    let echo = include_bytes!("../plugins/prebuilt/echo.wasm");
    let plugin = sandbox.load(echo, "echo").expect("the echo plugin");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let host: Arc<dyn trackside_sandbox::StepHost> = Arc::new(trackside_sandbox::Nobody);
    criterion.bench_function("sandbox/instantiate and call echo", |bencher| {
        bencher.iter(|| {
            let mut call = StepCall::new("bench", "bench", "echo");
            call.input_json = "{\"value\":1}".to_owned();
            runtime.block_on(plugin.run(call, host.clone()))
        });
    });
    criterion.bench_function("sandbox/load from the cache", |bencher| {
        bencher.iter(|| sandbox.load(echo, "echo").expect("the echo plugin"));
    });
}

/// The pump example's model through the models room, against the bare `ort` call and on the built-in engine.
pub fn inference(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pump-watch/models/pump-anomaly.onnx");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let mut settings = EngineSettings::new(folder.path());
    settings.configured = std::env::var_os("TRACKSIDE_ONNXRUNTIME").map(Into::into);
    let engines = Engines::discover(settings);
    for (name, choice) in [("rten", EngineChoice::Rten), ("onnxruntime", EngineChoice::OnnxRuntime)] {
        let mut source = ModelSource::new("pump", &file);
        source.choice = choice;
        let model = match engines.load(&source) {
            Ok(model) => model,
            Err(error) => {
                println!("not run: inference on {name}: {error}");
                continue;
            }
        };
        let port = &model.info().inputs[0];
        let dims = port.shape.clone().unwrap_or_default();
        let shape: Vec<u32> = dims.iter().map(|dim| dim.unwrap_or(1)).collect();
        let count = shape.iter().product::<u32>() as usize;
        let tensor = Tensor::from_f32(shape.clone(), &vec![0.5; count]).expect("a tensor");
        let input = port.name.clone();
        let cancel = CancelToken::new();
        criterion.bench_function(&format!("inference/{name} through Model::run"), |bencher| {
            bencher.iter(|| model.run(vec![(input.clone(), tensor.clone())], &[], None, &cancel).expect("a result"));
        });
        if let Some(library) = &model.info().engine.origin {
            // A process has one environment of ONNX Runtime, and here it is ours: the bare call gets its own process.
            let program = std::env::current_exe().expect("this program");
            let ended = std::process::Command::new(program).arg("--bench").env(BARE, library).status();
            assert!(ended.is_ok_and(|status| status.success()), "the bare call can not be measured");
        }
    }
}

/// Names the library to the process that measures the bare call.
pub const BARE: &str = "TRACKSIDE_BENCH_BARE";

/// The same call as in [`inference`], without anything of ours.
pub fn bare(criterion: &mut Criterion, library: &Path) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pump-watch/models/pump-anomaly.onnx");
    let environment = ort::init_from(library).expect("the library").build().expect("an environment");
    let mut session = ort::session::Session::builder(&environment)
        .expect("a builder")
        .with_intra_threads(1)
        .expect("one thread")
        .commit_from_file(file)
        .expect("a session");
    let width = match session.inputs()[0].dtype() {
        ort::value::ValueType::Tensor { shape, .. } => shape.iter().product::<i64>().unsigned_abs(),
        other => panic!("the model takes {other:?}"),
    };
    let tensor =
        ort::value::Tensor::from_array((vec![1, width as i64], vec![0.5f32; width as usize])).expect("a tensor");
    criterion.bench_function("inference/onnxruntime, bare ort call", |bencher| {
        bencher.iter(|| {
            let outputs = session.run(ort::inputs![tensor.view()]).expect("a result");
            outputs[0].try_extract_tensor::<f32>().expect("floats").1.to_vec()
        });
    });
}

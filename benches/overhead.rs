//! `cargo bench --bench overhead` with `TRACKSIDE_ONNXRUNTIME` set: what a request takes beyond a bare call of `ort`, in
//! [`Model::run`] and through the router, for an identity of twelve numbers, a small network and the pump example's model. Turn by turn;
//! medians. Then for each model of the examples: loading, memory, one row, the gain of running rows together, and, where
//! `TRACKSIDE_BINARY` names a program, the first answer after its start. `-- FILE.onnx` measures one row of floats through a model of
//! yours besides, on both engines.

#![expect(clippy::expect_used, reason = "a benchmark that can not be set up has nothing to say")]

#[path = "overhead/examples.rs"]
mod examples;
#[path = "overhead/router.rs"]
mod router;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ort::session::Session;
use ort::value::TensorRef;
use prost::Message as _;
use trackside_models::onnx::proto::{
    DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use trackside_models::{CancelToken, EngineChoice, EngineSettings, Engines, Model, ModelSource};
use trackside_spec::Tensor;

/// Turns of bare calls and of both engines, and calls in each.
const ROUNDS: usize = 7;
const CALLS: usize = 4_000;
const WIDTH: u32 = 12;

fn main() {
    let library = std::env::var_os("TRACKSIDE_ONNXRUNTIME").expect("TRACKSIDE_ONNXRUNTIME names the library");
    // A process has one environment of ONNX Runtime: the bare call has one of its own.
    if let Some(file) = std::env::var_os(BARE) {
        return println!("{}", bare(Path::new(&library), Path::new(&file)));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut settings = EngineSettings::new(folder.path());
    settings.configured = Some(library.into());
    let engines = Engines::discover(settings);
    if let Some(told) = examples::child(&engines) {
        return println!("{told}");
    }
    for file in std::env::args().skip(1).filter(|argument| argument.ends_with(".onnx")) {
        pair(&engines, Path::new(&file));
    }
    let engines = std::sync::Arc::new(engines);
    let written = |name: &str, layers: usize| {
        let file = folder.path().join(name);
        std::fs::write(&file, made(layers).encode_to_vec()).expect("a file");
        file
    };
    let pump = examples::folder().join("pump-watch/models/pump-anomaly.onnx");
    for (name, file) in [
        ("identity, 12 numbers", written("identity.onnx", 0)),
        ("dense 12-12-12-12, relu", written("dense.onnx", 3)),
        ("pump-anomaly", pump),
    ] {
        let load = |choice| {
            engines.load(&ModelSource { choice, ..ModelSource::new("bench", &file) }).expect("a model that is loaded")
        };
        let (onnxruntime, built_in) = (load(EngineChoice::OnnxRuntime), load(EngineChoice::Rten));
        let tensor = Tensor::from_f32(vec![1, WIDTH], &values()).expect("a tensor");
        let cancel = CancelToken::new();
        let through = |model: &Model| {
            let deadline = Some(Instant::now() + Duration::from_secs(60));
            model.run(vec![("x".to_owned(), tensor.clone())], &[], deadline, &cancel).expect("a result");
        };
        let router = router::Router::new(engines.clone(), &file, tensor.clone());
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            times[0].push(bare_elsewhere(&file));
            for (times, model) in times[1..].iter_mut().zip([&onnxruntime, &built_in]) {
                times.push(timed(|| through(model)));
            }
            times[3].push(timed(|| router.ask()));
        }
        let [bare, onnxruntime, built_in, routed] = times.map(median);
        let allowed = 10.0 + bare * 0.05;
        println!(
            "{name:<26} bare ort {bare:>6.2} µs  Model::run on onnxruntime {onnxruntime:>6.2} µs ({:+.2})  through the router \
             {routed:>6.2} µs ({:+.2}, aim {allowed:.2})  built-in {built_in:>6.2} µs",
            onnxruntime - bare,
            routed - bare,
        );
    }
    examples::table();
}

/// One row of a model's only input through both engines.
fn pair(engines: &Engines, file: &Path) {
    let load = |choice| {
        engines.load(&ModelSource { choice, ..ModelSource::new("bench", file) }).expect("a model that is loaded")
    };
    let models = [load(EngineChoice::OnnxRuntime), load(EngineChoice::Rten)];
    let port = models[0].info().inputs.first().expect("an input").clone();
    let shape: Vec<u32> = port.shape.iter().flatten().map(|size| size.unwrap_or(1)).collect();
    let values: Vec<f32> = (0..shape.iter().product::<u32>()).map(|at| (at * 31 % 17) as f32 / 8.0 - 1.0).collect();
    let tensor = Tensor::from_f32(shape, &values).expect("a tensor");
    let cancel = CancelToken::new();
    let mut times: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (times, model) in times.iter_mut().zip(&models) {
            times.push(timed(|| {
                let deadline = Some(Instant::now() + Duration::from_secs(60));
                model.run(vec![(port.name.clone(), tensor.clone())], &[], deadline, &cancel).expect("a result");
            }));
        }
    }
    let [onnxruntime, built_in] = times.map(median);
    println!(
        "{}: onnxruntime {onnxruntime:.2} µs  built-in {built_in:.2} µs  {:.2} times",
        file.display(),
        built_in / onnxruntime
    );
}

/// The model of a child process that makes bare calls.
const BARE: &str = "TRACKSIDE_BARE_CALLS_OF";

fn bare_elsewhere(file: &Path) -> f64 {
    let program = std::env::current_exe().expect("this program");
    let told = Command::new(program).env(BARE, file).output().expect("a child");
    String::from_utf8_lossy(&told.stdout).trim().parse().expect("a number")
}

/// The median of bare calls of `ort`: a view of the numbers, a run, a copy of what came.
fn bare(library: &Path, file: &Path) -> f64 {
    let environment = ort::init_from(library).expect("the library").build().expect("its environment");
    let session = || -> ort::Result<Session> {
        Session::builder(&environment)?.with_intra_threads(1)?.with_inter_threads(1)?.commit_from_file(file)
    };
    let (mut session, values) = (session().expect("a session"), values());
    timed(|| {
        let view = TensorRef::from_array_view(([1_usize, WIDTH as usize], values.as_slice())).expect("a view");
        let ran = session.run(ort::inputs!["x" => view]).expect("a result");
        let (_, given) = ran[0].try_extract_tensor::<f32>().expect("a tensor");
        std::hint::black_box(given.to_vec());
    })
}

fn values() -> Vec<f32> {
    (0..WIDTH).map(|at| at as f32 / 8.0).collect()
}

/// The median of many calls.
fn timed(mut once: impl FnMut()) -> f64 {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        once();
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    median(times)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// `x` of N rows through so many layers; none: the identity.
fn made(layers: usize) -> ModelProto {
    let port = |name: &str| {
        let dim = |size| DimensionProto { dim_value: size, dim_param: None };
        let shape = Some(TensorShapeProto { dim: vec![dim(None), dim(Some(i64::from(WIDTH)))] });
        let tensor_type = Some(TensorTypeProto { elem_type: Some(1), shape });
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type, ..TypeProto::default() }) }
    };
    let node = |op: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: Some(op.to_owned()),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let (mut nodes, mut initializer, mut last) = (Vec::new(), Vec::new(), "x".to_owned());
    for layer in 0..layers {
        let (weights, product, next) = (format!("w{layer}"), format!("p{layer}"), format!("r{layer}"));
        let values = (0..WIDTH * WIDTH).map(|at| ((at % 7) as f32 - 3.0) / 10.0).collect();
        let dims = vec![i64::from(WIDTH); 2];
        let tensor = TensorProto {
            name: Some(weights.clone()),
            data_type: Some(1),
            dims,
            float_data: values,
            ..TensorProto::default()
        };
        initializer.push(tensor);
        nodes.push(node("MatMul", &[&last, &weights], &product));
        nodes.push(node("Relu", &[&product], &next));
        last = next;
    }
    nodes.push(node("Identity", &[&last], "y"));
    let graph = GraphProto {
        name: Some("g".to_owned()),
        node: nodes,
        input: vec![port("x")],
        output: vec![port("y")],
        initializer,
        ..GraphProto::default()
    };
    let set = OperatorSetIdProto { domain: Some(String::new()), version: Some(17) };
    ModelProto { ir_version: Some(8), opset_import: vec![set], graph: Some(graph), ..ModelProto::default() }
}

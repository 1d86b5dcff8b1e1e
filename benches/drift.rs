//! `cargo bench --bench drift`: what watching for drift adds to a request of a small model with 20 features, on the built-in engine:
//! the same requests with it and without it, turn by turn; medians. And what one feature takes in memory.

#![expect(clippy::expect_used, reason = "a benchmark that can not be set up has nothing to say")]

#[path = "overhead/router.rs"]
#[expect(dead_code, reason = "the other bench uses the rest")]
mod router;

use std::{sync::Arc, time::Instant};

use prost::Message as _;
use trackside_models::{
    EngineChoice, EngineSettings, Engines,
    onnx::proto::{
        DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
        TensorTypeProto, TypeProto, ValueInfoProto,
    },
};
use trackside_serving::{
    ModelSettings, SystemClock,
    drift::{DriftSettings, Held, Key, KeyKind, Kind, WatchedColumn},
};
use trackside_spec::Tensor;

const TURNS: usize = 40;
const CALLS: usize = 2_000;
const INPUTS: usize = 18;
const OUTPUTS: usize = 2;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engines = Arc::new(Engines::discover(EngineSettings::new(folder.path())));
    let file = folder.path().join("small.onnx");
    std::fs::write(&file, small().encode_to_vec()).expect("a file");
    let made = |enabled| {
        let drift = DriftSettings { enabled, ..DriftSettings::USUAL };
        let settings = ModelSettings { drift, ..ModelSettings::default() };
        let values: Vec<f32> = (0..INPUTS).map(|at| at as f32 / 8.0).collect();
        let tensor = Tensor::from_f32(vec![1, INPUTS as u32], &values).expect("a tensor");
        router::Router::with(engines.clone(), EngineChoice::Rten, &file, vec![("x".to_owned(), tensor)], settings)
    };
    let (bare, watched) = (made(false), made(true));
    let mut times: [Vec<f64>; 2] = Default::default();
    for turn in 0..TURNS {
        for (which, router) in [(0, &bare), (1, &watched)] {
            // What the keeper does meanwhile, so that the reference is made and windows are compared.
            let board = router.serving.board();
            board.wanted().iter().for_each(|key| board.load(key, None));
            board.due(false).0.iter().for_each(|due| board.kept(due));
            for _ in 0..CALLS {
                let began = Instant::now();
                router.ask();
                // By the tenth turn the reference is complete.
                if turn >= 10 {
                    times[which].push(began.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
    }
    let [bare, watched] = times.map(median);
    println!(
        "a request of {INPUTS} inputs and {OUTPUTS} outputs: {bare:.2} µs, watched {watched:.2} µs: {:+.2} µs, {:+.1} %",
        watched - bare,
        (watched / bare - 1.0) * 100.0
    );
    rows();
}

/// What a row of 20 numbers takes by itself.
fn rows() {
    let clock = Arc::new(SystemClock::default());
    let board = trackside_serving::drift::Board::alone(clock);
    for (kind, name) in [(Kind::Number, "numbers"), (Kind::Whole, "whole numbers"), (Kind::Category, "texts")] {
        let columns = (0..20).map(|at| WatchedColumn { name: format!("c{at}"), kind }).collect();
        let key = Key { kind: KeyKind::Model, name: name.to_owned(), version: 1, content: String::new() };
        let ward = board.watch(key.clone(), columns, 0, DriftSettings::USUAL);
        board.load(&key, None);
        let texts: Vec<String> = (0..20).map(|at| format!("category {at}")).collect();
        let mut at = 0_u64;
        let mut row = || {
            at += 1;
            let value = |column: u64| {
                let of = (at.wrapping_mul(2_654_435_761) >> 7).wrapping_add(column);
                match kind {
                    Kind::Number => Held::Number((of % 10_007) as f64 / 7.0),
                    Kind::Whole => Held::Number((of % 9) as f64),
                    Kind::Category => Held::text(&texts[of as usize % 20]),
                }
            };
            board.rows(&ward, (0..20).map(value).collect());
        };
        (0..6_000).for_each(|_| row());
        board.due(false).0.iter().for_each(|due| board.kept(due));
        let began = Instant::now();
        for _ in 0..20_000 {
            row();
        }
        println!("a row of 20 {name}: {:.2} µs", began.elapsed().as_secs_f64() * 1e6 / 20_000.0);
        let (due, _) = board.due(true);
        let state: usize = due.iter().map(|due| due.state.len()).sum();
        println!("  kept: {} bytes a feature", state / 20);
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// y = relu(x w), of 18 inputs and 2 outputs.
fn small() -> ModelProto {
    let port = |name: &str, columns: usize| {
        let dim = |size| DimensionProto { dim_value: size, dim_param: None };
        let shape = Some(TensorShapeProto { dim: vec![dim(None), dim(i64::try_from(columns).ok())] });
        let tensor_type = Some(TensorTypeProto { elem_type: Some(1), shape });
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type, ..TypeProto::default() }) }
    };
    let node = |op: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: Some(op.to_owned()),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let weights = TensorProto {
        name: Some("w".to_owned()),
        data_type: Some(1),
        dims: vec![INPUTS as i64, OUTPUTS as i64],
        float_data: (0..INPUTS * OUTPUTS).map(|at| ((at % 7) as f32 - 3.0) / 10.0).collect(),
        ..TensorProto::default()
    };
    let graph = GraphProto {
        name: Some("small".to_owned()),
        node: vec![node("MatMul", &["x", "w"], "m"), node("Relu", &["m"], "y")],
        input: vec![port("x", INPUTS)],
        output: vec![port("y", OUTPUTS)],
        initializer: vec![weights],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

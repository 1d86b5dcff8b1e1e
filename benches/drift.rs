//! `cargo bench --bench drift`: what watching for drift, recording for labels, and a rollout add to a request of a small model with 20
//! features, on the built-in engine: the same requests with each and without, turn by turn; medians. And what one feature takes in memory.

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
    FeedbackSettings, ModelSettings, SystemClock,
    drift::{DriftSettings, Held, Key, KeyKind, Kind, WatchedColumn},
    rollout::{Machine, NewTrial},
};
use trackside_spec::{RolloutMode, RolloutPlan, Tensor};

const TURNS: usize = 40;
const CALLS: usize = 2_000;
const INPUTS: usize = 18;
const OUTPUTS: usize = 2;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engines = Arc::new(Engines::discover(EngineSettings::new(folder.path())));
    let file = folder.path().join("small.onnx");
    std::fs::write(&file, small().encode_to_vec()).expect("a file");
    let made = |settings| {
        let values: Vec<f32> = (0..INPUTS).map(|at| at as f32 / 8.0).collect();
        let tensor = Tensor::from_f32(vec![1, INPUTS as u32], &values).expect("a tensor");
        router::Router::with(engines.clone(), EngineChoice::Rten, &file, vec![("x".to_owned(), tensor)], settings)
            .named()
    };
    let off = || ModelSettings {
        drift: DriftSettings { enabled: false, ..DriftSettings::USUAL },
        ..ModelSettings::default()
    };
    let feedback = Some(FeedbackSettings { rate: 10_000, ..FeedbackSettings::default() });
    let rolled = made(off());
    let plan = RolloutPlan { mode: RolloutMode::Ab, evidence: 1_000_000, ..RolloutPlan::default() };
    let machine = Machine::new(plan).expect("a rollout");
    rolled.serving.prepare("bench", 1, 2).expect("both versions");
    let (model, key) = ("bench".to_owned(), "key".to_owned());
    let trial = rolled.serving.begin(NewTrial { id: 1, model, stable: 1, candidate: 2, key, machine });
    rolled.serving.admit(&trial);
    let routers = [
        ("with nothing of it", made(off())),
        ("watched for drift", made(ModelSettings::default())),
        ("recorded for labels", made(ModelSettings { feedback, ..off() })),
        ("in a rollout", rolled),
    ];
    let mut times: [Vec<f64>; 4] = Default::default();
    for turn in 0..TURNS {
        for ((_, router), times) in routers.iter().zip(&mut times) {
            // What the keeper does meanwhile, so that the reference is made and windows are compared.
            let board = router.serving.board();
            board.wanted().iter().for_each(|key| board.load(key, None));
            board.due(false).0.iter().for_each(|due| board.kept(due));
            drop(router.serving.take_predictions());
            for _ in 0..CALLS {
                let began = Instant::now();
                router.ask();
                // By the tenth turn the reference is complete.
                if turn >= 10 {
                    times.push(began.elapsed().as_secs_f64() * 1e6);
                }
            }
        }
    }
    let times = times.map(median);
    println!("a request of {INPUTS} inputs and {OUTPUTS} outputs, microseconds:");
    for ((what, _), time) in routers.iter().zip(times) {
        let (more, share) = (time - times[0], (time / times[0] - 1.0) * 100.0);
        println!("  {what:<20} {time:>6.2} ({more:+.2}, {share:+.1} %)");
    }
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

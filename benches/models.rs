//! The built-in engine beside ONNX Runtime: one row through each model, both engines in turn, through the door that steps use.

use std::{path::Path, time::Instant};

use prost::Message as _;
use trackside_interpreter::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use trackside_models::{CancelToken, EngineChoice, EngineSettings, Engines, Model, ModelSource};
use trackside_spec::{ElementType, Tensor};

/// So many turns; in each one engine runs [`IN_A_ROW`] times, and then the other one.
const TURNS: usize = 40;
const IN_A_ROW: usize = 25;

/// What the engines take for the same row, and the ratio.
pub fn run() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let mut settings = EngineSettings::new(folder.path());
    settings.configured = std::env::var_os("TRACKSIDE_ONNXRUNTIME").map(Into::into);
    let engines = Engines::discover(settings);
    println!("\none row through a model, in the engine: the median of {} runs of each", TURNS * IN_A_ROW);
    let mut random = Random(1);
    let made = [
        ("linear: logistic regression, 30 features, 3 classes", linear(&mut random)),
        ("forest: classifier, 100 trees of depth 8, 30 features", forest(&mut random, "Classifier", 8)),
        ("forest: regressor, 100 trees of depth 6, 30 features", forest(&mut random, "Regressor", 6)),
        ("dense: 64-128-64-10, relu, softmax", dense(&mut random, &[64, 128, 64, 10])),
        ("dense: 256-512-512-256, relu, softmax", dense(&mut random, &[256, 512, 512, 256])),
    ];
    for (name, model) in made {
        let file = folder.path().join("model.onnx");
        std::fs::write(&file, model.encode_to_vec()).expect("a file");
        pair(&engines, name, &file);
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    pair(&engines, "dense: the pump example's", &examples.join("pump-watch/models/pump-anomaly.onnx"));
    pair(&engines, "network of 3 MB: magika, file-intake's", &examples.join("file-intake/models/magika/model.onnx"));
}

fn pair(engines: &Engines, name: &str, file: &Path) {
    let load = |choice| {
        let mut source = ModelSource::new("bench", file);
        source.choice = choice;
        engines.load(&source)
    };
    let both = match (load(EngineChoice::Rten), load(EngineChoice::OnnxRuntime)) {
        (Ok(built_in), Ok(onnxruntime)) => [built_in, onnxruntime],
        (Err(error), _) | (_, Err(error)) => return println!("not run: {name}: {error}"),
    };
    let port = &both[0].info().inputs[0];
    let shape: Vec<u32> = port.shape.iter().flatten().map(|size| size.unwrap_or(1)).collect();
    let count: u32 = shape.iter().product();
    let tensor = if port.element == ElementType::Int32 {
        Tensor::from_bytes(port.element, shape, (0..count).flat_map(|at| (at * 31 % 256).to_ne_bytes()).collect())
    } else {
        Tensor::from_f32(shape, &(0..count).map(|at| (at * 31 % 17) as f32 / 8.0 - 1.0).collect::<Vec<_>>())
    };
    let (tensor, input) = (tensor.expect("a tensor"), port.name.clone());
    let cancel = CancelToken::new();
    let once = |model: &Model| {
        let began = Instant::now();
        model.run(vec![(input.clone(), tensor.clone())], &[], None, &cancel).expect("a result");
        began.elapsed().as_secs_f64() * 1e6
    };
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (model, times) in both.iter().zip(&mut times) {
            times.extend((0..IN_A_ROW).map(|_| once(model)));
        }
    }
    let [built_in, onnxruntime] = times.map(crate::report::median);
    println!(
        "{name:<58} built-in {built_in:>9.1} µs  onnxruntime {onnxruntime:>9.1} µs  {:>6.2} times",
        built_in / onnxruntime
    );
}

/// Numbers between -1 and 1 that are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

const FLOAT: i32 = 1;
const INT64: i32 = 7;

fn model(nodes: Vec<NodeProto>, constants: Vec<TensorProto>, width: i64, outputs: Vec<ValueInfoProto>) -> ModelProto {
    let set = |domain: &str, version| OperatorSetIdProto { domain: Some(domain.to_owned()), version: Some(version) };
    let graph = GraphProto {
        node: nodes,
        name: Some("g".to_owned()),
        initializer: constants,
        input: vec![port("x", FLOAT, &[1, width])],
        output: outputs,
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: Some(8),
        graph: Some(graph),
        opset_import: vec![set("", 17), set("ai.onnx.ml", 3)],
        ..ModelProto::default()
    }
}

fn port(name: &str, element: i32, sizes: &[i64]) -> ValueInfoProto {
    let dim = sizes.iter().map(|size| DimensionProto { dim_value: Some(*size), dim_param: None }).collect();
    let tensor = TensorTypeProto { elem_type: Some(element), shape: Some(TensorShapeProto { dim }) };
    let of = TypeProto { tensor_type: Some(tensor), ..TypeProto::default() };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(of) }
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    let of_trees = attributes.iter().any(|attribute| !attribute.ints.is_empty() || !attribute.floats.is_empty());
    NodeProto {
        input: inputs.iter().map(ToString::to_string).collect(),
        output: outputs.iter().map(ToString::to_string).collect(),
        name: outputs.first().map(ToString::to_string),
        op_type: Some(operator.to_owned()),
        domain: (of_trees || operator == "Normalizer").then(|| "ai.onnx.ml".to_owned()),
        attribute: attributes,
    }
}

fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), floats, r#type: Some(6), ..AttributeProto::default() }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), ints, r#type: Some(7), ..AttributeProto::default() }
}

fn strings(name: &str, texts: &[&str]) -> AttributeProto {
    let strings = texts.iter().map(|text| text.as_bytes().to_vec().into()).collect();
    AttributeProto { name: Some(name.to_owned()), strings, r#type: Some(8), ..AttributeProto::default() }
}

fn text(name: &str, text: &str) -> AttributeProto {
    let s = Some(text.as_bytes().to_vec().into());
    AttributeProto { name: Some(name.to_owned()), s, r#type: Some(3), ..AttributeProto::default() }
}

fn constant(name: &str, dims: &[usize], values: Vec<f32>) -> TensorProto {
    TensorProto {
        dims: dims.iter().map(|size| *size as i64).collect(),
        data_type: Some(FLOAT),
        float_data: values,
        name: Some(name.to_owned()),
        ..TensorProto::default()
    }
}

/// As skl2onnx writes a logistic regression.
fn linear(random: &mut Random) -> ModelProto {
    let attributes = vec![
        floats("coefficients", random.many(90)),
        floats("intercepts", random.many(3)),
        ints("classlabels_ints", vec![0, 1, 2]),
        text("post_transform", "SOFTMAX"),
    ];
    let nodes = vec![
        node("LinearClassifier", &["x"], &["label", "scores"], attributes),
        node("Normalizer", &["scores"], &["y"], vec![text("norm", "L1")]),
    ];
    model(nodes, Vec::new(), 30, vec![port("label", INT64, &[1]), port("y", FLOAT, &[1, 3])])
}

/// 100 whole trees, as skl2onnx writes them: of three classes, or of one target.
fn forest(random: &mut Random, kind: &str, depth: u32) -> ModelProto {
    let classes = if kind == "Classifier" { 3 } else { 1 };
    let (inner, all) = ((1i64 << depth) - 1, (1i64 << (depth + 1)) - 1);
    let (mut trees, mut ids, mut features, mut modes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut values, mut yes, mut no) = (Vec::new(), Vec::new(), Vec::new());
    let (mut leaf_trees, mut leaf_ids, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for tree in 0..100 {
        for id in 0..all {
            let branches = id < inner;
            trees.push(tree);
            ids.push(id);
            features.push(if branches { (random.next().abs() * 29.9) as i64 } else { 0 });
            modes.push(if branches { "BRANCH_LEQ" } else { "LEAF" });
            values.push(if branches { random.next() } else { 0.0 });
            yes.push(if branches { 2 * id + 1 } else { 0 });
            no.push(if branches { 2 * id + 2 } else { 0 });
            for class in (0..classes).take_while(|_| !branches) {
                leaf_trees.push(tree);
                leaf_ids.push(id);
                targets.push(class);
                weights.push(random.next().abs() / 100.0);
            }
        }
    }
    let of = if classes > 1 { "class" } else { "target" };
    let mut attributes = vec![
        ints("nodes_treeids", trees),
        ints("nodes_nodeids", ids),
        ints("nodes_featureids", features),
        strings("nodes_modes", &modes),
        floats("nodes_values", values),
        ints("nodes_truenodeids", yes),
        ints("nodes_falsenodeids", no),
        ints(&format!("{of}_treeids"), leaf_trees),
        ints(&format!("{of}_nodeids"), leaf_ids),
        ints(&format!("{of}_ids"), targets),
        floats(&format!("{of}_weights"), weights),
        text("post_transform", "NONE"),
    ];
    let scores = port("y", FLOAT, &[1, classes]);
    if classes > 1 {
        attributes.push(ints("classlabels_int64s", (0..classes).collect()));
        let trees = node("TreeEnsembleClassifier", &["x"], &["label", "y"], attributes);
        return model(vec![trees], Vec::new(), 30, vec![port("label", INT64, &[1]), scores]);
    }
    let targets =
        AttributeProto { name: Some("n_targets".to_owned()), i: Some(1), r#type: Some(2), ..Default::default() };
    attributes.push(targets);
    model(vec![node("TreeEnsembleRegressor", &["x"], &["y"], attributes)], Vec::new(), 30, vec![scores])
}

/// As PyTorch exports a multi-layer perceptron.
fn dense(random: &mut Random, widths: &[usize]) -> ModelProto {
    let (mut nodes, mut constants, mut last) = (Vec::new(), Vec::new(), "x".to_owned());
    let transposed =
        AttributeProto { name: Some("transB".to_owned()), i: Some(1), r#type: Some(2), ..Default::default() };
    for (layer, pair) in widths.windows(2).enumerate() {
        let [from, to] = [pair[0], pair[1]];
        let [weights, bias, sum, next] = ["w", "b", "s", "h"].map(|name| format!("{name}{layer}"));
        constants.push(constant(&weights, &[to, from], random.many(to * from)));
        constants.push(constant(&bias, &[to], random.many(to)));
        nodes.push(node("Gemm", &[&last, &weights, &bias], &[&sum], vec![transposed.clone()]));
        let is_last = layer + 2 == widths.len();
        nodes.push(node(
            if is_last { "Softmax" } else { "Relu" },
            &[&sum],
            &[if is_last { "y" } else { &next }],
            Vec::new(),
        ));
        last = next;
    }
    let (first, end) = (widths[0] as i64, widths[widths.len() - 1] as i64);
    model(nodes, constants, first, vec![port("y", FLOAT, &[1, end])])
}

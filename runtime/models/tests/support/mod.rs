//! Tiny models, made here so that no test needs Python, and the engines to run them on.
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../../../tests/support/wait.rs"]
pub mod wait;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prost::Message;
use prost::bytes::Bytes;
use trackside_models::onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};
use trackside_models::{
    CancelToken, EngineChoice, EngineSettings, Engines, Model, ModelError, ModelSource, Output, RunOutput,
};
use trackside_spec::{ElementType, Tensor};

pub use data_type::{BOOL, FLOAT, INT64};

/// A dimension of a made model.
#[derive(Clone, Copy)]
pub enum D {
    N(i64),
    S(&'static str),
}

pub fn value(name: &str, element: i32, shape: &[D]) -> ValueInfoProto {
    let dim = |dim: &D| match dim {
        D::N(size) => DimensionProto { dim_value: Some(*size), dim_param: None },
        D::S(name) => DimensionProto { dim_value: None, dim_param: Some((*name).to_owned()) },
    };
    let shape = Some(TensorShapeProto { dim: shape.iter().map(dim).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type: Some(element), shape });
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type, ..Default::default() }) }
}

pub fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto { op_type: Some(op.to_owned()), input: names(inputs), output: names(outputs), ..Default::default() }
}

pub fn attribute(name: &str, set: impl FnOnce(&mut AttributeProto)) -> AttributeProto {
    let mut attribute = AttributeProto { name: Some(name.to_owned()), ..Default::default() };
    set(&mut attribute);
    attribute
}

pub fn text_attribute(name: &str, text: &'static str) -> AttributeProto {
    attribute(name, |a| (a.s, a.r#type) = (Some(Bytes::from_static(text.as_bytes())), Some(3)))
}

pub fn graph_attribute(name: &str, graph: GraphProto) -> AttributeProto {
    attribute(name, |a| (a.g, a.r#type) = (Some(graph), Some(5)))
}

pub fn constant(name: &str, shape: &[i64], values: &[f32]) -> TensorProto {
    raw(name, FLOAT, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

pub fn raw(name: &str, element: i32, shape: &[i64], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        data_type: Some(element),
        dims: shape.to_vec(),
        raw_data: Some(bytes.into()),
        ..Default::default()
    }
}

/// A model with IR version 8 and opset 17, which both engines know.
pub fn model(graph: GraphProto) -> ModelProto {
    let set = |domain: &str, version| OperatorSetIdProto { domain: Some(domain.to_owned()), version: Some(version) };
    ModelProto {
        ir_version: Some(8),
        producer_name: Some(Bytes::from_static(b"trackside-tests")),
        producer_version: Some(Bytes::from_static(b"1")),
        opset_import: vec![set("", 17), set("ai.onnx.ml", 3)],
        graph: Some(graph),
        ..Default::default()
    }
}

pub fn graph(nodes: Vec<NodeProto>, inputs: Vec<ValueInfoProto>, outputs: Vec<ValueInfoProto>) -> GraphProto {
    GraphProto { name: Some("g".to_owned()), node: nodes, input: inputs, output: outputs, ..Default::default() }
}

/// y = x, any type and shape.
pub fn identity(element: i32, shape: &[D]) -> ModelProto {
    model(graph(
        vec![node("Identity", &["x"], &["y"])],
        vec![value("x", element, shape)],
        vec![value("y", element, shape)],
    ))
}

/// p = relu(x W + b), x of N rows of 3; W is 3 by 2.
pub fn dense() -> ModelProto {
    let mut graph = graph(
        vec![node("MatMul", &["x", "W"], &["h"]), node("Add", &["h", "b"], &["s"]), node("Relu", &["s"], &["p"])],
        vec![value("x", FLOAT, &[D::S("N"), D::N(3)])],
        vec![value("p", FLOAT, &[D::S("N"), D::N(2)])],
    );
    graph.initializer =
        vec![constant("W", &[3, 2], &[1.0, -1.0, 2.0, 0.5, -3.0, 4.0]), constant("b", &[2], &[0.25, -0.5])];
    model(graph)
}

/// sum = a + b and larger = a > b: two inputs, two outputs of two types.
pub fn add() -> ModelProto {
    let shape = [D::S("N")];
    model(graph(
        vec![node("Add", &["a", "b"], &["sum"]), node("Greater", &["a", "b"], &["larger"])],
        vec![value("a", FLOAT, &shape), value("b", FLOAT, &shape)],
        vec![value("sum", FLOAT, &shape), value("larger", BOOL, &shape)],
    ))
}

/// y = x by way of a sequence: only ONNX Runtime has those.
pub fn in_sequence() -> ModelProto {
    let mut model = unary(node("SequenceConstruct", &["x"], &["s"]));
    let graph = model.graph.as_mut().unwrap();
    graph.node.push(node("SequenceAt", &["s", "first"], &["y"]));
    graph.initializer = vec![raw("first", INT64, &[], vec![0; 8])];
    model
}

/// Multiplies a matrix with itself `rounds` times in a loop: `rounds` comes from outside, so a run can be made as slow
/// as a test needs while the self-test, with 0 or 1 rounds, is quick.
pub fn slow() -> ModelProto {
    let body = GraphProto {
        name: Some("body".to_owned()),
        node: vec![
            node("MatMul", &["m", "m"], &["m2"]),
            node("Tanh", &["m2"], &["m3"]),
            node("Identity", &["c"], &["c2"]),
        ],
        input: vec![value("i", INT64, &[]), value("c", BOOL, &[]), value("m", FLOAT, &[D::N(64), D::N(64)])],
        output: vec![value("c2", BOOL, &[]), value("m3", FLOAT, &[D::N(64), D::N(64)])],
        ..Default::default()
    };
    let mut call = node("Loop", &["rounds", "", "x"], &["y"]);
    call.attribute = vec![graph_attribute("body", body)];
    let shape = [D::N(64), D::N(64)];
    model(graph(
        vec![call],
        vec![value("rounds", INT64, &[]), value("x", FLOAT, &shape)],
        vec![value("y", FLOAT, &shape)],
    ))
}

pub fn slow_inputs(rounds: i64) -> Vec<(String, Tensor)> {
    vec![("rounds".to_owned(), i64s(&[], &[rounds])), ("x".to_owned(), f32s(&[64, 64], &[0.01; 64 * 64]))]
}

/// y = op(x) over floats of any length.
pub fn unary(call: NodeProto) -> ModelProto {
    let shape = [D::S("N")];
    model(graph(vec![call], vec![value("x", FLOAT, &shape)], vec![value("y", FLOAT, &shape)]))
}

pub fn f32s(shape: &[u32], values: &[f32]) -> Tensor {
    Tensor::from_f32(shape.to_vec(), values).unwrap()
}

pub fn i64s(shape: &[u32], values: &[i64]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::from_bytes(ElementType::Int64, shape.to_vec(), bytes).unwrap()
}

pub fn x(tensor: Tensor) -> Vec<(String, Tensor)> {
    vec![("x".to_owned(), tensor)]
}

/// A folder for models, and a data folder in which nothing is installed.
pub struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, model: &ModelProto) -> PathBuf {
        self.write_bytes(name, &model.encode_to_vec())
    }

    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Engines whose ONNX Runtime, if it is found at all, is the one that the tests were given.
    pub fn engines(&self) -> Engines {
        let mut settings = EngineSettings::new(self.path().join("data"));
        settings.configured = std::env::var_os("TRACKSIDE_ONNXRUNTIME").map(PathBuf::from);
        Engines::discover(settings)
    }

    pub fn load(&self, choice: EngineChoice, model: &ModelProto) -> Result<std::sync::Arc<Model>, ModelError> {
        let path = self.write("model.onnx", model);
        self.engines().load(&ModelSource { choice, sessions: 1, ..ModelSource::new("m", path) })
    }
}

/// Runs `test` on rten, and on ONNX Runtime where it is found.
pub fn on_each_engine(name: &str, test: impl Fn(&Lab, EngineChoice)) {
    test(&Lab::new(), EngineChoice::Rten);
    if onnxruntime(name) {
        test(&Lab::new(), EngineChoice::OnnxRuntime);
    }
}

/// Whether ONNX Runtime is there; says so where it is not, and fails where it must be.
pub fn onnxruntime(name: &str) -> bool {
    match Lab::new().engines().onnxruntime() {
        Ok(_) => true,
        Err(error) => {
            let required = std::env::var("TRACKSIDE_TEST_REQUIRE").unwrap_or_default();
            assert!(
                !required.split([',', ' ']).any(|word| word == "onnxruntime"),
                "required by the environment: {error}"
            );
            println!("not run: {name} (ONNX Runtime library not found)");
            false
        }
    }
}

/// Runs a model whose outputs are tensors.
pub fn run(model: &Model, inputs: Vec<(String, Tensor)>) -> Result<Tensors, ModelError> {
    run_any(model, inputs).map(Tensors::of)
}

/// What a run gave where every output is a tensor.
#[derive(Debug)]
pub struct Tensors {
    pub outputs: Vec<(String, Tensor)>,
    pub queued: Duration,
    pub ran: Duration,
}

impl Tensors {
    pub fn of(ran: RunOutput) -> Self {
        let tensor = |(name, output): (String, Output)| (name, output.into_tensor().expect("a tensor"));
        let outputs = ran.outputs.into_iter().map(tensor).collect();
        Self { outputs, queued: ran.queued, ran: ran.spent.all() }
    }
}

pub fn run_any(model: &Model, inputs: Vec<(String, Tensor)>) -> Result<RunOutput, ModelError> {
    model.run(inputs, &[], Some(Instant::now() + Duration::from_secs(60)), &CancelToken::new())
}

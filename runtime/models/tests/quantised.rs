//! Products of uint8 and int8: exact on every processor where they can be, told where they cannot.

use crate::support::*;
use trackside_models::onnx::proto::{GraphProto, ModelProto, data_type};
use trackside_models::{EngineChoice, EngineSettings, Engines, Model, ModelError, ModelSource, Processor};
use trackside_spec::{ElementType, Tensor};

const SIZE: u32 = 16;
const U8: i32 = data_type::UINT8;
const S8: i32 = data_type::INT8;
const I32: i32 = data_type::INT32;

fn square(name: &str, element: i32) -> trackside_models::onnx::proto::ValueInfoProto {
    value(name, element, &[D::N(SIZE.into()), D::N(SIZE.into())])
}

fn weights() -> trackside_models::onnx::proto::TensorProto {
    raw("w", S8, &[SIZE.into(), SIZE.into()], vec![127; (SIZE * SIZE) as usize])
}

/// y = a w for uint8 and int8, `shape` says where the weights come from.
fn product(shape: impl FnOnce(&mut GraphProto)) -> ModelProto {
    let mut graph =
        graph(vec![node("MatMulInteger", &["a", "w"], &["y"])], vec![square("a", U8)], vec![square("y", I32)]);
    graph.initializer = vec![weights()];
    shape(&mut graph);
    model(graph)
}

fn ones(element: ElementType, byte: u8) -> Tensor {
    Tensor::from_bytes(element, vec![SIZE, SIZE], vec![byte; (SIZE * SIZE) as usize]).unwrap()
}

/// What 255 * 127 over a row comes to; two products together are beyond 16 bits already.
fn expected() -> Tensor {
    let sum = (255 * 127 * i32::try_from(SIZE).unwrap()).to_le_bytes();
    Tensor::from_bytes(ElementType::Int32, vec![SIZE, SIZE], sum.repeat((SIZE * SIZE) as usize)).unwrap()
}

fn load(lab: &Lab, processor: Processor, proto: &ModelProto) -> Result<std::sync::Arc<Model>, ModelError> {
    let settings = EngineSettings { processor, ..lab.engines().settings().clone() };
    let path = lab.write("model.onnx", proto);
    let source = ModelSource { choice: EngineChoice::OnnxRuntime, sessions: 1, ..ModelSource::new("m", path) };
    Engines::discover(settings).load(&source)
}

const WITHOUT: Processor = Processor { x86: true, vnni: false };

#[test]
fn constant_weights_are_multiplied_exactly_on_every_processor() {
    if !onnxruntime("products of uint8 and int8") {
        return;
    }
    let lab = Lab::new();
    // Transposed when it is loaded, and as a `Constant`: still constants.
    let transposed = |graph: &mut GraphProto| {
        graph.node[0].input[1] = "t".to_owned();
        graph.node.insert(0, node("Transpose", &["w"], &["t"]));
    };
    let by_node = |graph: &mut GraphProto| {
        let tensor = graph.initializer.remove(0);
        let mut constant = node("Constant", &[], &["w"]);
        constant.attribute = vec![attribute("value", |a| (a.t, a.r#type) = (Some(tensor), Some(4)))];
        graph.node.insert(0, constant);
    };
    for proto in [product(|_| {}), product(transposed), product(by_node)] {
        let model = load(&lab, Processor::this(), &proto).unwrap();
        let ran = run(&model, vec![("a".to_owned(), ones(ElementType::Uint8, 255))]).unwrap();
        assert_eq!(ran.outputs[0].1, expected());
        let told = load(&lab, WITHOUT, &proto).unwrap();
        assert_eq!(told.info().warnings, []);
        assert!(told.info().caveats.iter().any(|caveat| caveat.contains("no VNNI")), "{:?}", told.info().caveats);
    }
}

#[test]
fn weights_that_come_late_are_told_on_a_processor_without_vnni() {
    if !onnxruntime("products of uint8 and int8") {
        return;
    }
    let lab = Lab::new();
    let given = product(|graph| {
        graph.initializer.clear();
        graph.input.push(square("w", S8));
    });
    let replaceable = product(|graph| graph.input.push(square("w", S8)));
    // ONNX Runtime cannot be made to be exact where two operators share a weight.
    let shared = product(|graph| {
        graph.node.push(node("MatMulInteger", &["a", "w"], &["z"]));
        graph.output.push(square("z", I32));
    });
    for proto in [given, replaceable, shared] {
        let model = load(&lab, WITHOUT, &proto).unwrap();
        let [warning] = model.info().warnings.as_slice() else { panic!("{:?}", model.info()) };
        assert_eq!(warning.code, "TS-0544");
        for word in ["MatMulInteger", "VNNI", "reduce_range=True", "built-in engine"] {
            assert!(warning.text.contains(word), "{}", warning.text);
        }
        for processor in [Processor { x86: true, vnni: true }, Processor { x86: false, vnni: false }] {
            let model = load(&lab, processor, &proto).unwrap();
            let told = model.info().caveats.iter().any(|caveat| caveat.contains("VNNI"));
            assert!(model.info().warnings.is_empty() && !told, "{:?}", model.info());
        }
    }
}

#[test]
fn models_without_such_products_are_not_talked_about() {
    if !onnxruntime("products of uint8 and int8") {
        return;
    }
    let lab = Lab::new();
    let unsigned = product(|graph| graph.initializer[0].data_type = Some(U8));
    for proto in [dense(), unsigned] {
        let model = load(&lab, WITHOUT, &proto).unwrap();
        let told = model.info().caveats.iter().any(|caveat| caveat.contains("VNNI"));
        assert!(model.info().warnings.is_empty() && !told, "{:?}", model.info());
    }
}

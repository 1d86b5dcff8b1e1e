//! The built-in engine: what was once computed wrongly without a word is right, and what is not proved is refused when a
//! model is loaded, with operator, version and reason.

use crate::support::{self, *};
use trackside_codes::Coded;
use trackside_models::EngineChoice;
use trackside_models::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto, data_type,
};
use trackside_spec::{ElementType, Tensor};

const F64: i32 = data_type::DOUBLE;
const F16: i32 = data_type::FLOAT16;
const U8: i32 = data_type::UINT8;
const I32: i32 = data_type::INT32;

fn number(name: &str, number: i64) -> AttributeProto {
    attribute(name, |a| (a.i, a.r#type) = (Some(number), Some(2)))
}

fn numbers(name: &str, numbers: &[i64]) -> AttributeProto {
    attribute(name, |a| (a.ints, a.r#type) = (numbers.to_vec(), Some(7)))
}

fn with(call: NodeProto, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto { attribute: attributes, ..call }
}

/// From `x` of a type to `y` of a type, both of any shape, by these calls and constants.
fn from_to(x: i32, y: i32, nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    let port = |name: &str, element: i32| {
        let mut port = value(name, element, &[]);
        port.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape = None;
        port
    };
    let graph = graph(nodes, vec![port("x", x)], vec![port("y", y)]);
    model(GraphProto { initializer: constants, ..graph })
}

fn of_opset(mut model: ModelProto, opset: i64) -> ModelProto {
    model.opset_import.iter_mut().for_each(|set| set.version = Some(opset));
    model
}

fn tensor<T: Copy, const N: usize>(element: ElementType, shape: &[u32], of: &[T], bytes: fn(T) -> [u8; N]) -> Tensor {
    Tensor::from_bytes(element, shape.to_vec(), of.iter().flat_map(|one| bytes(*one)).collect()).unwrap()
}

fn bools(of: &[bool]) -> Tensor {
    tensor(ElementType::Boolean, &[of.len().try_into().unwrap()], of, |one| [u8::from(one)])
}

fn i32s(shape: &[u32], of: &[i32]) -> Tensor {
    tensor(ElementType::Int32, shape, of, i32::to_le_bytes)
}

/// Runs on each engine, so that the numbers of pencil and paper are also ONNX Runtime's. The self-test gets the sample:
/// made-up input would not fit everywhere.
fn gives(name: &str, model: &ModelProto, x: &Tensor, y: &Tensor) {
    on_each_engine(name, |lab, choice| {
        let sample = lab.path().join("sample.safetensors");
        let pair = [("in.x".to_owned(), x.clone()), ("out.y".to_owned(), y.clone())];
        trackside_models::tensor_io::write_safetensors(&sample, &pair).unwrap();
        let path = lab.write("model.onnx", model);
        let source = trackside_models::ModelSource {
            choice,
            sessions: 1,
            selftest: Some(sample),
            ..trackside_models::ModelSource::new("m", path)
        };
        let loaded = lab.engines().load(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(run(&loaded, support::x(x.clone())).unwrap().outputs[0].1, *y, "{name} on {choice:?}");
    });
}

#[test]
fn a_boolean_is_true_or_false() {
    let x = f32s(&[4], &[3.0, 0.0, 0.5, -2.0]);
    let cast = |to: i32, from: &str, into: &str| with(node("Cast", &[from], &[into]), vec![number("to", to.into())]);
    gives(
        "Cast to BOOL",
        &from_to(FLOAT, BOOL, vec![cast(BOOL, "x", "y")], vec![]),
        &x,
        &bools(&[true, false, true, true]),
    );
    // What follows from it: sums, choices, places.
    let sum = vec![cast(BOOL, "x", "b"), cast(FLOAT, "b", "y")];
    gives("BOOL as a number", &from_to(FLOAT, FLOAT, sum, vec![]), &x, &f32s(&[4], &[1.0, 0.0, 1.0, 1.0]));
    let places = vec![cast(BOOL, "x", "b"), node("NonZero", &["b"], &["y"])];
    gives("NonZero of BOOL", &from_to(FLOAT, INT64, places, vec![]), &x, &i64s(&[1, 3], &[0, 2, 3]));
    let same = vec![cast(BOOL, "x", "b"), node("Equal", &["b", "yes"], &["y"])];
    let yes = raw("yes", BOOL, &[1], vec![1]);
    gives("Equal of BOOL", &from_to(FLOAT, BOOL, same, vec![yes]), &x, &bools(&[true, false, true, true]));
}

#[test]
fn softmax_before_opset_13_goes_over_all_that_follows() {
    let x = f32s(&[1, 2, 2], &[0.0; 4]);
    for (opset, each) in [(12, 0.25_f32), (13, 0.5)] {
        for (op, y) in [("Softmax", each), ("LogSoftmax", each.ln())] {
            let model = of_opset(from_to(FLOAT, FLOAT, vec![node(op, &["x"], &["y"])], vec![]), opset);
            gives(&format!("{op} of opset {opset}"), &without_ml(model), &x, &f32s(&[1, 2, 2], &[y; 4]));
        }
    }
}

/// Opset 12 of the standard set beside itself, and not of `ai.onnx.ml`, which has none.
fn without_ml(mut model: ModelProto) -> ModelProto {
    model.opset_import.truncate(1);
    model
}

#[test]
fn the_first_of_equal_values_is_the_largest() {
    let x = f32s(&[3], &[1.0, 3.0, 3.0]);
    let call = |op: &str, last: i64| vec![with(node(op, &["x"], &["y"]), vec![number("select_last_index", last)])];
    for (op, last, place) in [("ArgMax", 0, 1), ("ArgMax", 1, 2), ("ArgMin", 0, 0)] {
        gives(op, &from_to(FLOAT, INT64, call(op, last), vec![]), &x, &i64s(&[1], &[place]));
    }
    let ties = f32s(&[3], &[2.0, 1.0, 1.0]);
    gives("ArgMin", &from_to(FLOAT, INT64, call("ArgMin", 0), vec![]), &ties, &i64s(&[1], &[1]));
}

#[test]
fn a_missing_value_stays_missing() {
    let bounds = || vec![constant("lo", &[], &[0.0]), constant("hi", &[], &[6.0])];
    for call in [node("Relu", &["x"], &["y"]), node("Clip", &["x", "lo", "hi"], &["y"]), node("Neg", &["x"], &["y"])] {
        let op = call.op_type.clone().unwrap();
        on_each_engine("NaN", |lab, choice| {
            let model = lab.load(choice, &from_to(FLOAT, FLOAT, vec![call.clone()], bounds())).unwrap();
            let y = run(&model, x(f32s(&[2], &[f32::NAN, 1.0]))).unwrap().outputs[0].1.to_f32().unwrap();
            assert!(y[0].is_nan() && y[1].abs() == 1.0, "{op} on {choice:?}: {y:?}");
        });
    }
}

#[test]
fn same_lower_pads_before() {
    let x = f32s(&[1, 1, 1, 3], &[1.0, 2.0, 3.0]);
    for (pad, y) in [("SAME_LOWER", [10.0, 21.0, 32.0]), ("SAME_UPPER", [21.0, 32.0, 3.0])] {
        let conv = with(node("Conv", &["x", "w"], &["y"]), vec![text_attribute("auto_pad", pad)]);
        let model = from_to(FLOAT, FLOAT, vec![conv], vec![constant("w", &[1, 1, 1, 2], &[1.0, 10.0])]);
        gives(pad, &model, &x, &f32s(&[1, 1, 1, 3], &y));
        let pool = vec![text_attribute("auto_pad", pad), numbers("kernel_shape", &[1, 2])];
        let model = from_to(FLOAT, FLOAT, vec![with(node("MaxPool", &["x"], &["y"]), pool)], vec![]);
        let y = if pad == "SAME_LOWER" { [1.0, 2.0, 3.0] } else { [2.0, 3.0, 3.0] };
        gives(pad, &model, &x, &f32s(&[1, 1, 1, 3], &y));
    }
}

#[test]
fn a_recurrent_network_looks_at_the_lengths() {
    // Two steps of two sequences, of which the second has one: its state stays, its output is zero.
    let x = f32s(&[2, 2, 1], &[1.0, 1.0, 1.0, 1.0]);
    for (op, gates) in [("GRU", 3), ("LSTM", 4), ("RNN", 1)] {
        let weights = |name: &str| constant(name, &[1, gates, 1], &vec![0.5; usize::try_from(gates).unwrap()]);
        let lengths = raw("n", I32, &[2], [2_i32, 1].map(i32::to_le_bytes).concat());
        let call = with(node(op, &["x", "w", "r", "", "n"], &["y"]), vec![number("hidden_size", 1)]);
        let steps = [D::N(2), D::N(1), D::N(2), D::N(1)];
        let (inputs, outputs) = (value("x", FLOAT, &[D::N(2), D::N(2), D::N(1)]), value("y", FLOAT, &steps));
        let mut graph = graph(vec![call], vec![inputs], vec![outputs]);
        graph.initializer = vec![weights("w"), weights("r"), lengths];
        let model = model(graph);
        on_each_engine(op, |lab, choice| {
            let model = lab.load(choice, &model).unwrap();
            let y = run(&model, support::x(x.clone())).unwrap().outputs[0].1.to_f32().unwrap();
            // [steps, 1, sequences, 1]
            assert!(y[0] == y[1] && y[2] != 0.0 && y[3] == 0.0, "{op} on {choice:?}: {y:?}");
        });
    }
}

#[test]
fn large_numbers_stay_finite() {
    let model = from_to(FLOAT, FLOAT, vec![node("Softplus", &["x"], &["y"])], vec![]);
    gives("Softplus", &model, &f32s(&[2], &[100.0, 1000.0]), &f32s(&[2], &[100.0, 1000.0]));
    let model = from_to(FLOAT, FLOAT, vec![node("Sign", &["x"], &["y"])], vec![]);
    gives("Sign", &model, &f32s(&[3], &[-2.0, 0.0, 7.0]), &f32s(&[3], &[-1.0, 0.0, 1.0]));
}

#[test]
fn products_of_bytes_do_not_depend_on_the_processor() {
    let bytes = |shape: &[u32], of: &[u8]| Tensor::from_bytes(ElementType::Uint8, shape.to_vec(), of.to_vec()).unwrap();
    let square = from_to(U8, I32, vec![node("MatMulInteger", &["x", "x"], &["y"])], vec![]);
    gives("MatMulInteger", &square, &bytes(&[2, 2], &[255; 4]), &i32s(&[2, 2], &[130_050; 4]));
    // Padding is the zero point, not the number zero.
    let pads = vec![numbers("pads", &[0, 1, 0, 1])];
    let conv = with(node("ConvInteger", &["x", "w", "z"], &["y"]), pads);
    let constants = vec![raw("w", U8, &[1, 1, 1, 3], vec![1, 2, 255]), raw("z", U8, &[], vec![10])];
    let x = bytes(&[1, 1, 1, 2], &[11, 255]);
    // (0, 1, 245) and (1, 245, 0) times (1, 2, 255).
    gives("ConvInteger", &from_to(U8, I32, vec![conv], constants), &x, &i32s(&[1, 1, 1, 2], &[2 + 245 * 255, 1 + 490]));
}

#[test]
fn types_within_the_graph_are_what_they_say() {
    let cast = |to: i32, from: &str, into: &str| with(node("Cast", &[from], &[into]), vec![number("to", to.into())]);
    // 1 + 2^-40 - 1 is 0 in float32.
    let tiny = 2.0_f64.powi(-40);
    let wide = vec![
        cast(F64, "x", "w"),
        node("Add", &["w", "t"], &["s"]),
        node("Sub", &["s", "w"], &["d"]),
        cast(FLOAT, "d", "y"),
    ];
    let model = from_to(FLOAT, FLOAT, wide, vec![raw("t", F64, &[1], tiny.to_le_bytes().to_vec())]);
    gives("float64", &model, &f32s(&[1], &[1.0]), &f32s(&[1], &[tiny as f32]));
    // float16 keeps its bits, in constants too.
    let joined = with(node("Concat", &["x", "c"], &["y"]), vec![number("axis", 0)]);
    let model = from_to(F16, F16, vec![joined], vec![raw("c", F16, &[1], vec![0x01, 0x00])]);
    let half = |of: &[u16]| tensor(ElementType::Float16, &[of.len().try_into().unwrap()], of, u16::to_le_bytes);
    gives("float16", &model, &half(&[0x6800, 0x8001]), &half(&[0x6800, 0x8001, 0x0001]));
    // Beyond 32 bits, by an initializer and by the node's own forms.
    let big = 1_i64 << 40;
    let sum = || node("Add", &["x", "c"], &["y"]);
    let model = from_to(INT64, INT64, vec![sum()], vec![raw("c", INT64, &[1], big.to_le_bytes().to_vec())]);
    gives("int64", &model, &i64s(&[2], &[1, -big]), &i64s(&[2], &[big + 1, 0]));
    for form in [number("value_int", big), numbers("value_ints", &[big])] {
        let nodes = vec![with(node("Constant", &[], &["c"]), vec![form]), sum()];
        gives("int64", &from_to(INT64, INT64, nodes, vec![]), &i64s(&[1], &[big]), &i64s(&[1], &[2 * big]));
    }
}

fn sequence(name: &str) -> ValueInfoProto {
    let r#type = Some(TypeProto { sequence_type: Some(Box::default()), ..Default::default() });
    ValueInfoProto { name: Some(name.to_owned()), r#type }
}

fn refused(model: &ModelProto, words: &[&str]) {
    let lab = Lab::new();
    let error = lab.load(EngineChoice::Rten, model).expect_err(&words.join(" "));
    assert_eq!(error.code(), "TS-0506", "{error}");
    let text = error.to_string();
    let remedy = ["trackside engine install", "--engine onnxruntime"];
    assert!(remedy.iter().any(|command| text.contains(command)), "{text}");
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
    // The same without loading it.
    let verdict = trackside_models::onnx::inspect(&lab.path().join("model.onnx")).unwrap().builtin;
    assert!(!verdict.is_fit() && text.contains(&verdict.reasons()), "{text}: {verdict:?}");
}

#[test]
fn what_is_not_proved_is_refused_with_operator_version_and_reason() {
    let call = |op: &str, attributes| from_to(FLOAT, FLOAT, vec![with(node(op, &["x"], &["y"]), attributes)], vec![]);
    refused(&in_sequence(), &["has no operator SequenceAt, SequenceConstruct"]);
    refused(&call("Relu", vec![number("alpha", 1)]), &["Relu of opset 17", "\"alpha\" is not known"]);
    refused(&of_opset(call("Relu", vec![]), 99), &["Relu of opset 99", "versions 7 to"]);
    refused(&from_to(U8, U8, vec![node("Exp", &["x"], &["y"])], vec![]), &["Exp of opset 17", "uint8"]);
    let named = NodeProto { name: Some("first".to_owned()), ..node("Exp", &["x"], &["h"]) };
    let sum = vec![named, node("Exp", &["x"], &["k"]), node("Add", &["h", "k"], &["y"])];
    let twice = from_to(U8, U8, sum, vec![]);
    refused(&twice, &["Exp of opset 17 (\"first\" and 1 more)"]);
    // What follows from a refusal is none of its own.
    let chain =
        from_to(FLOAT, FLOAT, vec![node("SequenceConstruct", &["x"], &["h"]), node("Relu", &["h"], &["y"])], vec![]);
    let text = Lab::new().load(EngineChoice::Rten, &chain).unwrap_err().to_string();
    assert!(text.contains("SequenceConstruct") && !text.contains("Relu"), "{text}");
    // What nobody can take is not asked for, and what it needs is not either.
    let mut beside = call("Neg", vec![]);
    let graph_of = beside.graph.as_mut().unwrap();
    graph_of.node.extend([node("SequenceConstruct", &["y"], &["t"]), node("SequenceErase", &["t"], &["s"])]);
    graph_of.output.push(sequence("s"));
    let lab = Lab::new();
    let model = lab.load(EngineChoice::Rten, &beside).unwrap();
    assert_eq!(run(&model, x(f32s(&[1], &[2.0]))).unwrap().outputs, [("y".to_owned(), f32s(&[1], &[-2.0]))]);
    assert_eq!(model.info().left_out[0].name, "s");
    // A value that is made twice.
    let twice = vec![node("Neg", &["x"], &["y"]), node("Abs", &["x"], &["y"])];
    refused(&from_to(FLOAT, FLOAT, twice, vec![]), &["Abs of opset 17", "has the name of another value"]);
    // In a branch as well.
    let branch = |op: &str| graph(vec![node(op, &["x"], &["b"])], vec![], vec![value("b", FLOAT, &[D::S("N")])]);
    let branches =
        vec![graph_attribute("then_branch", branch("Neg")), graph_attribute("else_branch", branch("SequenceAt"))];
    let choice = with(node("If", &["yes"], &["y"]), branches);
    refused(&from_to(FLOAT, FLOAT, vec![choice], vec![raw("yes", BOOL, &[], vec![1])]), &["no operator SequenceAt"]);
}

#[test]
fn every_missing_operator_is_told_once() {
    let mut nodes: Vec<_> = (0..50).map(|_| node("SequenceConstruct", &["x"], &["u"])).collect();
    nodes.extend(["SequenceErase", "SequenceEmpty"].map(|op| node(op, &["u"], &["h"])));
    nodes.push(node("Neg", &["h"], &["y"]));
    let lab = Lab::new();
    let path = lab.write("model.onnx", &from_to(FLOAT, FLOAT, nodes, vec![]));
    assert_eq!(
        trackside_models::onnx::inspect(&path).unwrap().builtin.missing,
        ["SequenceConstruct", "SequenceEmpty", "SequenceErase"]
    );
}

#[test]
fn what_a_model_asks_for_is_an_error_and_not_the_end_of_the_process() {
    // A terabyte by a constant of eight bytes, and by a loop that collects without an end.
    let shape = raw("s", INT64, &[1], (1_i64 << 38).to_le_bytes().to_vec());
    let expand = from_to(FLOAT, FLOAT, vec![node("Expand", &["x", "s"], &["y"])], vec![shape]);
    let lab = Lab::new();
    let error = lab.load(EngineChoice::Rten, &expand).unwrap_err();
    assert!(error.to_string().contains("that a run may hold"), "{error}");
    let body = GraphProto {
        node: vec![node("Identity", &["c"], &["c2"]), node("Expand", &["x", "s"], &["row"])],
        input: vec![value("i", INT64, &[]), value("c", BOOL, &[])],
        output: vec![value("c2", BOOL, &[]), value("row", FLOAT, &[D::S("K")])],
        ..Default::default()
    };
    let call = with(node("Loop", &["", "yes"], &["y"]), vec![graph_attribute("body", body)]);
    let constants = vec![raw("yes", BOOL, &[], vec![1]), raw("s", INT64, &[1], (1_i64 << 22).to_le_bytes().to_vec())];
    let error = lab.load(EngineChoice::Rten, &from_to(FLOAT, FLOAT, vec![call], constants)).unwrap_err();
    assert!(error.to_string().contains("that a run may hold"), "{error}");
}

#[test]
fn constants_that_name_one_place_of_a_file_again_and_again_do_not_fill_the_memory() {
    let lab = Lab::new();
    std::fs::write(lab.path().join("w.data"), vec![0; 64 << 20]).unwrap();
    let weights = |index: usize| {
        let entry = trackside_models::onnx::proto::StringStringEntryProto {
            key: Some("location".into()),
            value: Some("w.data".into()),
        };
        let tensor = raw(&format!("w{index}"), FLOAT, &[16 << 20], Vec::new());
        TensorProto { raw_data: None, data_location: Some(1), external_data: vec![entry], ..tensor }
    };
    let nodes = vec![node("Neg", &["x"], &["y"])];
    let many = from_to(FLOAT, FLOAT, nodes, (0..1000).map(weights).collect());
    let error = lab.load(EngineChoice::Rten, &many).unwrap_err();
    assert!(error.to_string().contains("lie over each other"), "{error}");
}

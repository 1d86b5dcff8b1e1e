//! What the built-in engine is found to compute wrongly is refused when a model is loaded, with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests, helpers included")]

mod support;

use support::*;
use trackside_models::EngineChoice;
use trackside_models::onnx::proto::{AttributeProto, ModelProto, NodeProto, StringStringEntryProto, data_type};

fn refused(model: &ModelProto, words: &str) {
    let error = Lab::new().load(EngineChoice::Rten, model).expect_err(words);
    assert_eq!(error.code(), "TS-0506", "{error}");
    assert!(error.to_string().contains(words), "{words}: {error}");
}

/// The judge has nothing against it.
fn fit(model: &ModelProto) {
    let lab = Lab::new();
    let path = lab.write("fit.onnx", model);
    let verdict = trackside_models::onnx::inspect(&path).unwrap().builtin;
    assert!(verdict.is_fit(), "{}", verdict.reasons());
}

fn call(op: &str, attributes: Vec<AttributeProto>) -> ModelProto {
    unary(NodeProto { attribute: attributes, ..node(op, &["x"], &["y"]) })
}

fn number(name: &str, number: i64) -> AttributeProto {
    attribute(name, |a| (a.i, a.r#type) = (Some(number), Some(2)))
}

#[test]
fn calls_that_give_wrong_numbers() {
    for op in
        ["ArgMax", "ArgMin", "Softplus", "Asinh", "Acosh", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"]
    {
        refused(&call(op, Vec::new()), op);
    }
    for element in [BOOL, data_type::INT8, data_type::DOUBLE, data_type::FLOAT16] {
        refused(&call("Cast", vec![number("to", i64::from(element))]), "Cast to another type");
    }
    fit(&call("Cast", vec![number("to", i64::from(FLOAT))]));
    for op in ["Conv", "MaxPool", "AveragePool", "ConvTranspose"] {
        refused(&call(op, vec![text_attribute("auto_pad", "SAME_LOWER")]), "SAME_LOWER");
        fit(&call(op, vec![text_attribute("auto_pad", "SAME_UPPER")]));
    }
    refused(&call("ReduceL2", vec![number("noop_with_empty_axes", 1)]), "noop_with_empty_axes");
    // A sum of nothing else is what it was.
    fit(&call("ReduceSum", vec![number("noop_with_empty_axes", 1)]));
    refused(&unary(node("SequenceInsert", &["s", "x", "p"], &["y"])), "SequenceInsert");
    refused(&unary(node("Dropout", &["x"], &["y", "mask"])), "mask");
    fit(&call("Dropout", Vec::new()));
    for op in ["LSTM", "GRU"] {
        refused(&unary(node(op, &["x", "w", "r", "b", "lengths"], &["y"])), "sequence_lens");
        fit(&unary(node(op, &["x", "w", "r", "b", "", "h"], &["y"])));
    }
}

#[test]
fn softmax_as_it_was_before_opset_13() {
    for op in ["Softmax", "LogSoftmax"] {
        let mut model = call(op, Vec::new());
        fit(&model);
        model.opset_import.iter_mut().for_each(|set| set.version = Some(12));
        refused(&model, "before opset 13");
    }
}

/// An int64 constant `c`, given by an initializer.
fn whole(number: i64, reader: NodeProto) -> ModelProto {
    let mut model = call("Identity", Vec::new());
    let graph = model.graph.as_mut().unwrap();
    graph.initializer = vec![raw("c", INT64, &[1], number.to_le_bytes().to_vec())];
    graph.node.push(reader);
    model
}

#[test]
fn int64_constants_beyond_32_bits() {
    let slice = || node("Slice", &["x", "a", "c"], &["n"]);
    refused(&whole(1 << 40, node("Neg", &["c"], &["n"])), "beyond 32 bits");
    fit(&whole(7, node("Neg", &["c"], &["n"])));
    // The end of a slice, and the tensor that is sliced.
    fit(&whole(i64::MAX, slice()));
    refused(&whole(i64::MAX, node("Slice", &["c", "a", "b"], &["n"])), "beyond 32 bits");
    // Read as a bound and as a number.
    let mut both = whole(i64::MAX, slice());
    both.graph.as_mut().unwrap().node.push(node("Neg", &["c"], &["m"]));
    refused(&both, "beyond 32 bits");
    // Read by a subgraph alone.
    let branch = || graph(vec![node("Neg", &["c"], &["b"])], Vec::new(), vec![value("b", INT64, &[D::N(1)])]);
    let branches = vec![graph_attribute("then_branch", branch()), graph_attribute("else_branch", branch())];
    let choice = NodeProto { attribute: branches, ..node("If", &["x"], &["n"]) };
    refused(&whole(1 << 40, choice), "beyond 32 bits");
    // The model's own output.
    let mut given = whole(1 << 40, node("Neg", &["x"], &["n"]));
    given.graph.as_mut().unwrap().output.push(value("c", INT64, &[D::N(1)]));
    refused(&given, "beyond 32 bits");
}

#[test]
fn int64_constants_in_every_form() {
    let constant = |form: AttributeProto, reader: NodeProto| {
        let mut model = call("Identity", Vec::new());
        let made = NodeProto { attribute: vec![form], ..node("Constant", &[], &["c"]) };
        model.graph.as_mut().unwrap().node.extend([made, reader]);
        model
    };
    let typed = || {
        let mut tensor = raw("", INT64, &[1], Vec::new());
        (tensor.raw_data, tensor.int64_data) = (None, vec![i64::MIN]);
        attribute("value", |a| (a.t, a.r#type) = (Some(tensor), Some(4)))
    };
    let list = || attribute("value_ints", |a| (a.ints, a.r#type) = (vec![0, i64::MAX], Some(7)));
    for form in [typed(), list(), number("value_int", 1 << 31)] {
        refused(&constant(form.clone(), node("Neg", &["c"], &["n"])), "beyond 32 bits");
        fit(&constant(form, node("Slice", &["x", "a", "c"], &["n"])));
    }
    let filled = attribute("value", |a| {
        (a.t, a.r#type) = (Some(raw("", INT64, &[1], vec![0xff; 7].into_iter().chain([0x7f]).collect())), Some(4))
    });
    refused(&call("ConstantOfShape", vec![filled]), "beyond 32 bits");
    // In a weight file nobody looks at the numbers.
    let lab = Lab::new();
    std::fs::write(lab.path().join("w.data"), 1_i64.to_le_bytes()).unwrap();
    let mut outside = whole(1, node("Neg", &["c"], &["n"]));
    let tensor = &mut outside.graph.as_mut().unwrap().initializer[0];
    let entry = |key: &'static str, value: &'static str| StringStringEntryProto {
        key: Some(key.as_bytes().into()),
        value: Some(value.as_bytes().into()),
    };
    (tensor.raw_data, tensor.data_location) = (None, Some(1));
    tensor.external_data = vec![entry("location", "w.data")];
    let error = lab.load(EngineChoice::Rten, &outside).unwrap_err().to_string();
    assert!(error.contains("in a weight file"), "{error}");
}

#[test]
fn constants_of_types_that_it_does_not_have() {
    for (element, width, name) in [(data_type::DOUBLE, 8, "float64"), (data_type::FLOAT16, 2, "float16")] {
        let mut model = call("Identity", Vec::new());
        model.graph.as_mut().unwrap().initializer = vec![raw("c", element, &[1], vec![0; width])];
        refused(&model, &format!("constants of {name}"));
    }
}

#[test]
fn nan_is_not_given_to_operators_that_make_a_number_of_it() {
    let lab = Lab::new();
    let model = lab.load(EngineChoice::Rten, &call("Relu", Vec::new())).unwrap();
    let given = |values: [f32; 2]| run(&model, vec![("x".to_owned(), f32s(&[2], &values))]);
    let error = given([f32::NAN, 1.0]).unwrap_err().to_string();
    assert!(error.contains("NaN") && error.contains("onnxruntime"), "{error}");
    assert_eq!(given([-1.0, 1.0]).unwrap().outputs[0].1, f32s(&[2], &[0.0, 1.0]));
    // Where it stays NaN it is taken.
    let model = lab.load(EngineChoice::Rten, &call("Neg", Vec::new())).unwrap();
    let out = run(&model, vec![("x".to_owned(), f32s(&[1], &[f32::NAN]))]).unwrap();
    assert!(f32::from_le_bytes(out.outputs[0].1.data().try_into().unwrap()).is_nan());
}

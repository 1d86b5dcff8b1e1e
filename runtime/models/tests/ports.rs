//! Inputs and outputs: those with a default, those that cannot be carried, and graphs that are more than is read.

use crate::support::*;
use trackside_codes::Coded;
use trackside_models::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OpaqueProto, TypeProto, ValueInfoProto, data_type,
};
use trackside_models::{EngineChoice, ModelError, ModelSource, onnx, takes};
use trackside_spec::Tensor;

/// y = x * scale + shift, where scale is 2 and shift is 1 unless they are given.
fn scaled(ir_version: i64) -> ModelProto {
    let shape = [D::S("N")];
    let mut graph = graph(
        vec![node("Mul", &["x", "scale"], &["h"]), node("Add", &["h", "shift"], &["y"])],
        vec![value("shift", FLOAT, &[D::N(1)]), value("x", FLOAT, &shape), value("scale", FLOAT, &[D::N(1)])],
        vec![value("y", FLOAT, &shape)],
    );
    graph.initializer = vec![constant("scale", &[1], &[2.0]), constant("shift", &[1], &[1.0])];
    let mut model = model(graph);
    if ir_version < 4 {
        model.opset_import.truncate(1);
        model.opset_import[0].version = Some(8);
    }
    model.ir_version = Some(ir_version);
    model
}

fn one(name: &str, number: f32) -> (String, Tensor) {
    (name.to_owned(), f32s(&[1], &[number]))
}

#[test]
fn an_input_with_a_default_may_be_given_and_left_out() {
    on_each_engine("inputs with defaults", |lab, choice| {
        let model = lab.load(choice, &scaled(8)).unwrap();
        let input = |name: &str| model.info().inputs.iter().find(|port| port.name == name).unwrap().clone();
        assert_eq!(["x", "scale", "shift"].map(|name| input(name).optional), [false, true, true]);
        let told = takes(&model.info().inputs);
        assert_eq!(told, "x (float32[?]); it may be given shift (float32[1]), scale (float32[1])");
        for (given, expected) in [
            (vec![one("x", 3.0)], 7.0),
            (vec![one("x", 3.0), one("scale", 10.0)], 31.0),
            (vec![one("shift", -1.0), one("x", 3.0)], 5.0),
            (vec![one("scale", 0.5), one("shift", 0.0), one("x", 3.0)], 1.5),
        ] {
            // Twice: what was given once does not stay.
            for _ in 0..2 {
                assert_eq!(run(&model, given.clone()).unwrap().outputs[0].1, f32s(&[1], &[expected]), "{given:?}");
            }
        }
        let error = run(&model, vec![one("scale", 1.0)]).unwrap_err().to_string();
        assert!(error.contains("input \"x\"") && error.contains("it is missing"), "{error}");
        let wide = ("scale".to_owned(), f32s(&[2], &[1.0, 2.0]));
        let error = run(&model, vec![one("x", 3.0), wide]).unwrap_err();
        assert!(error.code() == "TS-0510" && error.to_string().contains("float32[1]"), "{error}");
    });
}

#[test]
fn before_version_4_every_initializer_is_a_constant_as_in_onnxruntime() {
    on_each_engine("constants of version 3", |lab, choice| {
        let model = lab.load(choice, &scaled(3)).unwrap();
        assert_eq!(model.info().inputs.iter().map(|port| port.name.as_str()).collect::<Vec<_>>(), ["x"]);
        assert_eq!(run(&model, vec![one("x", 3.0)]).unwrap().outputs[0].1, f32s(&[1], &[7.0]));
        let error = run(&model, vec![one("x", 3.0), one("scale", 10.0)]).unwrap_err();
        assert!(error.code() == "TS-0510" && error.to_string().contains("no such input"), "{error}");
    });
}

#[test]
fn a_model_whose_inputs_all_have_defaults_needs_none() {
    on_each_engine("no inputs", |lab, choice| {
        let mut proto = scaled(8);
        proto.graph.as_mut().unwrap().initializer.push(constant("x", &[2], &[1.0, 2.0]));
        let model = lab.load(choice, &proto).unwrap();
        assert_eq!(run(&model, vec![]).unwrap().outputs[0].1, f32s(&[2], &[3.0, 5.0]));
        assert_eq!(run(&model, vec![one("x", 4.0)]).unwrap().outputs[0].1, f32s(&[1], &[9.0]));
        assert!(takes(&model.info().inputs).starts_with("nothing that has no default; it may be given"));
    });
}

#[test]
fn a_default_that_nobody_can_replace_is_no_reason_to_refuse_the_model() {
    // A float8 weight that is listed as an input, as some exporters do: used by nobody here.
    let mut proto = scaled(8);
    let graph = proto.graph.as_mut().unwrap();
    graph.input.push(value("odd", 17, &[D::N(1)]));
    graph.initializer.push(raw("odd", 17, &[1], vec![0]));
    let path = Lab::new();
    let path = (path.write("model.onnx", &proto), path);
    let found = onnx::inspect(&path.0).unwrap();
    let odd = found.inputs.iter().find(|port| port.name == "odd").unwrap();
    assert!(odd.optional && odd.element.is_none() && odd.kind == "float8e4m3fn", "{odd:?}");
    assert!(!found.inputs.iter().find(|port| port.name == "x").unwrap().optional);
}

fn with_type(name: &str, set: impl FnOnce(&mut TypeProto)) -> ValueInfoProto {
    let mut kind = TypeProto::default();
    set(&mut kind);
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(kind) }
}

/// Ports that cannot be carried, what they are called, and a word of what helps for an input and for an output.
fn foreign(name: &str) -> Vec<(ValueInfoProto, &'static str, &'static str, &'static str)> {
    let opaque = Some(OpaqueProto {});
    vec![
        (with_type(name, |t| t.sequence_type = Some(Box::default())), "a sequence", "one tensor input", "SequenceAt"),
        (with_type(name, |t| t.map_type = Some(Box::default())), "a map", "fixed order", "values as a tensor"),
        (with_type(name, |t| t.optional_type = opaque.clone()), "an optional value", "ordinary", "OptionalGetElement"),
        (with_type(name, |t| t.sparse_tensor_type = opaque.clone()), "a sparse tensor", "dense", "dense"),
        (with_type(name, |_| {}), "a value of undeclared type", "types of its inputs", "types of its outputs"),
        (value(name, 0, &[D::N(1)]), "a value of undeclared type", "types of its inputs", "types of its outputs"),
        (value(name, 17, &[D::N(1)]), "a float8e4m3fn tensor", "`Cast`", "`Cast`"),
        (value(name, 20, &[D::N(1)]), "a float8e5m2fnuz tensor", "`Cast`", "`Cast`"),
        (value(name, 22, &[D::N(1)]), "an int4 tensor", "int8 or uint8", "int8 or uint8"),
        (value(name, 21, &[D::N(1)]), "a uint4 tensor", "int8 or uint8", "int8 or uint8"),
        (value(name, 23, &[D::N(1)]), "a float4e2m1 tensor", "float32 or float16", "float32 or float16"),
        (value(name, data_type::COMPLEX64, &[D::N(1)]), "a complex64 tensor", "two parts", "imaginary"),
    ]
}

#[test]
fn an_input_that_cannot_be_carried_is_told_as_what_it_is() {
    for (input, what, helps, _) in foreign("odd") {
        let lab = Lab::new();
        let mut proto = add();
        proto.graph.as_mut().unwrap().input.push(input);
        let error = lab.load(EngineChoice::Auto, &proto).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ModelError::Ports { .. }) && error.code() == "TS-0540", "{text}");
        assert!(text.contains(&format!("its input \"odd\" is {what}, which Trackside cannot give")), "{text}");
        assert!(text.contains(helps) && !text.contains("copied whole"), "{text}");
        // Looking at it is possible all the same.
        onnx::inspect(&lab.path().join("model.onnx")).unwrap();
    }
}

#[test]
fn outputs_that_cannot_be_carried_are_left_out_and_told_with_what_helps() {
    for (output, what, _, helps) in foreign("odd") {
        let lab = Lab::new();
        let mut proto = add();
        proto.graph.as_mut().unwrap().output = vec![output];
        let text = lab.load(EngineChoice::Auto, &proto).unwrap_err().to_string();
        assert!(text.contains(&format!("\"odd\" is {what}")) && text.contains(helps), "{text}");
        assert!(text.contains("gives nothing that Trackside can take"), "{text}");
    }
    // Beside one that can: on ONNX Runtime, whose operators make sequences in every position.
    let mut proto = add();
    let graph = proto.graph.as_mut().unwrap();
    graph.node.push(node("SequenceConstruct", &["a", "b"], &["pair"]));
    graph.output.push(with_type("pair", |t| t.sequence_type = Some(Box::default())));
    let path = Lab::new();
    let file = path.write("seq.onnx", &proto);
    assert_eq!(onnx::inspect(&file).unwrap().outputs[2].kind, "sequence");
}

#[test]
fn names_that_stand_twice_are_no_damage() {
    for change in [
        (|graph: &mut GraphProto| graph.input.push(value("a", FLOAT, &[D::N(1)]))) as fn(&mut GraphProto),
        |graph| graph.output.push(graph.output[0].clone()),
        |graph| graph.input[0].name = None,
    ] {
        let mut proto = add();
        change(proto.graph.as_mut().unwrap());
        let error = Lab::new().load(EngineChoice::Auto, &proto).unwrap_err();
        assert_eq!(error.code(), "TS-0540", "{error}");
        assert!(error.to_string().contains("is empty or stands twice"), "{error}");
    }
}

#[test]
fn graphs_that_nest_too_deep_are_told_as_such() {
    let nested = |depth: usize| {
        let mut inner = GraphProto { name: Some("inner".to_owned()), ..Default::default() };
        for _ in 1..depth {
            let attribute = AttributeProto { g: Some(inner), ..attribute("then_branch", |a| a.r#type = Some(5)) };
            let call = NodeProto { attribute: vec![attribute], ..node("If", &["c"], &["y"]) };
            inner = GraphProto { node: vec![call], ..Default::default() };
        }
        inner.input = vec![value("x", FLOAT, &[])];
        inner.output = vec![value("y", FLOAT, &[])];
        model(inner)
    };
    let lab = Lab::new();
    onnx::inspect(&lab.write("deep.onnx", &nested(16))).unwrap();
    let path = lab.write("deeper.onnx", &nested(17));
    for error in [onnx::inspect(&path).unwrap_err(), lab.engines().load(&ModelSource::new("m", &path)).unwrap_err()] {
        let text = error.to_string();
        assert!(matches!(error, ModelError::TooMuch { .. }) && error.code() == "TS-0541", "{text}");
        assert!(text.contains("nest deeper than 16 levels") && !text.contains("copied whole"), "{text}");
    }
}

//! Outputs that are no tensors: both engines give the same JSON.

use serde_json::{Value, json};
use trackside_models::onnx::proto::{
    AttributeProto, GraphProto, MapTypeProto, ModelProto, NodeProto, SequenceTypeProto, TensorTypeProto, TypeProto,
    ValueInfoProto, data_type,
};
use trackside_models::{EngineChoice, ModelError, Output, onnx};

use crate::support::{
    D, FLOAT, INT64, Lab, attribute, f32s, graph, model, node, on_each_engine, run, run_any, value, x,
};

fn tensor(element: i32) -> TypeProto {
    TypeProto { tensor_type: Some(TensorTypeProto { elem_type: Some(element), shape: None }), ..TypeProto::default() }
}

fn sequence(of: TypeProto) -> TypeProto {
    let sequence = SequenceTypeProto { elem_type: Some(of) };
    TypeProto { sequence_type: Some(Box::new(sequence)), ..TypeProto::default() }
}

fn map(key: i32, of: TypeProto) -> TypeProto {
    let map = MapTypeProto { key_type: Some(key), value_type: Some(of) };
    TypeProto { map_type: Some(Box::new(map)), ..TypeProto::default() }
}

fn port(name: &str, kind: TypeProto) -> ValueInfoProto {
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(kind) }
}

fn zipmap(labels: AttributeProto) -> NodeProto {
    NodeProto { domain: Some("ai.onnx.ml".to_owned()), attribute: vec![labels], ..node("ZipMap", &["x"], &["maps"]) }
}

fn whole(labels: &[i64]) -> AttributeProto {
    attribute("classlabels_int64s", |a| (a.ints, a.r#type) = (labels.to_vec(), Some(7)))
}

fn texts(labels: &[&'static str]) -> AttributeProto {
    let labels = labels.iter().map(|label| (*label).into()).collect();
    attribute("classlabels_strings", |a| (a.strings, a.r#type) = (labels, Some(8)))
}

fn one(nodes: Vec<NodeProto>, shape: &[D], kind: TypeProto) -> ModelProto {
    model(graph(nodes, vec![value("x", FLOAT, shape)], vec![port("maps", kind)]))
}

/// The only output of a model that takes `x`.
fn given(lab: &Lab, choice: EngineChoice, proto: &ModelProto, shape: &[u32], values: &[f32]) -> Value {
    let model = lab.load(choice, proto).unwrap();
    assert!(model.info().left_out.is_empty() && model.info().caveats.is_empty(), "{:?}", model.info());
    let ran = run_any(&model, x(f32s(shape, values))).unwrap();
    match ran.outputs.as_slice() {
        [(name, Output::Json(value))] if name == "maps" => value.clone(),
        other => panic!("{other:?}"),
    }
}

const ROWS: [D; 2] = [D::S("N"), D::S("C")];

#[test]
fn a_zipmap_gives_an_object_for_each_row_on_both_engines() {
    on_each_engine("a ZipMap", |lab, choice| {
        let three = [D::S("N"), D::N(3)];
        let numbers = one(vec![zipmap(whole(&[10, -2, 3]))], &three, sequence(map(INT64, tensor(FLOAT))));
        let numbers = |shape: &[u32], values: &[f32]| given(lab, choice, &numbers, shape, values);
        let values = [0.1, 0.2, f32::NAN, f32::INFINITY, -0.0, f32::NEG_INFINITY];
        let wanted = json!([{"-2": 0.2, "3": "NaN", "10": 0.1}, {"-2": -0.0, "3": "-Infinity", "10": "Infinity"}]);
        // As text as well: the order of the keys is part of what people see.
        assert_eq!(numbers(&[2, 3], &values).to_string(), wanted.to_string());
        assert_eq!(numbers(&[0, 3], &[]), json!([]));
        let named = one(vec![zipmap(texts(&["b", "", "a\"é"]))], &three, sequence(map(8, tensor(FLOAT))));
        let wanted = json!([{"": 2.0, "a\"é": 3.0, "b": 1.0}]);
        assert_eq!(given(lab, choice, &named, &[1, 3], &[1.0, 2.0, 3.0]).to_string(), wanted.to_string());
        // One key twice, and a row without a batch.
        let twice = one(vec![zipmap(whole(&[1, 1]))], &[D::N(2)], sequence(map(INT64, tensor(FLOAT))));
        assert_eq!(given(lab, choice, &twice, &[2], &[7.0, 8.0]), json!([{"1": 8.0}]));
    });
}

#[test]
fn a_sequence_gives_a_list_of_nested_lists_on_both_engines() {
    on_each_engine("a sequence", |lab, choice| {
        let nodes = vec![node("Neg", &["x"], &["y"]), node("SequenceConstruct", &["x", "y", "x"], &["maps"])];
        let proto = one(nodes, &ROWS, sequence(tensor(FLOAT)));
        let wanted = json!([[[1.0, 2.5]], [[-1.0, -2.5]], [[1.0, 2.5]]]);
        assert_eq!(given(lab, choice, &proto, &[1, 2], &[1.0, 2.5]), wanted);
    });
}

#[test]
fn only_onnxruntime_has_more_of_them() {
    let split = one(vec![node("SplitToSequence", &["x"], &["maps"])], &[D::S("N")], sequence(tensor(FLOAT)));
    let lab = Lab::new();
    let error = lab.load(EngineChoice::Rten, &split).unwrap_err().to_string();
    assert!(error.contains("no operator SplitToSequence"), "{error}");
    if crate::support::onnxruntime("a sequence that is split") {
        assert_eq!(given(&lab, EngineChoice::OnnxRuntime, &split, &[2], &[1.0, 2.0]), json!([[1.0], [2.0]]));
    }
}

#[test]
fn tensors_beside_them_are_given_alone_where_only_they_are_asked_for() {
    on_each_engine("a tensor beside a ZipMap", |lab, choice| {
        let mut proto = one(vec![zipmap(whole(&[0, 1]))], &ROWS, sequence(map(INT64, tensor(FLOAT))));
        let graph = proto.graph.as_mut().unwrap();
        graph.node.insert(0, node("Neg", &["x"], &["y"]));
        graph.output.insert(0, value("y", FLOAT, &ROWS));
        let model = lab.load(choice, &proto).unwrap();
        let signatures: Vec<_> = model.info().outputs.iter().map(|port| port.signature()).collect();
        assert_eq!(signatures, ["float32[?,?]", "sequence(map(int64,float32))"]);
        let told = serde_json::to_value(&model.info().outputs).unwrap();
        assert_eq!(told[1], json!({"name": "maps", "form": "sequence(map(int64,float32))"}));
        let ask = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            model.run(x(f32s(&[1, 2], &[1.0, 2.0])), &wanted, None, &trackside_models::CancelToken::new()).unwrap()
        };
        let y = ("y".to_owned(), Output::Tensor(f32s(&[1, 2], &[-1.0, -2.0])));
        let maps = ("maps".to_owned(), Output::Json(json!([{"0": 1.0, "1": 2.0}])));
        assert_eq!(ask(&[]).outputs, [y.clone(), maps.clone()]);
        assert_eq!(ask(&["maps", "y"]).outputs, [maps.clone(), y.clone()]);
        assert_eq!(ask(&["y"]).outputs, [y]);
    });
}

#[test]
fn what_does_not_fit_together_is_an_error_of_the_run_or_of_the_loading() {
    on_each_engine("a ZipMap that does not fit", |lab, choice| {
        let proto = one(vec![zipmap(whole(&[0, 1]))], &ROWS, sequence(map(INT64, tensor(FLOAT))));
        let model = lab.load(choice, &proto).unwrap();
        let error = run_any(&model, x(f32s(&[1, 3], &[0.0; 3]))).unwrap_err();
        assert!(matches!(error, ModelError::Run { .. }), "{error}");
        // Keys of another type than is declared, keys of both kinds, none.
        let both = NodeProto { attribute: vec![whole(&[0]), texts(&["a"])], ..zipmap(whole(&[])) };
        for (node, key) in [(zipmap(texts(&["a", "b"])), INT64), (both, INT64), (zipmap(whole(&[])), INT64)] {
            let proto = one(vec![node], &ROWS, sequence(map(key, tensor(FLOAT))));
            assert!(lab.load(choice, &proto).is_err());
        }
    });
}

#[test]
fn more_than_json_may_hold_is_an_error_and_fills_no_memory() {
    on_each_engine("a ZipMap of very many rows", |lab, choice| {
        let proto = one(vec![zipmap(whole(&[0, 1]))], &ROWS, sequence(map(INT64, tensor(FLOAT))));
        let model = lab.load(choice, &proto).unwrap();
        let rows = |rows: u32| run_any(&model, x(f32s(&[rows, 2], &vec![0.5; rows as usize * 2])));
        let error = rows((1 << 19) + 1).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 values"), "{error}");
        assert!(rows(1000).is_ok());
    });
}

#[test]
fn what_is_declared_is_told_without_an_engine() {
    let lab = Lab::new();
    let told = |kind: TypeProto| {
        let file = lab.write("m.onnx", &one(vec![node("Neg", &["x"], &["maps"])], &ROWS, kind));
        onnx::inspect(&file).unwrap().outputs[0].kind.clone()
    };
    assert_eq!(told(sequence(tensor(data_type::STRING))), "sequence(text)");
    assert_eq!(told(map(8, tensor(data_type::DOUBLE))), "map(text,float64)");
    // What nobody can carry: elements of no ordinary type, sequences of sequences, keys that are no whole numbers.
    assert_eq!(told(sequence(tensor(17))), "sequence");
    assert_eq!(told(sequence(sequence(tensor(FLOAT)))), "sequence");
    assert_eq!(told(map(FLOAT, tensor(FLOAT))), "map");
}

#[test]
fn a_call_that_only_packs_is_no_reason_to_refuse_what_it_is_not_asked_for() {
    // Its output is of a type that nobody can carry: it is left out, and its tensors are given.
    let lab = Lab::new();
    let mut proto = one(vec![], &ROWS, sequence(TypeProto::default()));
    let graph: &mut GraphProto = proto.graph.as_mut().unwrap();
    graph.node = vec![node("Neg", &["x"], &["y"]), node("SequenceErase", &["y"], &["maps"])];
    graph.output.push(value("y", FLOAT, &ROWS));
    let model = lab.load(EngineChoice::Rten, &proto).unwrap();
    assert_eq!(model.info().left_out[0].name, "maps");
    assert_eq!(run(&model, x(f32s(&[1, 1], &[1.0]))).unwrap().outputs[0].1, f32s(&[1, 1], &[-1.0]));
}

//! The sharp values of the plain kernels: what ONNX Runtime gives, or what the standard says where it has no answer of
//! its own. The grid compares the rest.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

use std::cell::Cell;
use std::sync::Arc;

use half::f16;
use trackside_interpreter::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use trackside_interpreter::{Element, NoWeights, Program, ProgramError, Type, Value};

const ROOM: usize = 1 << 28;

fn port(name: String, ty: Option<Type>) -> ValueInfoProto {
    let number = ty.map(|ty| (1..=16).find(|number| Type::of(*number) == Some(ty)).unwrap());
    let tensor_type = number.map(|number| TensorTypeProto { elem_type: Some(number), ..TensorTypeProto::default() });
    // Without a type at all: one that is open, and no sequence.
    let r#type = tensor_type.map(|tensor| TypeProto { tensor_type: Some(tensor), ..TypeProto::default() });
    ValueInfoProto { name: Some(name), r#type }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), r#type: Some(2), i: Some(value), ..AttributeProto::default() }
}

fn text(name: &str, value: &'static str) -> AttributeProto {
    let s = Some(value.as_bytes().into());
    AttributeProto { name: Some(name.to_owned()), r#type: Some(3), s, ..AttributeProto::default() }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto {
        op_type: Some(op.to_owned()),
        input: list(inputs),
        output: list(outputs),
        attribute: attributes,
        ..NodeProto::default()
    }
}

/// A model of these calls, with inputs `i0`, `i1`, … of these types.
fn model(opset: i64, inputs: &[Option<Type>], nodes: Vec<NodeProto>, outputs: &[&str]) -> ModelProto {
    let given = inputs.iter().enumerate().filter(|(_, ty)| ty.is_some());
    let graph = GraphProto {
        node: nodes,
        input: given.map(|(place, ty)| port(format!("i{place}"), *ty)).collect(),
        output: outputs.iter().map(|name| port((*name).to_owned(), None)).collect(),
        ..GraphProto::default()
    };
    let set = OperatorSetIdProto { domain: None, version: Some(opset) };
    ModelProto { ir_version: Some(10), graph: Some(graph), opset_import: vec![set], ..ModelProto::default() }
}

/// Loads and runs one call; `outputs` of it are asked for.
fn call(
    op: &str,
    opset: i64,
    attributes: Vec<AttributeProto>,
    inputs: Vec<Option<Value>>,
    outputs: usize,
) -> Vec<Value> {
    let program = load(op, opset, attributes, &inputs, outputs).unwrap();
    program.run(inputs.into_iter().flatten().map(Some).collect(), ROOM, &|| false).unwrap()
}

fn load(
    op: &str,
    opset: i64,
    attributes: Vec<AttributeProto>,
    inputs: &[Option<Value>],
    outputs: usize,
) -> Result<Program, String> {
    let named = |prefix: char, count: usize| (0..count).map(|place| format!("{prefix}{place}")).collect::<Vec<_>>();
    let (mut takes, gives) = (named('i', inputs.len()), named('o', outputs));
    for (name, _) in takes.iter_mut().zip(inputs).filter(|(_, value)| value.is_none()) {
        name.clear();
    }
    let of = |names: &[String]| names.to_vec();
    let call = NodeProto { input: of(&takes), output: of(&gives), ..node(op, &[], &[], attributes) };
    let types: Vec<_> = inputs.iter().map(|value| value.as_ref().map(Value::ty)).collect();
    let gives: Vec<_> = gives.iter().map(String::as_str).collect();
    let loaded = Program::load(&model(opset, &types, vec![call], &gives), &NoWeights);
    loaded.map_err(|refusals| refusals.first().map(|refusal| refusal.reason.clone()).unwrap_or_default())
}

fn some<T: Element>(shape: &[usize], elements: Vec<T>) -> Option<Value> {
    Some(Value::new(shape.to_vec(), elements).unwrap())
}

fn list<T: Element>(elements: Vec<T>) -> Option<Value> {
    some(&[elements.len()], elements)
}

/// Numbers as text, so that NaN is like NaN.
fn shown(value: &Value) -> String {
    let (shape, data) = value.clone().into_parts();
    format!("{shape:?} {data:?}")
}

fn same(given: &Value, right: Option<Value>) {
    assert_eq!(shown(given), shown(&right.unwrap()));
}

#[test]
fn functions_at_their_edges() {
    same(&call("Sign", 13, vec![], vec![list(vec![f32::NAN, -0.0, -3.0])], 1)[0], list(vec![f32::NAN, 0.0, -1.0]));
    same(&call("Sign", 13, vec![], vec![list(vec![f16::NAN, f16::ONE])], 1)[0], list(vec![f16::ZERO, f16::ONE]));
    let far = &call("Asinh", 9, vec![], vec![list(vec![f32::MAX])], 1)[0];
    assert!((far.len() == 1) && shown(far).contains("89.41"), "{far:?}");
    same(&call("Acosh", 9, vec![], vec![list(vec![0.5_f32, 1.0, -3.0])], 1)[0], list(vec![f32::NAN, 0.0, f32::NAN]));
}

#[test]
fn bounds_that_are_left_out_or_are_no_numbers() {
    let x = || list(vec![f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 3.0]);
    let given = call("Clip", 11, vec![], vec![x(), None, some(&[], vec![2.0_f32])], 1);
    same(&given[0], list(vec![2.0, f32::MIN, f32::NAN, 2.0]));
    let given = call("Clip", 13, vec![], vec![x(), some(&[], vec![f32::NAN]), None], 1);
    same(&given[0], list(vec![f32::MAX, f32::NEG_INFINITY, f32::NAN, 3.0]));
    // Beyond 32 bits, wherever in the tensor.
    let wide = || list(vec![1_i64 << 31; 7]);
    same(&call("Max", 13, vec![], vec![wide(), list(vec![2_i64; 7])], 1)[0], wide());
    same(&call("Clip", 13, vec![], vec![wide(), None, some(&[], vec![2_i64])], 1)[0], list(vec![2_i64; 7]));
}

#[test]
fn powers_and_remainders_of_integers() {
    let given = call("Pow", 13, vec![], vec![list(vec![46341_i32, 7]), list(vec![2_i32, 3])], 1);
    same(&given[0], list(vec![i32::MIN, 343]));
    let given = call("Mod", 13, vec![int("fmod", 1)], vec![list(vec![(1_i64 << 53) + 1]), list(vec![2_i64])], 1);
    same(&given[0], list(vec![1_i64]));
    let given = call("Mod", 13, vec![], vec![list(vec![-7_i32, 7]), list(vec![3_i32, -3])], 1);
    same(&given[0], list(vec![2, -2]));
}

#[test]
fn reductions_of_integers_nothing_and_what_is_no_number() {
    let sum = |elements: Vec<i32>| call("ReduceSum", 13, vec![int("keepdims", 0)], vec![list(elements)], 1);
    same(&sum(vec![i32::MAX, 5])[0], some(&[], vec![i32::MAX]));
    let mean = call("ReduceMean", 18, vec![int("keepdims", 0)], vec![list(vec![7_i32, -2])], 1);
    same(&mean[0], some(&[], vec![2]));
    let most = |elements: Vec<f32>| call("ReduceMax", 18, vec![int("keepdims", 0)], vec![list(elements)], 1);
    same(&most(vec![1.0, f32::NAN, 3.0])[0], some(&[], vec![f32::NAN]));
    same(&most(vec![])[0], some(&[], vec![f32::NEG_INFINITY]));
    assert!(load("ReduceLogSumExp", 18, vec![], &[list(vec![1_i64])], 1).is_err());
}

#[test]
fn rows_with_infinities_and_no_numbers() {
    let row = || some(&[1, 3], vec![f64::INFINITY, 0.0, 1.0]);
    let given = call("LogSoftmax", 13, vec![], vec![row()], 1);
    same(&given[0], some(&[1, 3], vec![f64::NAN, f64::NEG_INFINITY, f64::NEG_INFINITY]));
    let given = call("Hardmax", 13, vec![], vec![some(&[1, 3], vec![f32::NAN, 0.0, 1.0])], 1);
    same(&given[0], some(&[1, 3], vec![0.0_f32; 3]));
    let given = call("ArgMax", 13, vec![int("keepdims", 0)], vec![list(vec![1.0, f32::NAN, 3.0])], 1);
    same(&given[0], some(&[], vec![2_i64]));
    let given = call("TopK", 11, vec![], vec![list(vec![1.0, f32::NAN, 3.0]), list(vec![2_i64])], 2);
    same(&given[0], list(vec![f32::NAN, 3.0]));
    same(&given[1], list(vec![1_i64, 2]));
}

#[test]
fn parts_and_slices() {
    let given =
        call("Pad", 18, vec![text("mode", "reflect")], vec![list(vec![1_i64, 2, 3, 4]), list(vec![-1_i64, 2])], 1);
    same(&given[0], list(vec![2_i64, 3, 4, 3, 2]));
    let given = call("Unique", 11, vec![int("axis", 1)], vec![some(&[2, 3], vec![2_i64, 0, 2, 1, 3, 1])], 4);
    same(&given[0], some(&[2, 2], vec![0_i64, 2, 3, 1]));
    same(&given[1], list(vec![1_i64, 0]));
    same(&given[2], list(vec![1_i64, 0, 1]));
    same(&given[3], list(vec![1_i64, 2]));
    let words = || some(&[2, 2], ["a", "b", "c", "d"].map(Arc::<str>::from).to_vec());
    let given = call("Gather", 13, vec![], vec![words(), list(vec![1_i64, 0])], 1);
    same(&given[0], some(&[2, 2], ["c", "d", "a", "b"].map(Arc::<str>::from).to_vec()));
    let given = call("Cast", 13, vec![int("to", 8)], vec![list(vec![1e-5_f32, 100.0])], 1);
    same(&given[0], list(["9.9999997e-06", "100"].map(Arc::<str>::from).to_vec()));
}

/// Between two calls that ONNX Runtime computes in float32 a float16 is not rounded, elsewhere it is.
#[test]
fn float16_is_rounded_where_it_is_needed() {
    let cast = |from: &str, name: &str, to: i64| node("Cast", &[from], &[name], vec![int("to", to)]);
    let run = |nodes: Vec<NodeProto>| {
        let program = Program::load(&model(17, &[Some(Type::F32)], nodes, &["y"]), &NoWeights).unwrap();
        program.run(vec![list(vec![3.3_f32])], ROOM, &|| false).unwrap().remove(0)
    };
    let root = node("Sqrt", &["h"], &["r"], vec![]);
    same(&run(vec![cast("i0", "h", 10), root.clone(), cast("r", "y", 1)]), list(vec![3.3_f32.sqrt()]));
    same(&run(vec![cast("i0", "h", 10), cast("h", "y", 1)]), list(vec![3.300_781_3_f32]));
    let kept = node("Identity", &["r"], &["y"], vec![]);
    same(&run(vec![cast("i0", "h", 10), root, kept]), list(vec![f16::from_f32(3.3_f32.sqrt())]));
}

fn with_operator(body: Vec<NodeProto>, calls: Vec<NodeProto>) -> Result<Program, String> {
    let mut model = model(17, &[Some(Type::F32), Some(Type::F32)], calls, &["y"]);
    model.opset_import.push(OperatorSetIdProto { domain: Some("own".to_owned()), version: Some(1) });
    model.functions.push(FunctionProto {
        name: Some("Twice".to_owned()),
        domain: Some("own".to_owned()),
        input: vec!["a".to_owned(), "b".to_owned()],
        output: vec!["c".to_owned()],
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        node: body,
        ..FunctionProto::default()
    });
    let loaded = Program::load(&model, &NoWeights);
    loaded.map_err(|refusals| refusals.first().map(|refusal| refusal.reason.clone()).unwrap_or_default())
}

#[test]
fn own_operators_are_put_in_place() {
    let own = |inputs: &[&str], output: &str| NodeProto {
        domain: Some("own".to_owned()),
        ..node("Twice", inputs, &[output], vec![])
    };
    // The name `t` is the definition's own in each call, and another one in the graph.
    let body = || vec![node("Mul", &["a", "a"], &["t"], vec![]), node("Add", &["t", "b"], &["c"], vec![])];
    let calls = vec![own(&["i0", "i1"], "t"), own(&["t", "i0"], "y")];
    let program = with_operator(body(), calls).unwrap();
    let given = program.run(vec![list(vec![1.0_f32, -2.0]), list(vec![3.0_f32, 4.0])], ROOM, &|| false).unwrap();
    same(&given[0], list(vec![17.0_f32, 62.0]));
    // One that uses itself, and one that reads a value of the graph.
    let itself = with_operator(vec![own(&["a", "b"], "c")], vec![own(&["i0", "i1"], "y")]);
    assert!(itself.is_err_and(|reason| reason.contains("deep")));
    let foreign = with_operator(vec![node("Add", &["a", "i1"], &["c"], vec![])], vec![own(&["i0", "i1"], "y")]);
    assert!(foreign.is_err_and(|reason| reason.contains("made by no node")));
}

#[test]
fn scan_walks_backwards() {
    let body = GraphProto {
        node: vec![node("Add", &["s", "e"], &["s1"], vec![]), node("Identity", &["s1"], &["t"], vec![])],
        input: ["s", "e"].map(|name| port(name.to_owned(), Some(Type::I64))).to_vec(),
        output: ["s1", "t"].map(|name| port(name.to_owned(), None)).to_vec(),
        ..GraphProto::default()
    };
    let ints = |name: &str| AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(7),
        ints: vec![1],
        ..AttributeProto::default()
    };
    let graph =
        AttributeProto { name: Some("body".to_owned()), r#type: Some(5), g: Some(body), ..AttributeProto::default() };
    let attributes = vec![graph, int("num_scan_inputs", 1), ints("scan_input_axes"), ints("scan_input_directions")];
    let given = call("Scan", 11, attributes, vec![list(vec![0_i64]), some(&[1, 3], vec![1_i64, 2, 3])], 2);
    same(&given[0], list(vec![6_i64]));
    same(&given[1], some(&[3, 1], vec![3_i64, 5, 6]));
}

/// A kernel asks while it computes, and axes without end are no work where there are no elements.
#[test]
fn long_runs_end() {
    let many = || some(&[4, 1 << 20], vec![1.5_f32; 4 << 20]);
    for (op, inputs) in [
        ("Exp", vec![many()]),
        ("Add", vec![many(), many()]),
        ("Mul", vec![many(), some(&[4, 1], vec![1.0_f32; 4])]),
        ("Softmax", vec![many()]),
        ("ReduceSum", vec![many(), list(vec![1_i64])]),
    ] {
        let program = load(op, 17, vec![], &inputs, 1).unwrap();
        let asked = Cell::new(0);
        let stop = || asked.replace(asked.get() + 1) > 2;
        let ended =
            program.run(inputs.into_iter().map(|value| value.map(Some).unwrap_or_default()).collect(), ROOM, &stop);
        assert!(matches!(ended, Err(ProgramError::Stopped)), "{op} asked {} times", asked.get());
    }
    assert!(Value::new::<f32>(vec![1 << 50, 0], vec![]).is_err());
    let endless = || some::<f32>(&[1 << 20, 0], vec![]);
    let given = call("Concat", 13, vec![int("axis", 0)], vec![endless(), endless()], 1);
    assert_eq!(given[0].shape(), [1 << 21, 0]);
    let given = call("CumSum", 14, vec![], vec![endless(), list(vec![1_i64])], 1);
    assert_eq!(given[0].shape(), [1 << 20, 0]);
    let inputs = vec![list(vec![1.0_f32]), some::<i64>(&[1 << 20, 0], vec![])];
    let program = load("GatherND", 13, vec![], &inputs, 1).unwrap();
    assert!(matches!(program.run(inputs, 1 << 20, &|| false), Err(ProgramError::Failed(_))));
}

#[test]
fn names_that_loading_makes_itself_are_refused_in_a_file() {
    // Loading calls the float32 form of a float16 value so.
    for name in ["i0\0as float32", "\0"] {
        let spare = node("Identity", &["i0"], &[name], vec![]);
        let model = model(13, &[Some(Type::F16)], vec![spare, node("Sqrt", &["i0"], &["y"], vec![])], &["y"]);
        let refused = Program::load(&model, &NoWeights).err().unwrap();
        assert!(refused[0].reason.contains("NUL"), "{refused:?}");
    }
}

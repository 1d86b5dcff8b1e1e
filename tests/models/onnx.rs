//! Tiny models, written by hand so that no test needs Python. Each suite uses its part. Field numbers are those of `onnx.proto`.

#![allow(dead_code, reason = "each suite uses its part")]

/// Element types.
pub const FLOAT: u8 = 1;
pub const INT64: u8 = 7;
pub const DOUBLE: u8 = 11;
pub const STRING: u8 = 8;
pub const BOOL: u8 = 9;

/// A field that holds bytes.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut length = content.len();
    let mut out = vec![field << 3 | 2];
    while length > 0x7f {
        out.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).expect("seven bits"));
    [out, content.to_vec()].concat()
}

/// A field that holds a small number; its own number may have two bytes.
fn number(field: u8, value: u8) -> Vec<u8> {
    assert!(value < 0x80, "one byte");
    if field < 16 { vec![field << 3, value] } else { vec![(field << 3) | 0x80, field >> 4, value] }
}

/// A tensor that goes in or comes out.
pub fn value(name: &str, element: u8, shape: &[u8]) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|size| bytes(1, &number(1, *size))).collect();
    let tensor = [number(1, element), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// A tensor of so many dimensions of any size.
pub fn value_of_rank(name: &str, element: u8, rank: usize) -> Vec<u8> {
    let tensor = [number(1, element), bytes(2, &bytes(1, b"").repeat(rank))].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// Rows of so many elements, as many rows as come.
pub fn value_of_rows(name: &str, element: u8, columns: u8) -> Vec<u8> {
    let shape = [bytes(1, b""), bytes(1, &number(1, columns))].concat();
    let tensor = [number(1, element), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// Something else that does: 4 a sequence, 5 a map, 8 a sparse tensor, 9 an optional value; of float tensors.
pub fn other(name: &str, kind: u8) -> Vec<u8> {
    let float = bytes(1, &number(1, FLOAT));
    // A map's keys stand before its values.
    let of = if kind == 5 { [number(1, INT64), bytes(2, &float)].concat() } else { bytes(1, &float) };
    [bytes(1, name.as_bytes()), bytes(2, &bytes(kind, &of))].concat()
}

/// A call of an operator.
pub fn node(set: &str, operator: &str, inputs: &[&str], outputs: &[&str]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| bytes(1, name.as_bytes()));
    let outputs = outputs.iter().flat_map(|name| bytes(2, name.as_bytes()));
    let names = inputs.chain(outputs).collect();
    [names, bytes(4, operator.as_bytes()), bytes(7, set.as_bytes())].concat()
}

/// The same with a graph as its only attribute.
pub fn node_with(operator: &str, inputs: &[&str], outputs: &[&str], attribute: &str, graph: &[u8]) -> Vec<u8> {
    let attribute = [bytes(1, attribute.as_bytes()), bytes(6, graph), number(20, 5)].concat();
    [node("", operator, inputs, outputs), bytes(5, &attribute)].concat()
}

/// A constant.
pub fn constant(name: &str, element: u8, shape: &[u8], raw: &[u8]) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|size| number(1, *size)).collect();
    [shape, number(2, element), bytes(8, name.as_bytes()), bytes(9, raw)].concat()
}

/// Four float constants that lie in a file beside the model.
pub fn constant_beside(name: &str, file: &str) -> Vec<u8> {
    let location = [bytes(1, b"location"), bytes(2, file.as_bytes())].concat();
    let about = [number(1, 4), number(2, FLOAT), bytes(8, name.as_bytes())].concat();
    [about, bytes(13, &location), number(14, 1)].concat()
}

/// y = x + w, four of each, where `w` lies in a file beside the model.
pub fn with_weights(file: &str) -> Vec<u8> {
    let add = node("", "Add", &["x", "w"], &["y"]);
    model(&graph(&[add], &[constant_beside("w", file)], &[value("x", FLOAT, &[4])], &[value("y", FLOAT, &[4])]))
}

/// A constant of so many bytes, which it gives.
pub fn large(size: usize) -> Vec<u8> {
    let (mut shape, mut count) = (vec![8u8], size / 4);
    while count > 0x7f {
        shape.push(u8::try_from(count & 0x7f).expect("seven bits") | 0x80);
        count >>= 7;
    }
    shape.push(u8::try_from(count).expect("seven bits"));
    let constant = constant("w", FLOAT, &[], &vec![0; size / 4 * 4]);
    let give = node("", "Identity", &["w"], &["y"]);
    model(&graph(&[give], &[[shape, constant].concat()], &[], &[value_of_rank("y", FLOAT, 1)]))
}

/// A graph; every part as the functions above make it.
pub fn graph(nodes: &[Vec<u8>], constants: &[Vec<u8>], inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Vec<u8> {
    let all = |field: u8, parts: &[Vec<u8>]| parts.iter().flat_map(|part| bytes(field, part)).collect::<Vec<u8>>();
    [all(1, nodes), bytes(2, b"g"), all(5, constants), all(11, inputs), all(12, outputs)].concat()
}

/// A model of this version of the intermediate representation; its sets fit the version.
pub fn model_of(version: u8, graph: &[u8]) -> Vec<u8> {
    let set = |name: &[u8], number_: u8| bytes(8, &[bytes(1, name), number(2, number_)].concat());
    let sets = if version < 4 { set(b"", 8) } else { [set(b"", 17), set(b"ai.onnx.ml", 3)].concat() };
    [number(1, version), bytes(7, graph), sets].concat()
}

/// A model that both engines know.
pub fn model(graph: &[u8]) -> Vec<u8> {
    model_of(8, graph)
}

/// One operator of this set from float `x` to float `y`, four of each; the empty set is the standard one.
pub fn one_operator(set: &str, operator: &str) -> Vec<u8> {
    let node = node(set, operator, &["x"], &["y"]);
    model(&graph(&[node], &[], &[value("x", FLOAT, &[4])], &[value("y", FLOAT, &[4])]))
}

/// y = x by way of a sequence, which the built-in engine does not have.
pub fn in_sequence() -> Vec<u8> {
    let nodes = [node("", "SequenceConstruct", &["x"], &["s"]), node("", "SequenceAt", &["s", "first"], &["y"])];
    let first = constant("first", INT64, &[], &[0; 8]);
    model(&graph(&nodes, &[first], &[value("x", FLOAT, &[4])], &[value("y", FLOAT, &[4])]))
}

/// y = x after `rounds` rounds of a loop that does nothing: as slow as a test wants it.
pub fn rounds() -> Vec<u8> {
    let loop_ = node_with("Loop", &["rounds", "", "x"], &["y"], "body", &still());
    let inputs = [value("rounds", INT64, &[]), value("x", FLOAT, &[1])];
    model(&graph(&[loop_], &[], &inputs, &[value("y", FLOAT, &[1])]))
}

/// y = x after a loop that never ends.
pub fn endless() -> Vec<u8> {
    let loop_ = node_with("Loop", &["", "yes", "x"], &["y"], "body", &still());
    let yes = constant("yes", BOOL, &[], &[1]);
    model(&graph(&[loop_], &[yes], &[value("x", FLOAT, &[1])], &[value("y", FLOAT, &[1])]))
}

/// The body of a loop that goes on and changes nothing.
fn still() -> Vec<u8> {
    let nodes = [node("", "Identity", &["c"], &["c2"]), node("", "Neg", &["v"], &["v2"])];
    let inputs = [value("i", INT64, &[]), value("c", BOOL, &[]), value("v", FLOAT, &[1])];
    graph(&nodes, &[], &inputs, &[value("c2", BOOL, &[]), value("v2", FLOAT, &[1])])
}

/// y = x * scale, where `scale` is 2 unless it is given, if the version lets it be.
pub fn scaled(version: u8) -> Vec<u8> {
    let node = node("", "Mul", &["x", "scale"], &["y"]);
    let two = constant("scale", FLOAT, &[1], &2.0f32.to_le_bytes());
    let inputs = [value("x", FLOAT, &[4]), value("scale", FLOAT, &[1])];
    model_of(version, &graph(&[node], &[two], &inputs, &[value("y", FLOAT, &[4])]))
}

/// `y`: `one` for `a`, `two` for `b`, `?` for any other text of `x`.
pub fn words() -> Vec<u8> {
    let attribute = |name: &str, texts: &[&str]| {
        let texts: Vec<u8> = texts.iter().flat_map(|text| bytes(9, text.as_bytes())).collect();
        bytes(5, &[bytes(1, name.as_bytes()), texts, number(20, 8)].concat())
    };
    let other = bytes(5, &[bytes(1, b"default_string"), bytes(4, b"?"), number(20, 3)].concat());
    let keys = [attribute("keys_strings", &["a", "b"]), attribute("values_strings", &["one", "two"]), other].concat();
    let node = [node("ai.onnx.ml", "LabelEncoder", &["x"], &["y"]), keys].concat();
    model(&graph(&[node], &[], &[value_of_rows("x", STRING, 1)], &[value_of_rows("y", STRING, 1)]))
}

/// y = -x, and an output `pair` of this kind, made by the operator.
pub fn beside(pair: Vec<u8>, operator: &str) -> Vec<u8> {
    let nodes = [node("", "Neg", &["x"], &["y"]), node("", operator, &["x"], &["pair"])];
    model(&graph(&nodes, &[], &[value("x", FLOAT, &[4])], &[value("y", FLOAT, &[4]), pair]))
}

/// A classifier as scikit-learn's converter makes it without `zipmap=False`: `label` and `output_probability`, a sequence
/// of maps.
pub fn zipmap() -> Vec<u8> {
    let labels = [bytes(1, b"classlabels_int64s"), bytes(8, &[0, 1]), number(20, 7)].concat();
    let zipmap = [node("ai.onnx.ml", "ZipMap", &["p"], &["output_probability"]), bytes(5, &labels)].concat();
    let two = [constant("shape", INT64, &[2], &[2u64, 2].map(u64::to_le_bytes).concat())];
    let nodes = [node("", "Reshape", &["x", "shape"], &["p"]), zipmap, node("", "Neg", &["x"], &["label"])];
    // A sequence of maps from int64 to float tensors.
    let of = bytes(2, &bytes(1, &[number(1, FLOAT), bytes(2, &[])].concat()));
    let map = bytes(5, &[number(1, INT64), of].concat());
    let maps = [bytes(1, b"output_probability"), bytes(2, &bytes(4, &bytes(1, &map)))].concat();
    model(&graph(&nodes, &two, &[value("x", FLOAT, &[4])], &[value("label", FLOAT, &[4]), maps]))
}

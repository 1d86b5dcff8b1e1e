//! A tiny model, written by hand so that no test needs Python: one operator from float `x` to float `y`, four of each.

/// A field that holds bytes.
fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2, u8::try_from(content.len()).expect("short")], content].concat()
}

/// A field that holds a small number.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn value(name: &str) -> Vec<u8> {
    let shape = bytes(1, &number(1, 4));
    let tensor = [number(1, 1), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

/// The model with this operator of this set; the empty set is the standard one.
pub fn one_operator(set: &str, operator: &str) -> Vec<u8> {
    let node = [bytes(1, b"x"), bytes(2, b"y"), bytes(4, operator.as_bytes()), bytes(7, set.as_bytes())].concat();
    let graph = [bytes(1, &node), bytes(2, b"g"), bytes(11, &value("x")), bytes(12, &value("y"))].concat();
    let sets = [
        bytes(8, &[bytes(1, b""), number(2, 17)].concat()),
        bytes(8, &[bytes(1, b"ai.onnx.ml"), number(2, 3)].concat()),
    ];
    // The graph may be longer than 127 bytes: its length takes two.
    let length = [u8::try_from(graph.len() & 0x7f).unwrap() | 0x80, u8::try_from(graph.len() >> 7).unwrap()];
    [number(1, 8), vec![7 << 3 | 2], length.to_vec(), graph, sets.concat()].concat()
}

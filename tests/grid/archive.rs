//! Reads the archive of cells that `generate.py` writes; its form is described in generator/archive.py.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::Deserialize;

/// Most bytes of one part of a cell: its description, its model, a tensor.
const MOST: usize = 64 << 20;

/// A model, what it is fed and what must come.
pub struct Cell {
    /// What the cell is about; `several` for a graph of many.
    pub operator: String,
    /// Its name, unlike all others.
    pub name: String,
    /// `grid`, `node` for one of ONNX's own tests, `exported`.
    pub group: String,
    /// The model file.
    pub model: Vec<u8>,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// What must come.
    pub outputs: Vec<Tensor>,
}

/// A tensor with its name.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Tensor {
    /// The name of the input or output.
    pub name: String,
    /// `float32`; text is `text`.
    pub r#type: String,
    /// Its dimensions.
    pub shape: Vec<u32>,
    #[serde(default)]
    bytes: usize,
    /// Its elements, row-major, little endian; empty for text.
    #[serde(skip)]
    pub data: Vec<u8>,
    /// The elements of text.
    #[serde(default)]
    pub text: Vec<String>,
    /// What it is when it is no tensor; its type is `json` then.
    #[serde(default)]
    pub json: serde_json::Value,
}

impl Tensor {
    /// A tensor that an engine gave.
    pub fn new(name: &str, kind: &str, shape: Vec<u32>, data: Vec<u8>, text: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            r#type: kind.to_owned(),
            shape,
            bytes: data.len(),
            data,
            text,
            json: serde_json::Value::Null,
        }
    }
}

#[derive(Deserialize)]
struct Head {
    operator: String,
    name: String,
    group: String,
    model: usize,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// All cells of the archive at `path`.
pub fn read(path: &Path) -> Vec<Cell> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).expect("an archive");
    let mut entry = BufReader::with_capacity(1 << 20, archive.by_name("cells").expect("its entry"));
    let mut cells = Vec::new();
    let mut length = [0; 4];
    while entry.read_exact(&mut length).is_ok() {
        let head = take(&mut entry, u32::from_le_bytes(length) as usize);
        let head: Head = serde_json::from_slice(&head).expect("a description");
        let model = take(&mut entry, head.model);
        let (mut inputs, mut outputs) = (head.inputs, head.outputs);
        for tensor in inputs.iter_mut().chain(&mut outputs) {
            tensor.data = take(&mut entry, tensor.bytes);
        }
        cells.push(Cell { operator: head.operator, name: head.name, group: head.group, model, inputs, outputs });
    }
    cells
}

fn take(from: &mut impl Read, bytes: usize) -> Vec<u8> {
    assert!(bytes <= MOST, "a part of {bytes} bytes");
    let mut content = vec![0; bytes];
    from.read_exact(&mut content).expect("a whole archive");
    content
}

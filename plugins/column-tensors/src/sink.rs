//! Tensors on their way out: small ones as nested lists, others as files.

use std::io::Write;

use serde_json::{Map, Value};
use trackside_sdk::{
    Artifact, ArtifactWriter, Step, StepError,
    tensor::{self, TensorWriter},
};

use crate::{
    Tensor,
    element::{Cell, Type},
};

/// Tensors with at most so many values are lists, as a model's outputs are.
const MAX_LISTED: usize = 1_024;

/// The most bytes of all lists together, so that they fit into a step's result.
const MAX_LISTED_BYTES: usize = 256 << 10;

/// The largest file of texts that a model takes.
const MAX_TEXT_FILE: u64 = 32 << 20;

/// Bytes of numbers that are gathered before they are written.
const CHUNK: usize = 16 << 10;

/// The values of small tensors; nothing any more once they are not small.
pub(crate) struct Held {
    kinds: Vec<Type>,
    values: Option<Vec<Vec<Value>>>,
    bytes: usize,
}

impl Held {
    pub(crate) fn new(tensors: &[Tensor<'_>]) -> Self {
        let kinds: Vec<Type> = tensors.iter().map(|tensor| tensor.kind).collect();
        Self { values: Some(vec![Vec::new(); kinds.len()]), kinds, bytes: 0 }
    }

    /// Takes the next value of a tensor.
    pub(crate) fn push(&mut self, at: usize, cell: Cell<'_>) {
        let Some(values) = &mut self.values else { return };
        // A character may take six bytes in JSON, a number with its brackets 25.
        self.bytes += if let Cell::Text(text) = cell { 6 * text.len() + 5 } else { 27 };
        if values[at].len() == MAX_LISTED || self.bytes > MAX_LISTED_BYTES {
            self.values = None;
            return;
        }
        values[at].push(self.kinds[at].to_json(cell));
    }

    /// All of them by name; `None` when they are not small.
    pub(crate) fn into_json(self, tensors: &[Tensor<'_>], rows: u64) -> Option<Map<String, Value>> {
        let all = tensors.iter().zip(self.values?).map(|(tensor, values)| {
            let list = if tensor.rank == 1 {
                values
            } else {
                let mut values = values.into_iter();
                (0..rows).map(|_| values.by_ref().take(tensor.columns.len()).collect::<Value>()).collect()
            };
            (tensor.name.to_owned(), Value::Array(list))
        });
        Some(all.collect())
    }
}

/// A tensor that is written to a file.
pub(crate) enum Sink {
    Numbers {
        file: TensorWriter,
        kind: Type,
        bytes: Vec<u8>,
    },
    /// As the Open Inference Protocol writes a tensor: safetensors has no strings.
    Texts {
        file: ArtifactWriter,
        name: String,
        begun: bool,
    },
}

impl Sink {
    pub(crate) fn new(tensor: &Tensor<'_>, rows: u64, step: &Step) -> Result<Self, StepError> {
        let (name, shape) = (tensor.name, tensor.shape(rows));
        let stem = file_stem(name);
        if let Type::Plain(element) = tensor.kind {
            let file = step.create("files", &format!("{stem}.safetensors"), tensor::MEDIA_TYPE)?;
            let file = TensorWriter::of(file, name, element, &shape)?;
            return Ok(Self::Numbers { file, kind: tensor.kind, bytes: Vec::with_capacity(CHUNK) });
        }
        let mut file = step.create("files", &format!("{stem}.json"), "application/json")?;
        file.write_all(b"{\"name\":")?;
        serde_json::to_writer(&mut file, name)?;
        file.write_all(b",\"datatype\":\"BYTES\",\"shape\":")?;
        serde_json::to_writer(&mut file, &shape)?;
        file.write_all(b",\"data\":[")?;
        Ok(Self::Texts { file, name: name.to_owned(), begun: false })
    }

    pub(crate) fn push(&mut self, cell: Cell<'_>) -> Result<(), StepError> {
        match self {
            Self::Numbers { file, kind, bytes } => {
                kind.write(cell, bytes);
                if bytes.len() >= CHUNK {
                    file.write_bytes(bytes)?;
                    bytes.clear();
                }
            }
            Self::Texts { file, name, begun } => {
                let Cell::Text(text) = cell else { return Ok(()) };
                if *begun {
                    file.write_all(b",")?;
                }
                *begun = true;
                serde_json::to_writer(&mut *file, text)?;
                // Two bytes are still to come.
                if file.written() + 2 > MAX_TEXT_FILE {
                    let what = format!("tensor `{name}`: more than {MAX_TEXT_FILE} bytes of text; split the file");
                    return Err(StepError::fatal("too-large", what));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn commit(self) -> Result<Artifact, StepError> {
        match self {
            Self::Numbers { mut file, bytes, .. } => {
                file.write_bytes(&bytes)?;
                file.commit()
            }
            Self::Texts { mut file, .. } => {
                file.write_all(b"]}")?;
                file.commit()
            }
        }
    }
}

/// A name for a file: what may not stand in one becomes `_`.
fn file_stem(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    name.chars().take(100).map(plain).collect()
}

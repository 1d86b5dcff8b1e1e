//! A model's output in memory: lines of one or more values.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use trackside_rows::json;
use trackside_sdk::{
    Artifact, ArtifactRef, Step, StepError,
    tensor::{self, Raw},
};

/// The most bytes of all outputs together.
const MAX_BYTES: u64 = 32 << 20;

/// The most values of a line.
const MAX_WIDTH: u64 = 1_024;

/// An output.
pub struct Held {
    name: String,
    /// Names for the values of a line, where somebody gave them.
    names: Option<Vec<String>>,
    lines: u64,
    width: usize,
    /// Whether a line is one value and no list of them.
    single: bool,
    values: Values,
}

enum Values {
    Listed(Vec<Value>),
    Numbers(Raw),
    Texts(Texts),
}

/// Texts one after the other.
#[derive(Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

/// All outputs, in the order of their names.
///
/// # Errors
/// `bad-tensor` for what is no output of a model or has more than two dimensions, `too-large`, `bad-input` for names that do
/// not fit.
pub fn all(
    outputs: &Map<String, Value>,
    names: &BTreeMap<String, Vec<String>>,
    step: &Step,
) -> Result<Vec<Held>, StepError> {
    if let Some(other) = names.keys().find(|name| !outputs.contains_key(*name)) {
        return Err(StepError::fatal("bad-input", format!("names: there is no `{other}` under `outputs`")));
    }
    let mut files: BTreeMap<String, Artifact> = BTreeMap::new();
    for file in step.inputs("outputs")? {
        files.insert(file.digest().unwrap_or_default(), file);
    }
    let total: u64 = files.values().map(Artifact::size).sum();
    if total > MAX_BYTES {
        let message = format!("the outputs have {total} bytes; at most {MAX_BYTES} are held: split the rows");
        return Err(StepError::fatal("too-large", message));
    }
    let mut seen = HashSet::new();
    let mut made = Vec::with_capacity(outputs.len());
    for (name, value) in outputs {
        let output = one(name, value, &files).map_err(|error| error.context(format_args!("`{name}`")))?;
        let output = output.named(names.get(name))?;
        if let Some(twice) = output.columns().into_iter().find(|column| !seen.insert(column.clone())) {
            return Err(StepError::fatal("bad-input", format!("outputs: two values would be called `{twice}`")));
        }
        made.push(output);
    }
    Ok(made)
}

fn one(name: &str, value: &Value, files: &BTreeMap<String, Artifact>) -> Result<Held, StepError> {
    let (shape, values) = match value {
        Value::Array(lines) => {
            let (shape, values) = listed(lines)?;
            (shape, Values::Listed(values))
        }
        other => {
            let reference: ArtifactRef = serde_json::from_value(other.clone())
                .map_err(|_| bad("not an output of a model: no list, no artifact"))?;
            let file = files.get(&reference.artifact).ok_or_else(|| bad("its artifact was not handed over"))?;
            if file.media_type() == "application/json" {
                let document: Document = serde_json::from_reader(file.reader()?)
                    .map_err(|error| bad(&format!("{} is no text tensor: {error}", file.name())))?;
                if document.datatype != "BYTES" || document.data.ends.len() as u64 != product(&document.shape)? {
                    return Err(bad(&format!("{} is no text tensor: its data does not fit its shape", file.name())));
                }
                (document.shape, Values::Texts(document.data))
            } else {
                let raw = tensor::read_raw(file, None, MAX_BYTES)?;
                (raw.shape.clone(), Values::Numbers(raw))
            }
        }
    };
    let (lines, width, single) = match *shape.as_slice() {
        [lines] => (lines, 1, true),
        [lines, width] if width <= MAX_WIDTH => (lines, width, width == 1),
        [_, width] => return Err(bad(&format!("{width} values a line; at most {MAX_WIDTH} are possible"))),
        _ => return Err(bad(&format!("its shape is {shape:?}; [rows], [rows, 1] or [rows, n] is needed"))),
    };
    Ok(Held { name: name.to_owned(), names: None, lines, width: width as usize, single, values })
}

fn bad(what: &str) -> StepError {
    StepError::fatal("bad-tensor", what)
}

fn product(shape: &[u64]) -> Result<u64, StepError> {
    let count = shape.iter().try_fold(1u64, |count, dim| count.checked_mul(*dim));
    count.ok_or_else(|| bad(&format!("its shape {shape:?} is too large")))
}

/// Nested lists, at most two of them inside each other.
fn listed(lines: &[Value]) -> Result<(Vec<u64>, Vec<Value>), StepError> {
    let nested = matches!(lines.first(), Some(Value::Array(_)));
    if !nested {
        if lines.iter().any(|value| value.is_array() || value.is_object()) {
            return Err(bad("its lines are not alike"));
        }
        return Ok((vec![lines.len() as u64], lines.to_vec()));
    }
    let mut values = Vec::new();
    let mut width = None;
    for line in lines {
        let Value::Array(line) = line else { return Err(bad("its lines are not alike")) };
        if line.iter().any(|value| value.is_array() || value.is_object()) {
            return Err(bad("it has more than two dimensions; [rows], [rows, 1] or [rows, n] is needed"));
        }
        if *width.get_or_insert(line.len()) != line.len() {
            return Err(bad("its lines are not alike"));
        }
        values.extend(line.iter().cloned());
    }
    Ok((vec![lines.len() as u64, width.unwrap_or(0) as u64], values))
}

impl Held {
    fn named(mut self, names: Option<&Vec<String>>) -> Result<Self, StepError> {
        if let Some(names) = names {
            if names.len() != self.width {
                let what =
                    format!("names: {} for `{}`, which has {} values a line", names.len(), self.name, self.width);
                return Err(StepError::fatal("bad-input", what));
            }
            self.names = Some(names.clone());
        }
        Ok(self)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many lines it has.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The names of its values in a row of CSV.
    pub fn columns(&self) -> Vec<String> {
        match &self.names {
            Some(names) => names.clone(),
            None if self.single => vec![self.name.clone()],
            None => (0..self.width).map(|at| format!("{}_{at}", self.name)).collect(),
        }
    }

    /// The names of its values in a JSON object.
    pub fn keys(&self) -> Vec<String> {
        self.names.clone().unwrap_or_else(|| vec![self.name.clone()])
    }

    /// The values of a line; nulls where there is none.
    pub fn values(&self, line: Option<u64>) -> Vec<Value> {
        let Some(line) = line else { return vec![Value::Null; self.width] };
        let first = line as usize * self.width;
        (first..first + self.width).map(|at| self.values.get(at)).collect()
    }

    /// The values of a line for [`Held::keys`].
    pub fn of_keys(&self, line: Option<u64>) -> Vec<Value> {
        let values = self.values(line);
        match (&self.names, self.single) {
            (Some(_), _) => values,
            (None, true) => values,
            (None, false) if line.is_none() => vec![Value::Null],
            (None, false) => vec![Value::Array(values)],
        }
    }
}

impl Values {
    fn get(&self, at: usize) -> Value {
        match self {
            Self::Listed(values) => values.get(at).cloned().unwrap_or_default(),
            Self::Numbers(raw) => number(raw, at).unwrap_or_default(),
            Self::Texts(texts) => {
                let start = at.checked_sub(1).and_then(|before| texts.ends.get(before)).copied().unwrap_or(0);
                let end = texts.ends.get(at).copied().unwrap_or(start);
                texts.all.get(start..end).unwrap_or_default().into()
            }
        }
    }
}

/// An element of a tensor, to its last digit; a float has as few of them as bring it back.
fn number(raw: &Raw, at: usize) -> Option<Value> {
    fn bytes<const N: usize>(raw: &Raw, at: usize) -> Option<[u8; N]> {
        raw.bytes.as_chunks::<N>().0.get(at).copied()
    }
    Some(match raw.dtype.as_str() {
        "BOOL" => Value::from(*raw.bytes.get(at)? != 0),
        "U8" => Value::from(u8::from_le_bytes(bytes(raw, at)?)),
        "I8" => Value::from(i8::from_le_bytes(bytes(raw, at)?)),
        "U16" => Value::from(u16::from_le_bytes(bytes(raw, at)?)),
        "I16" => Value::from(i16::from_le_bytes(bytes(raw, at)?)),
        "U32" => Value::from(u32::from_le_bytes(bytes(raw, at)?)),
        "I32" => Value::from(i32::from_le_bytes(bytes(raw, at)?)),
        "U64" => Value::from(u64::from_le_bytes(bytes(raw, at)?)),
        "I64" => Value::from(i64::from_le_bytes(bytes(raw, at)?)),
        "F64" => json::float(f64::from_le_bytes(bytes(raw, at)?)),
        "F32" => json::single(f32::from_le_bytes(bytes(raw, at)?)),
        "F16" => json::single(tensor::half(u16::from_le_bytes(bytes(raw, at)?))),
        "BF16" => json::single(tensor::brain(u16::from_le_bytes(bytes(raw, at)?))),
        _ => return None,
    })
}

/// A file of texts, as the Open Inference Protocol writes a tensor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "name")]
    _name: IgnoredAny,
    datatype: String,
    shape: Vec<u64>,
    data: Texts,
    #[serde(default, rename = "parameters")]
    _parameters: IgnoredAny,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
                let mut texts = Texts::default();
                while let Some(text) = items.next_element::<String>()? {
                    texts.all.push_str(&text);
                    texts.ends.push(texts.all.len());
                }
                Ok(texts)
            }
        }

        deserializer.deserialize_seq(All)
    }
}

//! What a model gives: tensors, and as JSON what is none.

use serde::{Serialize, Serializer};
use serde_json::Value;
use trackside_codes::Reason;
use trackside_spec::{ElementType, Tensor};

use crate::port::Port;
use crate::tensor_io::to_json;

/// Most numbers and texts that one output may hold that comes as JSON: each costs a hundred bytes in memory.
pub const MAX_JSON_VALUES: usize = 1 << 20;
/// Most bytes of text that such an output may hold, keys included.
pub const MAX_JSON_TEXT: usize = 64 << 20;

/// An output of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A tensor.
    Tensor(Tensor),
    /// What is none, as [`Form`] says: lists of objects, lists of nested lists. At most [`MAX_JSON_VALUES`] values.
    Json(Value),
}

impl Output {
    /// The tensor, if it is one.
    #[must_use]
    pub const fn tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Tensor(tensor) => Some(tensor),
            Self::Json(_) => None,
        }
    }

    /// The tensor, if it is one.
    #[must_use]
    pub fn into_tensor(self) -> Option<Tensor> {
        match self {
            Self::Tensor(tensor) => Some(tensor),
            Self::Json(_) => None,
        }
    }

    /// As JSON: a tensor as nested lists, all else as it is.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Tensor(tensor) => to_json(tensor),
            Self::Json(value) => value.clone(),
        }
    }

    /// How many numbers, booleans and texts it holds.
    #[must_use]
    pub fn values(&self) -> usize {
        fn leaves(value: &Value) -> usize {
            match value {
                Value::Array(items) => items.iter().map(leaves).sum(),
                Value::Object(fields) => fields.values().map(leaves).sum(),
                _ => 1,
            }
        }
        match self {
            Self::Tensor(tensor) => tensor.len(),
            Self::Json(value) => leaves(value),
        }
    }
}

impl From<Tensor> for Output {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

/// An output of a loaded model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OutputPort {
    /// A tensor.
    Tensor(Port),
    /// What is none and comes as JSON.
    Json(JsonPort),
}

/// An output that comes as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonPort {
    /// Its name.
    pub name: String,
    /// What it is.
    pub form: Form,
}

impl OutputPort {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tensor(port) => &port.name,
            Self::Json(port) => &port.name,
        }
    }

    /// Type and shape of the tensor, if it is one.
    #[must_use]
    pub const fn tensor(&self) -> Option<&Port> {
        match self {
            Self::Tensor(port) => Some(port),
            Self::Json(_) => None,
        }
    }

    /// `float32[1,?,64]`, or `sequence(map(int64,float32))`.
    #[must_use]
    pub fn signature(&self) -> String {
        match self {
            Self::Tensor(port) => port.signature(),
            Self::Json(port) => port.form.name(),
        }
    }
}

/// What an output is that is no tensor, and how it looks as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A sequence of tensors: a list of nested lists.
    Tensors(ElementType),
    /// A sequence of maps, as a scikit-learn classifier gives it: a list of objects.
    Maps(MapForm),
    /// A map: an object.
    Map(MapForm),
}

/// The types in a map. Whole numbers that are keys become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapForm {
    /// int64 or text.
    pub key: ElementType,
    /// The type of the values.
    pub value: ElementType,
}

impl Form {
    /// `sequence(map(int64,float32))`.
    #[must_use]
    pub fn name(&self) -> String {
        let map = |form: &MapForm| format!("map({},{})", form.key.name(), form.value.name());
        match self {
            Self::Tensors(element) => format!("sequence({})", element.name()),
            Self::Maps(form) => format!("sequence({})", map(form)),
            Self::Map(form) => map(form),
        }
    }

    /// The type of its numbers or texts.
    pub(crate) const fn element(&self) -> ElementType {
        match self {
            Self::Tensors(element) => *element,
            Self::Maps(form) | Self::Map(form) => form.value,
        }
    }
}

impl Serialize for Form {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.name())
    }
}

/// How much an output may still hold that comes as JSON.
pub(crate) struct Budget {
    values: usize,
    text: usize,
}

impl Budget {
    pub(crate) const fn new() -> Self {
        Self { values: MAX_JSON_VALUES, text: MAX_JSON_TEXT }
    }

    /// Takes room for so many values with so many bytes of text.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn take(&mut self, values: usize, text: usize) -> Result<(), Reason> {
        let left = (self.values.checked_sub(values), self.text.checked_sub(text));
        let (Some(values), Some(text)) = left else {
            return Err(format!(
                "it holds more than {MAX_JSON_VALUES} values or {} MiB of text, the most that an output may have which is \
                 no tensor. Give the model fewer rows, or export it with a tensor there",
                MAX_JSON_TEXT >> 20
            )
            .into());
        };
        (self.values, self.text) = (values, text);
        Ok(())
    }

    /// Takes room for a tensor.
    pub(crate) fn take_tensor(&mut self, tensor: &Tensor) -> Result<(), Reason> {
        self.take(tensor.len().max(1), tensor.text().iter().map(String::len).sum())
    }
}

//! `inference`.

use std::rc::Rc;

use super::{ModelHandler, artifacts, denied, with};

/// The type of one tensor element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say all there is to say")]
pub enum ElementType {
    Boolean,
    Uint8,
    Int8,
    Uint16,
    Int16,
    Uint32,
    Int32,
    Uint64,
    Int64,
    Float16,
    Bfloat16,
    Float32,
    Float64,
    Text,
}

/// Why a model gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InferenceError {
    /// There is no model of this name.
    ModelNotFound(String),
    /// Not granted, and what would grant it.
    Denied(String),
    /// Names, element types or shapes do not fit.
    BadTensor(String),
    /// Too large for the limits.
    ResourceExhausted(String),
    /// No result in time.
    Timeout,
    /// The engine failed.
    Runtime(String),
}

/// A tensor as a test's model sees it: little-endian bytes, or strings.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Element type.
    pub element: ElementType,
    /// Shape, outermost dimension first.
    pub shape: Vec<u32>,
    /// Bytes; empty for text.
    pub bytes: Vec<u8>,
    /// Strings; empty for numbers.
    pub text: Vec<String>,
}

pub struct Tensor {
    content: Content,
}

impl Tensor {
    pub fn from_bytes(element: ElementType, shape: &[u32], data: &[u8]) -> Result<Self, InferenceError> {
        let size = match element {
            ElementType::Boolean | ElementType::Uint8 | ElementType::Int8 => 1,
            ElementType::Uint16 | ElementType::Int16 | ElementType::Float16 | ElementType::Bfloat16 => 2,
            ElementType::Uint32 | ElementType::Int32 | ElementType::Float32 => 4,
            ElementType::Uint64 | ElementType::Int64 | ElementType::Float64 => 8,
            ElementType::Text => return Err(InferenceError::BadTensor("text has no bytes".into())),
        };
        check(shape, data.len(), size)?;
        Ok(Self { content: Content { element, shape: shape.to_vec(), bytes: data.to_vec(), text: Vec::new() } })
    }

    pub fn from_text(shape: &[u32], data: &[String]) -> Result<Self, InferenceError> {
        check(shape, data.len(), 1)?;
        let content =
            Content { element: ElementType::Text, shape: shape.to_vec(), bytes: Vec::new(), text: data.to_vec() };
        Ok(Self { content })
    }

    pub fn from_artifact(
        element: ElementType,
        shape: &[u32],
        source: &artifacts::Artifact,
        offset: u64,
    ) -> Result<Self, InferenceError> {
        let bytes = &source.content().bytes;
        let start = usize::try_from(offset).unwrap_or(bytes.len()).min(bytes.len());
        Self::from_bytes(element, shape, &bytes[start..])
    }

    pub fn element(&self) -> ElementType {
        self.content.element
    }

    pub fn shape(&self) -> Vec<u32> {
        self.content.shape.clone()
    }

    pub fn byte_length(&self) -> u64 {
        self.content.bytes.len() as u64
    }

    pub fn read_at(&self, offset: u64, max: u32) -> Result<Vec<u8>, InferenceError> {
        let bytes = &self.content.bytes;
        let start = usize::try_from(offset).unwrap_or(bytes.len()).min(bytes.len());
        Ok(bytes[start..bytes.len().min(start + max as usize)].to_vec())
    }

    pub fn read_text(&self) -> Result<Vec<String>, InferenceError> {
        if self.content.element == ElementType::Text {
            Ok(self.content.text.clone())
        } else {
            Err(InferenceError::BadTensor("the tensor holds numbers".into()))
        }
    }

    pub fn top_k(&self, k: u32) -> Result<Vec<(u32, f32)>, InferenceError> {
        if self.content.element != ElementType::Float32 {
            return Err(InferenceError::BadTensor("the test host orders float32 only".into()));
        }
        let values = self.content.bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four));
        let mut ordered: Vec<(u32, f32)> = (0..).zip(values).collect();
        ordered.sort_by(|a, b| b.1.total_cmp(&a.1));
        ordered.truncate(k as usize);
        Ok(ordered)
    }
}

fn check(shape: &[u32], found: usize, size: usize) -> Result<(), InferenceError> {
    let expected = shape.iter().try_fold(size, |count, &dim| count.checked_mul(dim as usize));
    if expected == Some(found) {
        Ok(())
    } else {
        Err(InferenceError::BadTensor(format!("shape {shape:?} does not fit {found} bytes or strings")))
    }
}

pub struct ModelPort {
    pub name: String,
    pub element: ElementType,
    pub shape: Vec<Option<u32>>,
}

pub struct Model {
    handler: ModelHandler,
}

impl Model {
    pub fn open(name: &str) -> Result<Self, InferenceError> {
        let handler = with(|world| world.models.get(name).map(Rc::clone));
        let handler = handler.ok_or_else(|| InferenceError::Denied(denied(&format!("the model `{name}`"))))?;
        Ok(Self { handler })
    }

    pub fn digest(&self) -> String {
        "sha256:test".into()
    }

    pub fn inputs(&self) -> Vec<ModelPort> {
        Vec::new()
    }

    pub fn outputs(&self) -> Vec<ModelPort> {
        Vec::new()
    }

    pub fn metadata(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    pub fn run(
        &self,
        inputs: &[(String, &Tensor)],
        wanted: &[String],
    ) -> Result<Vec<(String, Tensor)>, InferenceError> {
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| (name.clone(), tensor.content.clone())).collect();
        let mut outputs = (self.handler)(&inputs)?;
        outputs.retain(|(name, _)| wanted.is_empty() || wanted.contains(name));
        Ok(outputs.into_iter().map(|(name, content)| (name, Tensor { content })).collect())
    }
}

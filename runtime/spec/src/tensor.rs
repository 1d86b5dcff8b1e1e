//! Tensors as plain data: what models take and give, and what travels between steps.

use serde::{Deserialize, Serialize};

/// The type of one tensor element. Names are those of the plugin contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// UTF-8 strings, held apart from the byte buffer.
    Text,
}

impl ElementType {
    /// Bytes of one element; `None` for text.
    #[must_use]
    pub const fn size(self) -> Option<usize> {
        match self {
            Self::Boolean | Self::Uint8 | Self::Int8 => Some(1),
            Self::Uint16 | Self::Int16 | Self::Float16 | Self::Bfloat16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Float32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Float64 => Some(8),
            Self::Text => None,
        }
    }

    /// The name used in messages and JSON, `float32` for example.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Uint8 => "uint8",
            Self::Int8 => "int8",
            Self::Uint16 => "uint16",
            Self::Int16 => "int16",
            Self::Uint32 => "uint32",
            Self::Int32 => "int32",
            Self::Uint64 => "uint64",
            Self::Int64 => "int64",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Text => "text",
        }
    }
}

/// Why parts do not make a tensor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TensorError {
    /// The shape asks for another number of bytes or strings than were given.
    #[error("a {element} tensor of shape {shape:?} needs {expected} {unit}, not {found}")]
    Length {
        /// Element type asked for.
        element: &'static str,
        /// Shape asked for.
        shape: Vec<u32>,
        /// What the shape needs.
        expected: u64,
        /// What was given.
        found: u64,
        /// `bytes` or `strings`.
        unit: &'static str,
    },
    /// The shape's element count does not fit in memory.
    #[error("shape {0:?} has too many elements")]
    TooLarge(Vec<u32>),
}

/// A dense tensor in row-major order. Numbers are little-endian in `data`; text is in `text`.
///
/// The fields are private so that shape and length always agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    element: ElementType,
    shape: Vec<u32>,
    data: Vec<u8>,
    text: Vec<String>,
}

impl Tensor {
    /// Number of elements of `shape`, if it can be held at all.
    ///
    /// # Errors
    /// [`TensorError::TooLarge`] when the product overflows.
    pub fn count(shape: &[u32]) -> Result<usize, TensorError> {
        shape
            .iter()
            .try_fold(1usize, |count, &dim| count.checked_mul(usize::try_from(dim).ok()?))
            .filter(|&count| count <= isize::MAX as usize / 16)
            .ok_or_else(|| TensorError::TooLarge(shape.to_vec()))
    }

    /// A tensor of numbers from little-endian bytes.
    ///
    /// # Errors
    /// When the length of `data` is not what element type and shape need, or `element` is text.
    pub fn from_bytes(element: ElementType, shape: Vec<u32>, data: Vec<u8>) -> Result<Self, TensorError> {
        let count = Self::count(&shape)?;
        let expected = element.size().map_or(0, |size| count * size);
        if data.len() != expected || element == ElementType::Text {
            return Err(TensorError::Length {
                element: element.name(),
                shape,
                expected: expected as u64,
                found: data.len() as u64,
                unit: "bytes",
            });
        }
        Ok(Self { element, shape, data, text: Vec::new() })
    }

    /// A tensor of strings.
    ///
    /// # Errors
    /// When the number of strings is not what the shape needs.
    pub fn from_text(shape: Vec<u32>, text: Vec<String>) -> Result<Self, TensorError> {
        let count = Self::count(&shape)?;
        if text.len() != count {
            return Err(TensorError::Length {
                element: "text",
                shape,
                expected: count as u64,
                found: text.len() as u64,
                unit: "strings",
            });
        }
        Ok(Self { element: ElementType::Text, shape, data: Vec::new(), text })
    }

    /// A tensor of 32-bit floats.
    ///
    /// # Errors
    /// When `values` does not fill `shape`.
    pub fn from_f32(shape: Vec<u32>, values: &[f32]) -> Result<Self, TensorError> {
        Self::from_bytes(ElementType::Float32, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// The element type.
    #[must_use]
    pub const fn element(&self) -> ElementType {
        self.element
    }

    /// The shape, outermost dimension first; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> &[u32] {
        &self.shape
    }

    /// Little-endian bytes; empty for text.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes for changing in place; their number cannot change.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The strings of a text tensor; empty for numbers.
    #[must_use]
    pub fn text(&self) -> &[String] {
        &self.text
    }

    /// Element count.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.element.size() {
            Some(size) => self.data.len() / size,
            None => self.text.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as `f32`, when that is their type.
    #[must_use]
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        (self.element == ElementType::Float32)
            .then(|| self.data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_bytes_must_agree() {
        assert!(Tensor::from_bytes(ElementType::Int32, vec![2, 3], vec![0; 24]).is_ok());
        assert!(Tensor::from_bytes(ElementType::Int32, vec![2, 3], vec![0; 23]).is_err());
        assert!(Tensor::from_bytes(ElementType::Text, vec![0], vec![]).is_err());
        assert!(Tensor::count(&[u32::MAX, u32::MAX, u32::MAX]).is_err());
    }
}

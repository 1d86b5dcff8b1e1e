//! ONNX models by name. Tensors live in the host; only what is read enters the plugin's memory. Needs
//! `allow: { models: [NAME] }`.

use std::fmt;

pub use crate::host::inference::ElementType;
use crate::{Artifact, StepError, host::inference as host, tensor};

/// A tensor held by the host.
pub struct Tensor {
    inner: host::Tensor,
}

impl Tensor {
    /// From little-endian bytes in row-major order.
    ///
    /// # Errors
    /// `bad-tensor` when their number does not fit element type and shape.
    pub fn from_bytes(element: ElementType, shape: &[u32], data: &[u8]) -> Result<Self, StepError> {
        Ok(Self { inner: host::Tensor::from_bytes(element, shape, data)? })
    }

    /// From 32-bit floats in row-major order.
    ///
    /// # Errors
    /// `bad-tensor` when their number does not fit the shape.
    pub fn from_f32(shape: &[u32], values: &[f32]) -> Result<Self, StepError> {
        Self::from_bytes(ElementType::Float32, shape, &tensor::f32_bytes(values))
    }

    /// From strings in row-major order.
    ///
    /// # Errors
    /// `bad-tensor` when their number does not fit the shape.
    pub fn from_text(shape: &[u32], values: &[String]) -> Result<Self, StepError> {
        Ok(Self { inner: host::Tensor::from_text(shape, values)? })
    }

    /// From the bytes of an artifact, starting at `offset`; no byte enters the plugin's memory.
    ///
    /// # Errors
    /// `bad-tensor` when the artifact is too short.
    pub fn from_artifact(
        element: ElementType,
        shape: &[u32],
        artifact: &Artifact,
        offset: u64,
    ) -> Result<Self, StepError> {
        Ok(Self { inner: host::Tensor::from_artifact(element, shape, artifact.host(), offset)? })
    }

    /// The element type.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.inner.element()
    }

    /// The shape, outermost dimension first.
    #[must_use]
    pub fn shape(&self) -> Vec<u32> {
        self.inner.shape()
    }

    /// All bytes, little-endian.
    ///
    /// # Errors
    /// When the host fails.
    pub fn bytes(&self) -> Result<Vec<u8>, StepError> {
        const PART: u32 = 1 << 20;
        let total = self.inner.byte_length();
        let mut data = Vec::new();
        while (data.len() as u64) < total {
            let part = self.inner.read_at(data.len() as u64, PART)?;
            if part.is_empty() {
                return Err(StepError::fatal("bad-tensor", "the host gave fewer bytes than it announced"));
            }
            data.extend_from_slice(&part);
        }
        Ok(data)
    }

    /// All elements of a float32 tensor.
    ///
    /// # Errors
    /// `bad-tensor` for another element type.
    pub fn to_f32(&self) -> Result<Vec<f32>, StepError> {
        if self.element() != ElementType::Float32 {
            let message = format!("the tensor holds {:?}, not float32", self.element());
            return Err(StepError::fatal("bad-tensor", message));
        }
        let bytes = self.bytes()?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
    }

    /// All strings of a text tensor.
    ///
    /// # Errors
    /// `bad-tensor` for another element type.
    pub fn to_text(&self) -> Result<Vec<String>, StepError> {
        Ok(self.inner.read_text()?)
    }

    /// The `k` largest elements and their positions, largest first.
    ///
    /// # Errors
    /// `bad-tensor` when the elements have no order.
    pub fn top_k(&self, k: u32) -> Result<Vec<(u32, f32)>, StepError> {
        Ok(self.inner.top_k(k)?)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tensor").field("element", &self.element()).field("shape", &self.shape()).finish_non_exhaustive()
    }
}

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPort {
    /// Its name in the graph.
    pub name: String,
    /// Element type.
    pub element: ElementType,
    /// Shape; `None` = any size.
    pub shape: Vec<Option<u32>>,
}

/// An open model, pinned to one version.
pub struct Model {
    inner: host::Model,
}

impl Model {
    /// Opens a granted model.
    ///
    /// # Errors
    /// `denied` without the grant, `model-not-found`.
    pub fn open(name: &str) -> Result<Self, StepError> {
        Ok(Self { inner: host::Model::open(name)? })
    }

    /// The digest of the version in use.
    #[must_use]
    pub fn digest(&self) -> String {
        self.inner.digest()
    }

    /// What it takes.
    #[must_use]
    pub fn inputs(&self) -> Vec<ModelPort> {
        self.inner.inputs().into_iter().map(port).collect()
    }

    /// What it gives.
    #[must_use]
    pub fn outputs(&self) -> Vec<ModelPort> {
        self.inner.outputs().into_iter().map(port).collect()
    }

    /// Its metadata.
    #[must_use]
    pub fn metadata(&self) -> Vec<(String, String)> {
        self.inner.metadata()
    }

    /// Runs it; gives all outputs by name.
    ///
    /// # Errors
    /// `bad-tensor` when inputs do not fit, `model-timeout`, `model-failed`.
    pub fn run(&self, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, StepError> {
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| ((*name).to_owned(), &tensor.inner)).collect();
        let outputs = self.inner.run(&inputs, &[])?;
        Ok(outputs.into_iter().map(|(name, inner)| (name, Tensor { inner })).collect())
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("digest", &self.digest()).finish_non_exhaustive()
    }
}

fn port(port: host::ModelPort) -> ModelPort {
    ModelPort { name: port.name, element: port.element, shape: port.shape }
}

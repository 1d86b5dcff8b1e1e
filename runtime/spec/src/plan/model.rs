//! Steps that run an ONNX model.

use super::StepKind;
use crate::{config::EngineChoice, expr::Template};

/// A call of a model.
#[derive(Debug)]
pub struct ModelCall {
    /// A name from `[models]` in the node's config, or a path ending in `.onnx`.
    pub model: String,
    /// The engine that must run it; `None` = the one that the node's config says.
    pub engine: Option<EngineChoice>,
    /// Input name to value: a tensor artifact, or nested JSON arrays.
    pub inputs: Template,
}

impl StepKind for ModelCall {
    fn input(&self) -> Option<&Template> {
        Some(&self.inputs)
    }

    fn templates(&self) -> Vec<(&'static str, &Template)> {
        vec![("inputs", &self.inputs)]
    }

    fn impurity(&self) -> Option<&'static str> {
        None
    }
}

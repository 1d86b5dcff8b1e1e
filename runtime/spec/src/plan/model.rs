//! Steps that run an ONNX model.

use super::StepKind;
use crate::{config::EngineChoice, expr::Template};

/// The keys of a table in `inputs`: the rows, which columns go into which input, what stands where a value is missing, which texts
/// stand for nothing, which columns come back.
pub const ROWS_KEYS: [&str; 5] = ["rows", "columns", "fill", "nulls", "keep"];

/// A call of a model.
#[derive(Debug)]
pub struct ModelCall {
    /// A name from `[models]` in the node's config, or a path ending in `.onnx`.
    pub model: String,
    /// The engine that must run it; `None` = the one that the node's config says.
    pub engine: Option<EngineChoice>,
    /// Input name to value: a tensor artifact, nested JSON arrays, or rows; or a table for all inputs ([`ROWS_KEYS`]).
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

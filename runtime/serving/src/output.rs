//! What a model gave.

use trackside_spec::Tensor;

/// What a model gave under one name.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A tensor.
    Tensor(Tensor),
    /// A sequence or a map, as JSON.
    Json(serde_json::Value),
}

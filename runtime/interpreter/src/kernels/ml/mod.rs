//! The kernels of classical models (operator set `ai.onnx.ml`), as functions on dense tensors.

pub(crate) mod forest;
pub(crate) mod linear;
pub(crate) mod scores;
pub(crate) mod svm;
pub(crate) mod svm_classifier;
pub(crate) mod table;
pub(crate) mod tables;
pub(crate) mod trees;

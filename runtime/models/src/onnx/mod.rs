//! ONNX model files, read without an engine.
//!
//! [`inspect`] answers what `trackside model inspect` prints. [`proto`] is the part of the ONNX protobuf messages that
//! this needs, derived by hand; [`scan`] walks a file's wire format first and bounds what decoding it may cost, so that
//! a hostile file is refused before anything is built from it.

mod builtin;
mod inspect;
pub mod proto;
pub mod scan;

pub(crate) use builtin::loses_nan;
pub use builtin::{BUILTIN_OPERATORS, BuiltinVerdict};
pub(crate) use inspect::{Declared, ports, tensors, text};
pub use inspect::{Dim, ModelInspection, OperatorCount, Opset, PortInspection, inspect, inspect_file};

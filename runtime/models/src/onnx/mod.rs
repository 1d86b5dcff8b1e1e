//! ONNX model files, read without an engine.
//!
//! [`inspect`] answers what `trackside model inspect` prints. [`proto`] is the part of the ONNX protobuf messages that
//! this needs, derived by hand; [`scan`] walks a file's wire format first and bounds what decoding it may cost, so that
//! a hostile file is refused before anything is built from it.

mod builtin;
mod inspect;
mod loops;
mod ports;
mod products;

pub use builtin::BuiltinVerdict;
pub(crate) use builtin::{Program, load};
pub(crate) use inspect::metadata;
pub use inspect::{ModelInspection, OperatorCount, Opset, inspect, inspect_file};
pub(crate) use inspect::{tensors, text};
pub(crate) use loops::has_loops;
pub(crate) use ports::{Declared, article, ports};
pub use ports::{Dim, PortInspection};
pub(crate) use products::{Products, products};
pub use trackside_interpreter::{proto, scan};

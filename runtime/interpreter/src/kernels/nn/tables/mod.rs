//! Which operators the kernels of neural networks are: types, attributes and optional inputs that were compared with ONNX
//! Runtime.

pub(crate) mod activations;
pub(crate) mod images;
pub(crate) mod language;
pub(crate) mod moves;
pub(crate) mod norms;
pub(crate) mod products;
mod read;
pub(crate) mod recurrent;
pub(crate) mod spatial;
pub(crate) mod spectra;

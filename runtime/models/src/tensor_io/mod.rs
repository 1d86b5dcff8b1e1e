//! Tensors in and out: safetensors files, files of texts, JSON, `ndarray`.

mod arrays;
mod json;
mod safetensors;
mod text;

use trackside_codes::{Code, Coded, Reason, code};
use trackside_spec::TensorError;

#[cfg(fuzzing)]
pub(crate) use self::safetensors::safetensors_file_of;
pub use self::safetensors::{
    SafetensorsFile, TensorLimits, from_safetensors_bytes, read_safetensors, read_safetensors_file,
    to_safetensors_bytes, write_safetensors, write_safetensors_with,
};
pub use arrays::{Element, argmax, from_ndarray, softmax, to_f64, to_ndarray, to_ndarray_f32, top_k};
pub use json::{Cells, from_json, from_json_for, to_json};
pub(crate) use json::{double, has_odd_number, short};
pub use text::{MAX_TEXT_FILE, TEXT_MEDIA_TYPE, from_text_file, to_text_file};

/// Why something is not a tensor, or not the one that is needed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TensorIoError {
    /// A file or its bytes are not safetensors, or break a limit.
    #[error("{what} is no usable safetensors file: {reason}")]
    Safetensors {
        /// The file, or `the data`.
        what: String,
        /// What is wrong.
        #[source]
        reason: Reason,
    },
    /// JSON that does not make a tensor.
    #[error("{place} does not fit a {element} tensor: {reason}", place = if place.is_empty() { "the value" } else { place })]
    Json {
        /// Indices to the value, `[0][3]`; empty for the whole.
        place: String,
        /// The element type that was wanted.
        element: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// JSON that should hold a text tensor as the Open Inference Protocol writes it.
    #[error("it is no file of a text tensor: {0}")]
    TextFile(#[source] Reason),
    /// An array operation that this tensor does not allow.
    #[error(transparent)]
    Array(Reason),
    /// Shape and content do not agree.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl Coded for TensorIoError {
    fn code(&self) -> Code {
        match self {
            Self::Safetensors { .. } => code!("TS-0520"),
            Self::Json { .. } => code!("TS-0521"),
            Self::TextFile(_) => code!("TS-0524"),
            Self::Array(_) => code!("TS-0522"),
            Self::Tensor(_) => code!("TS-0523"),
        }
    }
}

//! Why a call, or a graph as a whole, is not taken when a model is loaded.

use crate::kernels::nn::plain::Misfit;
use crate::tensor_proto::BadConstant;

/// Why a call or a graph is not taken; the loader adds operator, opset and node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsupported {
    /// What is not known or not proved, in words.
    #[error("{0}")]
    Unproved(String),
    /// A constant that it holds can not be had.
    #[error(transparent)]
    Constant(#[from] BadConstant),
    /// What it holds does not fit together.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// Calls of its subgraph are refused, and have told their reasons themselves.
    #[error("its subgraph is refused")]
    Subgraph,
}

impl From<String> for Unsupported {
    fn from(words: String) -> Self {
        Self::Unproved(words)
    }
}

impl From<&str> for Unsupported {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

/// An [`Unsupported`] in words.
pub(crate) fn unsupported<T>(words: impl Into<String>) -> Result<T, Unsupported> {
    Err(Unsupported::Unproved(words.into()))
}

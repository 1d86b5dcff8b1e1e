//! A case for the tests of a plugin, out of a step that ran on a node.
//!
//! The run's journal holds what the step was given and what came of it; the store holds its artifacts. What a node does
//! not keep (conversations, the answers of models, state as it was) is left to the author, with a remark in the case.

mod beside;
mod case;
mod error;
mod step;

pub use beside::KeepFile;
pub use case::{RecordedCase, record_case};
pub use error::RecordError;

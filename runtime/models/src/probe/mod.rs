//! Looking at a model that nobody knows yet, in a process of its own: reading it, loading it on an engine and running it are what a
//! hostile file would break, so memory and time are bounded by the kernel and the node is not touched.
//!
//! - `order`: what the parent asks, and what it is answered
//! - `parent`: asks
//! - `child`: the other side, which `trackside model-worker` runs

mod child;
mod order;
mod parent;

pub use child::model_worker;
pub use order::{Probe, ProbeSettings, ProbeWarning};
pub use parent::{ProbeError, ProbeLimits, Prober};

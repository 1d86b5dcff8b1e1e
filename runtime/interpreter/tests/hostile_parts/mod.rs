//! Parts of the suite.

pub mod allocator;
pub mod inputs;
pub mod mutate;
pub mod random;

//! The tests of the crate from outside, in one program, on the built-in engine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests, helpers included")]

#[path = "../../models/tests/support/mod.rs"]
mod made;
mod support;

mod batches;
mod drift;
mod feedback;
mod limits;
mod memory;
mod rollout;
mod rules;
mod swap;
mod times;
mod trials;
mod trouble;
mod versions;

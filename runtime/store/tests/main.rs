//! The tests of the crate from outside, in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

mod activations;
mod artifacts;
mod drift;
mod feedback;
mod log;
mod models;
mod pauses;
mod promises;
mod results;
mod samples;
mod subjects;

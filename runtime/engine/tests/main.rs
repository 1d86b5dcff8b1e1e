//! The tests of the crate from outside, in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

mod model;
mod support;

mod admission;
mod against_a_model;
mod control;
mod foreach;
mod stored_events;
mod waiting;
mod waits;

//! The promise of the suites themselves: a test ends, whatever the program under test does, and says what it saw; and none is forgotten.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod ends;
mod members;

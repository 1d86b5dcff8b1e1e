//! The tests of the crate from outside, in one program. A process loads one ONNX Runtime for good: tests for which it must be
//! a certain one, or none, have processes of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests, helpers included")]

#[path = "../../../tests/support/alone.rs"]
mod alone;
mod support;

mod builtin;
mod install;
mod load;
mod missing;
mod packed;
mod ports;
mod probe;
mod quantised;
mod run;
mod selftest;

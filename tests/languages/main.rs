//! The promise: a plugin can be written in any of these languages. Every example in examples/plugins does the same job;
//! all of them must pass the same cases, on the node too, and the table of what they cost is printed.
//!
//! They are built by `examples/plugins/build.sh` with toolchains from the package registries. `TRACKSIDE_LANGUAGES`
//! names the folder that it filled.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod conformance;
mod golden;
mod one_buffer;

//! The promise: an author makes, builds and tests a plugin with this binary and their language's own tool. What the
//! tools of every language make is tested by the suite `languages`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod build;
mod cases;
mod dev;
mod project;
mod record;

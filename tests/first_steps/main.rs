//! The promise: a newcomer sees it work at once, and whatever is wrong is told in one message with a way out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod bad_data;
mod bad_names;
mod bad_settings;
mod bad_workflows;
mod demo;
mod flow;
mod init;
mod mended;
mod output;
mod wrong_use;

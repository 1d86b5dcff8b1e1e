//! The promise: what `docs/graphs.md` says of contracts, kept results and approvals holds for the binary.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod approvals;
mod contracts;
mod kept;
mod pausing;
mod rows;
mod rows_alike;
mod waiting;
mod waits;

//! The promise: a good citizen of the box: it says when it is ready, answers while it lives, ends when told to, and costs
//! nothing while nothing happens.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod bench;
mod brief;
mod company;
mod ends;
mod full_disk;
mod gone;
mod idle;
mod ready;
mod reload;
mod retention;
mod rollouts;
mod strangers;
mod unit;
mod waiting;

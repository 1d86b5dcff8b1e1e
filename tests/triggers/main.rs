//! The promise: everything that should start a run starts exactly one, also when the node was down.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod broker;
mod control;
mod cron;
mod files;
mod follow;
mod manual;
mod mqtt;
mod reload;
mod webhook;

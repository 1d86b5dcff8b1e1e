//! The promise: a plugin can do nothing that it was not granted, and whatever it does, the node stays up.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod catalogue;
mod grants;
mod limits;
mod misbehaviour;
mod profile;
mod secrets;

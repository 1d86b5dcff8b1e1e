//! The promise: what is installed is exactly what the lock file says, comes from where it says, is vouched for by whom the
//! policy names, and a change of it happens whole or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod compile;
mod component;
mod files;
mod inspect;
mod interrupted;
mod registry;
mod signatures;
mod swap;
mod warm;

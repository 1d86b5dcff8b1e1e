//! The tests of the crate from outside, in one program.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../tests/support/alone.rs"]
mod alone;
mod support;

mod away;
mod batches;
mod claims;
mod cron_clock;
mod cron_oracle;
mod cron_years;
mod files;
mod patrol;
mod polling;
mod same_file;
mod shared;
mod sight;
mod storm;
mod watch_limit;

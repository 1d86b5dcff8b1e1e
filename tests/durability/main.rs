//! The promise: kill -9 at any instant, and the run goes on at the last finished step; no result is lost or doubled.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod any_moment;
mod artifacts;
mod at_call;
mod damaged;
mod deliveries;
mod each_step;
mod every_commit;
mod every_look;
mod every_model;
mod every_refusal;
mod every_removal;
mod every_rollout;
mod journal;
mod past;
mod recovery;

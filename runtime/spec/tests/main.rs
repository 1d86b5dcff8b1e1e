//! The tests of the crate from outside, in one program: to link it takes longer than to run most of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

mod cases;

mod accepted;
mod bad_configs;
mod bad_expressions;
mod bad_graphs;
mod bad_projects;
mod bad_workflows;
mod bad_yaml;
mod commands;
mod expressions;
mod graphs;
mod hostile;
mod polls;
mod triggers;
mod waits;
mod workflows;

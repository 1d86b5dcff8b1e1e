//! The promise: everything that should start a run starts exactly one, also when the node was down.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

#[path = "../support/mod.rs"]
mod support;

mod broker;
mod control;
mod cron;
mod deliveries;
mod files;
mod folders;
mod follow;
mod lossy;
mod manual;
mod mqtt;
mod mqtt_secure;
mod no_watches;
mod poll;
mod publish;
mod reload;
mod rules;
mod storm;
mod webhook;
mod webhook_bodies;
mod webhook_events;
mod webhook_hostile;
mod webhook_wait;

use support::Project;

/// What `explain` tells of a trigger's decisions, newest first.
#[track_caller]
fn explained(project: &Project, subject: &str) -> Vec<serde_json::Value> {
    let told = project.run(&["explain", subject, "--json"]).ok().json();
    told["triggers"][0]["decisions"].as_array().unwrap_or_else(|| panic!("{told:#}")).clone()
}

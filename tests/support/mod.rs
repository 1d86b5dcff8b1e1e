//! What the black-box suites share. Nothing here knows the product's code: everything goes through the binary, its files
//! and its socket.
//!
//! - [`command`]: runs the binary with a deadline and keeps what it said;
//! - [`project`]: a project in a folder of its own;
//! - [`node`]: a `trackside serve` that is killed when the test ends;
//! - [`namespace`]: file systems of a test's own;
//! - [`notify`]: the service manager's end of sd_notify;
//! - [`web`]: an HTTP server that holds answers back until it is told to let go;
//! - [`polled`]: an HTTP server that gives one thing, which the test changes;
//! - [`wait`]: waiting for a condition, with a deadline;
//! - [`optional`]: what may be missing on a machine, and `TRACKSIDE_TEST_REQUIRE`;
//! - [`registry`]: a real registry of components, where one is installed;
//! - [`repository`]: where things lie in this repository;
//! - [`sections`]: bytes of WebAssembly.

#![allow(dead_code, unused_imports, reason = "each suite uses its part")]

pub mod command;
pub mod namespace;
pub mod node;
pub mod notify;
pub mod optional;
pub mod polled;
pub mod project;
pub mod registry;
pub mod repository;
pub mod sections;
pub mod wait;
pub mod web;

pub use command::{Ran, Trackside};
pub use node::Node;
pub use project::Project;
pub use wait::{patience, wait_until};

//! What `docs/graphs.md` promises, seen from outside: the binary, a project, a node.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod approvals;
mod contracts;
mod kept;

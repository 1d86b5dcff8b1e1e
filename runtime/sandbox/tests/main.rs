//! The tests of the crate from outside, in one program: each has the whole engine in it and takes long to link. What measures
//! its process is in `alone`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic, its helpers too")]

mod support;

mod artifacts;
mod cache;
mod commands;
mod deterministic;
mod egress;
mod foreign;
mod grants;
mod http;
mod layouts;
mod limits;
mod secrets;
mod warm;
mod wasi_http;
mod worker;

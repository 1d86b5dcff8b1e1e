//! The Open Inference Protocol from outside, over models that need no engine.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to clippy")]

mod backend;
mod client;
mod grpc;
mod limits;
mod rest;
mod tls;

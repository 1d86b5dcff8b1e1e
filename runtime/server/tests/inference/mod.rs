//! The Open Inference Protocol from outside, over models that need no engine.

mod backend;
mod client;
mod grpc;
mod limits;
mod rest;
mod tls;

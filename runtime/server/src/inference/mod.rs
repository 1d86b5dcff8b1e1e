//! The Open Inference Protocol, version 2: models for clients outside, over REST and gRPC.
//!
//! [`InferenceServer`] listens on addresses of its own and answers over a [`Backend`]. One port carries both wires: HTTP/1.1 and HTTP/2,
//! with gRPC told apart by its content type. What comes in on either becomes one [`InferRequest`]; what goes out is one
//! [`InferAnswer`]. The codecs (`rest::request`, `rest::answer`, `grpc::contents`, `raw`) do no I/O and are checked on their own.

mod aside;
mod ask;
mod backend;
mod body;
mod busy_poll;
mod classes;
mod connection;
mod datatype;
mod failure;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod grpc;
mod hidden;
mod models;
mod patience;
mod raw;
mod rest;
mod room;
mod serve;
mod shape;
mod threads;
mod tls;

/// The messages of gRPC, made from the files in `proto/`.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "made by a build script")]
pub mod proto {
    tonic::include_proto!("inference");
}

pub use backend::{
    Answering, Backend, BatchStatistics, Batching, IndexEntry, InferAnswer, InferRequest, ModelConfig, ModelMetadata,
    ModelState, Parameter, Statistics, TensorInfo, Took, Wanted, WantedOutput,
};
pub use failure::Failure;
pub use gate::Tokens;
pub(crate) use hidden::Hidden;
pub(crate) use models::Models;
pub use serve::{InferenceServer, InferenceSettings};
pub use tls::TlsFiles;

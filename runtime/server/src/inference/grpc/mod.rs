//! The protocol over gRPC: `inference.GRPCInferenceService`, health checks and reflection.

pub(crate) mod codec;
pub(crate) mod contents;
mod health;
mod service;
mod told;

use std::{convert::Infallible, pin::Pin, sync::Arc};

use hyper::{
    Request, Response,
    body::{Body as HttpBody, Bytes},
};
use tonic::{
    Code, Status,
    body::Body,
    codec::CompressionEncoding,
    codegen::{Service as _, StdError},
};
use tonic_health::pb::health_server::HealthServer;

pub(crate) use service::overrides;
pub(crate) use told::{config, statistics};

use super::{
    backend::Backend, failure::Failure, proto::grpc_inference_service_server::GrpcInferenceServiceServer,
    rest::request::shared_memory,
};

/// What reflection tells of: the descriptors of our own files.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/inference.bin"));

/// Where the methods of the protocol's service are.
const INFERENCE: &str = "/inference.GRPCInferenceService/";

/// Whether the method at this path loads or unloads a model.
pub(crate) fn is_operation(path: &str) -> bool {
    matches!(path.strip_prefix(INFERENCE), Some("RepositoryModelLoad" | "RepositoryModelUnload"))
}

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Reflection = Arc<dyn Fn(Request<Body>) -> Answer + Send + Sync>;

/// The services, cheap to clone.
#[derive(Clone)]
pub(crate) struct Services {
    inference: GrpcInferenceServiceServer<service::Service>,
    health: HealthServer<health::Answers>,
    reflection: Option<(Reflection, Reflection)>,
    max_body: usize,
}

impl Services {
    /// Over this backend, for messages of at most so many bytes, compressed or not.
    pub(crate) fn new(backend: Arc<dyn Backend>, max_body: usize) -> Self {
        let inference = GrpcInferenceServiceServer::new(service::Service { backend: backend.clone(), max_body })
            .max_decoding_message_size(max_body)
            .accept_compressed(CompressionEncoding::Gzip)
            // Answers are not compressed: every client of grpcio says that it could read that, and nobody that it wants it.
            .accept_compressed(CompressionEncoding::Deflate);
        let reflection = reflection()
            .inspect_err(|error| tracing::error!(%error, "the inference server tells nothing by reflection"))
            .ok();
        Self { inference, health: HealthServer::new(health::Answers { backend }), reflection, max_body }
    }

    /// Answers a request. The caller has seen that it is one of gRPC.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError> + Send,
    {
        let path = request.uri().path();
        if let Some(method) = path.strip_prefix(INFERENCE) {
            if let Some(failure) = not_served(method) {
                return Status::from(failure).into_http();
            }
            let answered = self.inference.clone().call(request).await;
            return in_our_words(done(answered), self.max_body);
        }
        if path.starts_with("/grpc.health.v1.Health/") {
            return done(self.health.clone().call(request).await);
        }
        let reflection = match (&self.reflection, path) {
            (Some((v1, _)), path) if path.starts_with("/grpc.reflection.v1.") => v1,
            (Some((_, v1alpha)), path) if path.starts_with("/grpc.reflection.v1alpha.") => v1alpha,
            _ => return unknown(path),
        };
        reflection(request.map(Body::new)).await
    }
}

/// Whether the client of this method goes on to send for as long as it likes.
pub(crate) fn stays_open(path: &str) -> bool {
    path.ends_with("/ModelStreamInfer") || path.starts_with("/grpc.reflection.")
}

fn done(answered: Result<Response<Body>, Infallible>) -> Response<Body> {
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn unknown(path: &str) -> Response<Body> {
    let path: String = path.chars().take(200).collect();
    Status::unimplemented(format!("there is no method {path}; reflection tells which there are")).into_http()
}

/// Methods of the protocol's service that clients know and that are not served.
fn not_served(method: &str) -> Option<Failure> {
    Some(match method {
        "TraceSetting" | "LogSettings" => Failure::unsupported("the settings of traces and logs are not served"),
        method if method.starts_with("SystemSharedMemory") || method.starts_with("CudaSharedMemory") => shared_memory(),
        _ => return None,
    })
}

/// What the library itself says of a message, in our words: one that is too large it calls out of range, and one that is not
/// compressed as it says it calls a defect.
pub(crate) fn of_message(status: &Status, max_body: usize) -> Option<Failure> {
    let text = status.message();
    match status.code() {
        Code::OutOfRange => Some(Failure::too_large("the message", max_body)),
        Code::ResourceExhausted if text.starts_with(UNPACKED) => {
            Some(Failure::too_large("what the message holds uncompressed", max_body))
        }
        Code::Internal if text.starts_with(UNPACKED) || text.starts_with(FRAMED) => {
            let text = text.split(", while ").next().unwrap_or_default();
            Some(Failure::invalid(format!("the message can not be read: {text}")))
        }
        _ => None,
    }
}

/// How its texts begin.
const UNPACKED: &str = "Error decompressing";
const FRAMED: &str = "protocol error: received message";

/// An answer of the service, where it is a refusal of the library's in our words.
fn in_our_words(response: Response<Body>, max_body: usize) -> Response<Body> {
    let failure = Status::from_header_map(response.headers()).and_then(|status| of_message(&status, max_body));
    failure.map_or(response, |failure| Status::from(failure).into_http())
}

fn reflection() -> Result<(Reflection, Reflection), tonic_reflection::server::Error> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (v1, v1alpha) = (builder().build_v1()?, builder().build_v1alpha()?);
    Ok((
        Arc::new(move |request| {
            let mut service = v1.clone();
            Box::pin(async move { done(service.call(request).await) })
        }),
        Arc::new(move |request| {
            let mut service = v1alpha.clone();
            Box::pin(async move { done(service.call(request).await) })
        }),
    ))
}

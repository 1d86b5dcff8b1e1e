//! `grpc.health.v1`: the server as a whole, its service, and each model by its name.

use std::{pin::Pin, sync::Arc, time::Duration};

use tonic::{
    Request, Response, Status,
    codegen::tokio_stream::{Stream, StreamExt, iter},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server::Health,
};

use super::super::backend::{Backend, Wanted};

/// How often who watches is told of a change.
const LOOK: Duration = Duration::from_secs(1);
/// The services that stand for the whole.
const WHOLE: [&str; 2] = ["", "inference.GRPCInferenceService"];

/// Answers over a backend.
pub(crate) struct Answers {
    pub(crate) backend: Arc<dyn Backend>,
}

/// How a service stands; `None` where there is none of this name.
async fn status(backend: &dyn Backend, service: &str) -> Option<ServingStatus> {
    let is_ready = if WHOLE.contains(&service) {
        backend.ready()
    } else {
        let wanted = Wanted { name: service.to_owned(), version: None };
        backend.model_ready(&wanted).await.ok()?
    };
    Some(if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing })
}

fn message(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Answers {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match status(&*self.backend, &service).await {
            Some(status) => Ok(Response::new(message(status))),
            None => Err(Status::not_found("there is no service and no model of this name")),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (backend, service) = (self.backend.clone(), request.into_inner().service);
        let mut told = None;
        let changes = iter(std::iter::repeat(()))
            .then(move |()| {
                let (backend, service) = (backend.clone(), service.clone());
                let is_first = told.is_none();
                told = Some(());
                async move {
                    if !is_first {
                        tokio::time::sleep(LOOK).await;
                    }
                    status(&*backend, &service).await.unwrap_or(ServingStatus::ServiceUnknown)
                }
            })
            .scan_changes();
        Ok(Response::new(Box::pin(changes)))
    }
}

/// Only what is another than the one before.
trait Changes: Stream<Item = ServingStatus> + Sized {
    fn scan_changes(self) -> impl Stream<Item = Result<HealthCheckResponse, Status>> {
        let mut before = None;
        self.filter_map(move |status| (before.replace(status) != Some(status)).then(|| Ok(message(status))))
    }
}

impl<S: Stream<Item = ServingStatus>> Changes for S {}

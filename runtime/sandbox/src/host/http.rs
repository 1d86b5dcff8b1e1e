//! `http`: requests to granted origins.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use trackside_net::Connection;
use wasmtime::component::Resource;

use super::{
    artifacts::{Artifact, CHUNK},
    writer::Writer,
};
use crate::{
    bindings::trackside::plugin::{
        artifacts::ArtifactError,
        http::{Host, HostResponse, HttpError, Request},
    },
    net::{
        body::{RequestBody, ResponseBody},
        egress::{Asked, Trouble},
        headers,
    },
    store_data::CallData,
};

/// A response that the guest holds.
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    /// `None` after the end, or when reading was given up half-way.
    body: Option<ResponseBody>,
    /// Received and not yet read.
    rest: Bytes,
    received: u64,
    _connection: Option<Connection>,
}

type Answer<T> = wasmtime::Result<Result<T, HttpError>>;

impl From<Trouble> for HttpError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Denied(text) => Self::Denied(text),
            Trouble::BadRequest(reason) => Self::BadRequest(reason.to_string()),
            Trouble::Dns(reason) => Self::Dns(reason.to_string()),
            Trouble::Connect(reason) => Self::Connect(reason.to_string()),
            Trouble::Tls(reason) => Self::Tls(reason.to_string()),
            Trouble::Timeout => Self::Timeout,
            Trouble::TooLarge(reason) => Self::TooLarge(reason.to_string()),
            Trouble::Protocol(reason) => Self::Protocol(reason.to_string()),
        }
    }
}

impl CallData {
    async fn request(&mut self, request: Request, body: RequestBody) -> Result<Response, HttpError> {
        let asked = Asked {
            method: &request.method,
            url: &request.url,
            headers: request.headers,
            body: body.in_memory(),
            length: Some(body.left()),
            timeout: request.timeout_ms.map(Duration::from_millis),
        };
        let outgoing = self.egress.check(asked)?;
        let (response, connection) = outgoing.send(body).await?;
        Ok(Response {
            status: response.status().as_u16(),
            headers: headers::incoming(response.headers()),
            body: Some(response.into_body()),
            rest: Bytes::new(),
            received: 0,
            _connection: connection,
        })
    }

    /// Up to `max` bytes of the body; empty at its end.
    async fn body_chunk(&mut self, response: &Resource<Response>, max: usize) -> Answer<Bytes> {
        let (traffic, patience) = (self.egress.traffic.clone(), self.egress.patience());
        let entry = self.table.get_mut(response)?;
        while entry.rest.is_empty() {
            // Taken out for the wait: if it is given up, the rest of the body is gone with it.
            let Some(mut body) = entry.body.take() else { return Ok(Ok(Bytes::new())) };
            match tokio::time::timeout(patience, body.frame()).await {
                Err(_) => return Ok(Err(HttpError::Timeout)),
                Ok(None) => return Ok(Ok(Bytes::new())),
                Ok(Some(Err(error))) => return Ok(Err(HttpError::Protocol(error.to_string()))),
                Ok(Some(Ok(frame))) => {
                    // Trailers are not part of the contract.
                    let data = frame.into_data().unwrap_or_default();
                    let length = data.len() as u64;
                    entry.received = entry.received.saturating_add(length);
                    if let Err(reason) = traffic.book(length, entry.received) {
                        return Ok(Err(HttpError::TooLarge(reason.to_string())));
                    }
                    (entry.body, entry.rest) = (Some(body), data);
                }
            }
        }
        Ok(Ok(entry.rest.split_to(max.min(entry.rest.len()))))
    }

    async fn push_response(&mut self, request: Request, body: RequestBody) -> Answer<Resource<Response>> {
        match self.request(request, body).await {
            Ok(response) => Ok(Ok(self.table.push(response)?)),
            Err(error) => Ok(Err(error)),
        }
    }
}
impl HostResponse for CallData {
    fn status(&mut self, response: Resource<Response>) -> wasmtime::Result<u16> {
        self.enter()?;
        Ok(self.table.get(&response)?.status)
    }

    fn headers(&mut self, response: Resource<Response>) -> wasmtime::Result<Vec<(String, String)>> {
        self.enter()?;
        Ok(self.table.get(&response)?.headers.clone())
    }

    async fn read(&mut self, response: Resource<Response>, max: u32) -> Answer<Vec<u8>> {
        self.enter()?;
        let chunk = self.body_chunk(&response, (max as usize).clamp(1, CHUNK)).await?;
        Ok(chunk.map(|bytes| bytes.to_vec()))
    }

    async fn save_to(&mut self, response: Resource<Response>, dst: Resource<Writer>) -> Answer<u64> {
        self.enter()?;
        let mut total = 0;
        loop {
            let chunk = match self.body_chunk(&response, CHUNK).await? {
                Ok(chunk) => chunk,
                Err(error) => return Ok(Err(error)),
            };
            if chunk.is_empty() {
                return Ok(Ok(total));
            }
            if let Err(error) = self.append(&dst, &chunk).await? {
                return Ok(Err(match error {
                    ArtifactError::QuotaExceeded(text) => HttpError::TooLarge(text),
                    ArtifactError::NotFound => HttpError::Protocol("the artifact is not there".to_owned()),
                    ArtifactError::Denied(text) | ArtifactError::Io(text) => {
                        HttpError::Protocol(format!("failed to save the body: {text}"))
                    }
                }));
            }
            total += chunk.len() as u64;
        }
    }

    fn drop(&mut self, response: Resource<Response>) -> wasmtime::Result<()> {
        self.table.delete(response)?;
        Ok(())
    }
}

impl Host for CallData {
    async fn send(&mut self, req: Request, body: Vec<u8>) -> Answer<Resource<Response>> {
        self.enter()?;
        self.push_response(req, RequestBody::Bytes(body.into())).await
    }

    async fn send_artifact(&mut self, req: Request, body: Resource<Artifact>) -> Answer<Resource<Response>> {
        self.enter()?;
        match self.artifact_file(&body).await? {
            Ok(file) => self.push_response(req, RequestBody::file(file)).await,
            Err(ArtifactError::NotFound) => Ok(Err(HttpError::BadRequest("the artifact is not there".to_owned()))),
            Err(ArtifactError::Denied(text) | ArtifactError::QuotaExceeded(text) | ArtifactError::Io(text)) => {
                Ok(Err(HttpError::BadRequest(text)))
            }
        }
    }
}

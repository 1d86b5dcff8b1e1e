//! `http`: requests to granted origins.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Method, Request as HttpRequest,
    body::Incoming,
    header::{HeaderName, HeaderValue},
};
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
    grants::origin::Target,
    net::{
        body::RequestBody,
        client::{self, Connection, Failure},
        headers,
    },
    store_data::{CallData, quoted},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A response that the guest holds.
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    /// `None` after the end, or when reading was given up half-way.
    body: Option<Incoming>,
    /// Received and not yet read.
    rest: Bytes,
    received: u64,
    _connection: Connection,
}

type Answer<T> = wasmtime::Result<Result<T, HttpError>>;

impl CallData {
    async fn request(&mut self, request: Request, body: RequestBody) -> Result<Response, HttpError> {
        let target = Target::parse(&request.url).map_err(HttpError::BadRequest)?;
        let method = method(&request.method)?;
        if !target.is_granted(&self.call.allow.http) {
            let origin = target.origin();
            let text = self.deny(&format!("{method} to {origin}"), &format!("http: [{}]", quoted(&origin)));
            return Err(HttpError::Denied(text));
        }
        let limits = self.call.limits;
        if self.usage.http_requests >= limits.http_requests {
            return Err(HttpError::TooLarge(format!("a step sends at most {} requests", limits.http_requests)));
        }
        if body.left() > limits.http_body_bytes {
            return Err(HttpError::TooLarge(format!(
                "the body has {} bytes; the limit is {}",
                body.left(),
                limits.http_body_bytes
            )));
        }
        let mut fields = headers::outgoing(&request.headers).map_err(HttpError::BadRequest)?;
        if !method.is_safe() && !fields.contains_key(IDEMPOTENCY_KEY) {
            fields.insert(IDEMPOTENCY_KEY, self.next_key()?);
        }
        let (mut head, ()) = HttpRequest::new(()).into_parts();
        (head.method, head.headers) = (method, fields);

        let asked = request.timeout_ms.map_or(Duration::MAX, |ms| Duration::from_millis(ms.max(1)));
        let timeout = asked.min(self.remaining());
        let (host, private, tls) = (self.host.clone(), self.call.allow.private_network, self.tls.clone());
        self.usage.http_requests += 1;
        let exchanged = tokio::time::timeout(timeout, async {
            let addresses = client::resolve(&target, private, |address| host.is_own_address(address)).await?;
            client::exchange(&target, &addresses, &tls, head, body).await
        })
        .await;
        match exchanged {
            Err(_) => Err(HttpError::Timeout),
            Ok(Err(failure)) => Err(self.failure(&target, failure)),
            Ok(Ok((response, connection))) => Ok(Response {
                status: response.status().as_u16(),
                headers: headers::incoming(response.headers()),
                body: Some(response.into_body()),
                rest: Bytes::new(),
                received: 0,
                _connection: connection,
            }),
        }
    }

    /// The key of the next request that changes something: the same in every attempt of the step, another one for
    /// every request of an attempt, so that a server does not take the second for a repeat of the first.
    fn next_key(&mut self) -> Result<HeaderValue, HttpError> {
        self.keyed_requests += 1;
        let key = &self.call.idempotency_key;
        let text = match self.keyed_requests {
            1 => key.clone(),
            number => format!("{key}-{number}"),
        };
        HeaderValue::from_str(&text)
            .map_err(|_| HttpError::BadRequest("the run's idempotency key is no header value".to_owned()))
    }

    fn failure(&mut self, target: &Target, failure: Failure) -> HttpError {
        let origin = target.origin();
        match failure {
            Failure::Private(address) => HttpError::Denied(self.deny(
                &format!("call {origin}, which is {address} in a private network"),
                &format!("http: [{}], private_network: true", quoted(&origin)),
            )),
            Failure::Never(address) => HttpError::Denied(self.deny_always(
                &format!("call {origin}"),
                &format!("{address} is the node itself or no host's address, and no grant allows it"),
            )),
            Failure::Dns(text) => HttpError::Dns(text),
            Failure::Connect(text) => HttpError::Connect(text),
            Failure::Tls(text) => HttpError::Tls(text),
            Failure::Protocol(text) => HttpError::Protocol(text),
        }
    }

    /// Up to `max` bytes of the body; empty at its end.
    async fn body_chunk(&mut self, response: &Resource<Response>, max: usize) -> Answer<Bytes> {
        let limit = self.call.limits.http_body_bytes;
        let remaining = self.remaining();
        let entry = self.table.get_mut(response)?;
        while entry.rest.is_empty() {
            // Taken out for the wait: if it is given up, the rest of the body is gone with it.
            let Some(mut body) = entry.body.take() else { return Ok(Ok(Bytes::new())) };
            match tokio::time::timeout(remaining, body.frame()).await {
                Err(_) => return Ok(Err(HttpError::Timeout)),
                Ok(None) => return Ok(Ok(Bytes::new())),
                Ok(Some(Err(error))) => return Ok(Err(HttpError::Protocol(error.to_string()))),
                Ok(Some(Ok(frame))) => {
                    entry.body = Some(body);
                    // Trailers are not part of the contract.
                    let Ok(data) = frame.into_data() else { continue };
                    entry.received = entry.received.saturating_add(data.len() as u64);
                    if entry.received > limit {
                        entry.body = None;
                        return Ok(Err(HttpError::TooLarge(format!("the response has more than {limit} bytes"))));
                    }
                    entry.rest = data;
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

/// The method, unless it would turn the connection into something else.
fn method(name: &str) -> Result<Method, HttpError> {
    let upper = name.to_ascii_uppercase();
    match Method::from_bytes(upper.as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) | Err(_) => {
            let shown = crate::recorder::one_line(&name.chars().take(40).collect::<String>());
            Err(HttpError::BadRequest(format!("`{shown}` is no method that a step may use")))
        }
        Ok(method) if upper.len() <= 32 => Ok(method),
        Ok(_) => Err(HttpError::BadRequest("the method is too long".to_owned())),
    }
}

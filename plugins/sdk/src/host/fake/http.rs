//! `http`.

use std::cell::Cell;

use super::{artifacts, denied, with};

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// Not granted, and what would grant it.
    Denied(String),
    /// The request itself is wrong.
    BadRequest(String),
    /// The name does not resolve.
    Dns(String),
    /// Nobody answers there.
    Connect(String),
    /// The server cannot prove who it is.
    Tls(String),
    /// No answer in time.
    Timeout,
    /// More than the limits allow.
    TooLarge(String),
    /// The answer is no HTTP.
    Protocol(String),
}

/// A request as the plugin sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// The plugin's own limit.
    pub timeout_ms: Option<u64>,
}

/// What a test's server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canned {
    /// The status code.
    pub status: u16,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

pub struct Response {
    canned: Canned,
    position: Cell<usize>,
}

impl Response {
    pub fn status(&self) -> u16 {
        self.canned.status
    }

    pub fn headers(&self) -> Vec<(String, String)> {
        self.canned.headers.clone()
    }

    pub fn read(&self, max: u32) -> Result<Vec<u8>, HttpError> {
        let from = self.position.get();
        let to = self.canned.body.len().min(from + max as usize);
        self.position.set(to);
        Ok(self.canned.body[from..to].to_vec())
    }

    pub fn save_to(&self, target: &artifacts::ArtifactWriter) -> Result<u64, HttpError> {
        let mut saved = 0;
        loop {
            let part = self.read(1 << 20)?;
            if part.is_empty() {
                return Ok(saved);
            }
            target.write(&part).map_err(|error| HttpError::TooLarge(error.to_string()))?;
            saved += part.len() as u64;
        }
    }
}

pub fn send(request: &Request, body: &[u8]) -> Result<Response, HttpError> {
    let handler = with(|world| {
        world.requests.push((request.clone(), body.to_vec()));
        world.http.clone()
    });
    let handler = handler.ok_or_else(|| HttpError::Denied(denied(&format!("requests to {}", request.url))))?;
    Ok(Response { canned: handler(request, body)?, position: Cell::new(0) })
}

pub fn send_artifact(request: &Request, body: &artifacts::Artifact) -> Result<Response, HttpError> {
    send(request, &body.content().bytes)
}

//! Outbound HTTP. Needs `allow: { http: [ORIGIN] }`; redirects are never followed.

use std::{
    fmt,
    io::{self, BufRead, Read},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Artifact, ArtifactWriter, HttpError, StepError, host::http as host};

/// A request that is being put together.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    timeout: Option<Duration>,
    body: Vec<u8>,
}

impl Request {
    /// A request with this method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), timeout: None, body: Vec::new() }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header unless one of that name is there.
    #[must_use]
    pub fn default_header(self, name: &str, value: &str) -> Self {
        if self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            self
        } else {
            self.header(name, value)
        }
    }

    /// Gives up after this long; without it the step's own limit holds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The body as bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The body as JSON, with its content type unless one is set.
    ///
    /// # Errors
    /// When the value is no JSON.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<Self, StepError> {
        let body = serde_json::to_vec(value)?;
        Ok(self.default_header("content-type", "application/json").body(body))
    }

    /// Sends it and waits for the response's head.
    ///
    /// # Errors
    /// The host's verdict; statuses are not errors.
    pub fn send(self) -> Result<Response, HttpError> {
        let (request, body) = self.into_host();
        host::send(&request, &body).map(Response::from_host)
    }

    /// Sends it with an artifact as body; no byte of it enters the plugin's memory.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send_artifact(self, artifact: &Artifact) -> Result<Response, HttpError> {
        let (request, _) = self.into_host();
        host::send_artifact(&request, artifact.host()).map(Response::from_host)
    }

    fn into_host(self) -> (host::Request, Vec<u8>) {
        let timeout_ms = self.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        (host::Request { method: self.method, url: self.url, headers: self.headers, timeout_ms }, self.body)
    }
}

/// A response: its head is here, its body is read in order through [`Read`] or [`BufRead`].
pub struct Response {
    inner: host::Response,
    status: u16,
    headers: Vec<(String, String)>,
    chunk: Vec<u8>,
    used: usize,
    ended: bool,
}

impl Response {
    fn from_host(inner: host::Response) -> Self {
        let (status, headers) = (inner.status(), inner.headers());
        Self { inner, status, headers, chunk: Vec::new(), used: 0, ended: false }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// All headers in the order they came.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The first header of this name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// At most `limit` bytes of the body, and whether there was more.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn bytes(&mut self, limit: usize) -> Result<(Vec<u8>, bool), StepError> {
        let mut body = Vec::new();
        Read::by_ref(self).take(limit as u64).read_to_end(&mut body)?;
        let more = !self.fill_buf()?.is_empty();
        Ok((body, more))
    }

    /// The body as JSON, when it has at most `limit` bytes.
    ///
    /// # Errors
    /// `too-large`, `bad-json`, or when the connection breaks.
    pub fn json<T: DeserializeOwned>(&mut self, limit: usize) -> Result<T, StepError> {
        match self.bytes(limit)? {
            (body, false) => Ok(serde_json::from_slice(&body)?),
            (_, true) => Err(StepError::fatal("too-large", format!("the response has more than {limit} bytes"))),
        }
    }

    /// The rest of the body straight into an artifact; no byte enters the plugin's memory. Returns how many.
    ///
    /// # Errors
    /// When the connection breaks or a quota is used up.
    pub fn save_to(&self, artifact: &ArtifactWriter) -> Result<u64, HttpError> {
        self.inner.save_to(artifact.host())
    }
}

impl Read for Response {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Response {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        const CHUNK: u32 = 64 * 1024;
        if self.used == self.chunk.len() && !self.ended {
            self.chunk = self.inner.read(CHUNK).map_err(|error| io::Error::other(StepError::from(error)))?;
            self.used = 0;
            self.ended = self.chunk.is_empty();
        }
        Ok(&self.chunk[self.used..])
    }

    fn consume(&mut self, count: usize) {
        self.used = (self.used + count).min(self.chunk.len());
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

//! The other end of the socket.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use trackside_codes::{Class, Code, Coded, code};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes, Incoming},
    client::conn::http1::handshake,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;
use trackside_engine::RunId;

use crate::{
    refusal::{ErrorDocument, Refusal},
    socket_path::{MAX_SOCKET_PATH, socket_path},
    wire::{
        Accepted, Cancelled, Decided, Decision, PauseTrigger, RetryRun, RunPaused, StartRun, StreamLine, TriggerPaused,
    },
};

/// The largest answer that is read, and the longest line of a stream.
const MAX_ANSWER: usize = 16 << 20;
/// How long an answer may take that costs the node nothing.
pub(crate) const QUICK: Duration = Duration::from_secs(10);

/// Why a request got no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The node said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection failed.
    #[error(
        "[{code}] lost the node at {}: {reason}; what it had accepted goes on when it runs again", path.display(),
        code = self.code()
    )]
    Lost {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// Something answered that is no Trackside node, or another version of one.
    #[error(
        "[{code}] the node at {} gave an answer that this version does not understand: {reason}; restart it with this binary", path.display(),
        code = self.code()
    )]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The socket is there and may not be used.
    #[error(
        "[{code}] the node at {} can not be reached: {source}; run this as the user that runs the node", path.display(),
        code = self.code()
    )]
    Forbidden {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Coded for ClientError {
    fn code(&self) -> Code {
        match self {
            Self::Refused(error) => error.code(),
            Self::Lost { .. } => code!("TS-0731"),
            Self::Protocol { .. } => code!("TS-0732"),
            Self::Forbidden { .. } => code!("TS-0733"),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Refused(refusal) => refusal.class(),
            _ => self.code().class(),
        }
    }
}

/// Talks to the node of one data folder. Every request has a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// Finds the running node of a data folder; `None` when there is none.
    ///
    /// # Errors
    /// When there is one that this user may not talk to.
    pub async fn find(data_dir: &Path) -> Result<Option<Self>, ClientError> {
        let path = socket_path(data_dir);
        // Where no server can listen none does.
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            return Ok(None);
        }
        match UnixStream::connect(&path).await {
            Ok(_) => Ok(Some(Self { path })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(source) => Err(ClientError::Forbidden { path, source }),
        }
    }

    /// Starts a run; it is on disk when its id is given.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn start(&self, request: &StartRun) -> Result<RunId, ClientError> {
        // No time limit: the node may have a large file to read.
        let accepted: Accepted = self.ask(Method::POST, "/v1/runs", self.json(request)?).await?;
        Ok(accepted.run)
    }

    /// Stops a run.
    ///
    /// # Errors
    /// Any [`ClientError`]; `TS-0716` when the run has ended.
    pub async fn cancel(&self, run: RunId) -> Result<(), ClientError> {
        let path = format!("/v1/runs/{run}/cancel");
        let answer = tokio::time::timeout(QUICK, self.ask::<Cancelled>(Method::POST, &path, Bytes::new())).await;
        answer.unwrap_or_else(|_| Err(self.lost("it does not answer"))).map(drop)
    }

    /// Decides about a step that waits for a person, as the user of this process.
    ///
    /// # Errors
    /// Any [`ClientError`]; `TS-0736` when somebody else must decide.
    pub async fn decide(&self, run: RunId, step: &str, decision: &Decision) -> Result<Decided, ClientError> {
        // Names of steps need no quoting in a path; what is none is no step, and would be another page.
        if !step.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')) {
            let message = format!("{:?} can not be the name of a step", step.chars().take(80).collect::<String>());
            return Err(Refusal::new(400, code!("TS-0734"), message).into());
        }
        let path = format!("/v1/runs/{run}/approvals/{step}");
        self.quick(&path, self.json(decision)?).await
    }

    /// Pauses or resumes a run.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn pause_run(&self, run: RunId, pause: bool) -> Result<RunPaused, ClientError> {
        let path = format!("/v1/runs/{run}/{}", if pause { "pause" } else { "resume" });
        self.quick(&path, Bytes::new()).await
    }

    /// Starts a run that repeats another one; it is on disk when its id is given.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn retry(&self, run: RunId, request: &RetryRun) -> Result<RunId, ClientError> {
        let accepted: Accepted = self.quick(&format!("/v1/runs/{run}/retry"), self.json(request)?).await?;
        Ok(accepted.run)
    }

    /// Pauses or resumes a trigger.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn pause_trigger(&self, trigger: &str, pause: bool) -> Result<TriggerPaused, ClientError> {
        let body = self.json(&PauseTrigger { trigger: trigger.to_owned() })?;
        self.quick(if pause { "/v1/triggers/pause" } else { "/v1/triggers/resume" }, body).await
    }

    pub(crate) async fn quick<T: DeserializeOwned>(&self, path: &str, body: Bytes) -> Result<T, ClientError> {
        let answer = tokio::time::timeout(QUICK, self.ask(Method::POST, path, body)).await;
        answer.unwrap_or_else(|_| Err(self.lost("it does not answer")))
    }

    /// A run's events from the first on.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn events(&self, run: RunId) -> Result<Events, ClientError> {
        let response = self.send(Method::GET, &format!("/v1/runs/{run}/events"), Bytes::new()).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        Ok(Events { client: self.clone(), body: response.into_body(), buffer: Vec::new(), searched: 0, over: false })
    }

    pub(crate) fn json(&self, request: &impl Serialize) -> Result<Bytes, ClientError> {
        // A path that is not UTF-8 has no JSON.
        serde_json::to_vec(request)
            .map(Bytes::from)
            .map_err(|error| ClientError::Refused(Refusal::new(400, code!("TS-0710"), error.to_string())))
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let (_, bytes) = self.answer(method, path, body).await?;
        self.document(&bytes)
    }

    /// A good answer: which it is, and its body.
    pub(crate) async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let response = self.send(method, path, body).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        Ok((response.status(), self.collect(response).await?))
    }

    /// An answer to a request with a body that is made meanwhile.
    pub(crate) async fn ask_with<T, B>(
        &self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: B,
    ) -> Result<T, ClientError>
    where
        T: DeserializeOwned,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let response = self.send_with(method, path, kind, body).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        self.document(&self.collect(response).await?)
    }

    pub(crate) fn document<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.protocol(error))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        self.send_with(method, path, "application/json", Full::new(body)).await
    }

    async fn send_with<B>(
        &self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: B,
    ) -> Result<Response<Incoming>, ClientError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| self.lost(error))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| self.lost(error))?;
        // It ends with the response's body; an error shows there too.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "trackside")
            .header(CONTENT_TYPE, kind)
            .body(body)
            .map_err(|error| self.protocol(error))?;
        sender.send_request(request).await.map_err(|error| self.lost(error))
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| self.lost(error))
    }

    async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        let status = response.status().as_u16();
        match self.collect(response).await {
            Err(error) => error,
            Ok(bytes) => match serde_json::from_slice::<ErrorDocument>(&bytes) {
                Ok(document) => ClientError::Refused(Refusal { status, ..document.error }),
                Err(error) => self.protocol(format!("status {status}, {error}")),
            },
        }
    }

    pub(crate) fn lost(&self, reason: impl ToString) -> ClientError {
        ClientError::Lost { path: self.path.clone(), reason: reason.to_string() }
    }

    fn protocol(&self, reason: impl ToString) -> ClientError {
        ClientError::Protocol { path: self.path.clone(), reason: reason.to_string() }
    }
}

/// A stream of events.
#[derive(Debug)]
pub struct Events {
    client: Client,
    body: Incoming,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to hold no line feed.
    searched: usize,
    over: bool,
}

impl Events {
    /// The next line; `None` after the last one.
    ///
    /// # Errors
    /// When the connection breaks, or the node ends the stream before the run is settled.
    pub async fn next(&mut self) -> Result<Option<StreamLine>, ClientError> {
        while !self.over {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + at + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                let line = StreamLine::parse(&line).map_err(|error| self.client.protocol(error))?;
                self.over = !matches!(line, StreamLine::Event(_));
                return match line {
                    StreamLine::Error(error) => Err(error.into()),
                    line => Ok(Some(line)),
                };
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > MAX_ANSWER {
                return Err(self.client.protocol("a line without end"));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(self.client.lost(error)),
                None => return Err(self.client.lost("it closed the stream")),
            }
        }
        Ok(None)
    }
}

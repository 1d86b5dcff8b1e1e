//! Clients that know nothing of the protocol: HTTP, and the frames of gRPC.

use std::{net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, body::Bytes, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use serde_json::Value;
use tokio::net::TcpStream;
use trackside_server::inference::{InferenceServer, InferenceSettings};

use super::backend::Models;

pub struct Server {
    pub models: Arc<Models>,
    pub server: InferenceServer,
}

impl Server {
    pub fn start() -> Self {
        Self::with(InferenceSettings::default())
    }

    /// On loopback.
    pub fn with(settings: InferenceSettings) -> Self {
        let models = Arc::new(Models::default());
        let settings = InferenceSettings { listen: vec!["127.0.0.1:0".parse().unwrap()], ..settings };
        Self { server: InferenceServer::start(&settings, models.clone()).unwrap(), models }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], b"").await
    }

    pub async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(Method::POST, path, &[], body).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        let stream = TcpStream::connect(self.address()).await.unwrap();
        let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let running = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_ref()));
        let answer = Answer::of(sender.send_request(request.body(body).unwrap()).await.unwrap()).await;
        running.abort();
        answer
    }

    /// One call of gRPC with messages behind one another: its status and text, and the messages of its answer.
    pub async fn call(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        messages: &[Vec<u8>],
    ) -> (u32, String, Vec<Vec<u8>>) {
        let messages: Vec<_> = messages.iter().map(|message| (0, message.as_slice())).collect();
        self.call_framed(method, headers, &messages).await
    }

    /// One call with a message that says that it is compressed: its status and text.
    pub async fn call_compressed(&self, method: &str, headers: &[(&str, &str)], message: &[u8]) -> (u32, String) {
        let (status, text, _) = self.call_framed(method, headers, &[(1, message)]).await;
        (status, text)
    }

    async fn call_framed(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        messages: &[(u8, &[u8])],
    ) -> (u32, String, Vec<Vec<u8>>) {
        let stream = TcpStream::connect(self.address()).await.unwrap();
        let (mut sender, connection) =
            conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let running = tokio::spawn(connection);
        let mut framed = Vec::new();
        for (flag, message) in messages {
            framed.push(*flag);
            framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            framed.extend_from_slice(message);
        }
        let path =
            if method.contains('/') { method.to_owned() } else { format!("inference.GRPCInferenceService/{method}") };
        let mut request = Request::post(format!("http://localhost/{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = sender.send_request(request.body(Full::new(Bytes::from(framed))).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or(head.headers);
        let text = |name| trailers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let (mut bytes, mut answers) = (body.to_bytes(), Vec::new());
        while !bytes.is_empty() {
            let frame = bytes.split_to(5);
            let length = u32::from_be_bytes(frame[1..].try_into().unwrap()) as usize;
            answers.push(bytes.split_to(length).to_vec());
        }
        running.abort();
        let said = text("grpc-message").unwrap_or_default();
        (text("grpc-status").unwrap().parse().unwrap(), said, answers)
    }

    /// A call whose message never comes: its status and text.
    pub async fn begin(&self, method: &str) -> (u32, String) {
        let stream = TcpStream::connect(self.address()).await.unwrap();
        let (mut sender, connection) =
            conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let running = tokio::spawn(connection);
        let request = Request::post(format!("http://localhost/inference.GRPCInferenceService/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let answer = sender.send_request(request.body(Never).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or(head.headers);
        let text = |name| trailers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        running.abort();
        (text("grpc-status").parse().unwrap(), text("grpc-message"))
    }

    /// A call of one message that succeeds.
    pub async fn ask<T: Message + Default>(&self, method: &str, message: &impl Message) -> T {
        let (status, text, answers) = self.call(method, &[], &[message.encode_to_vec()]).await;
        assert_eq!((status, text.as_str()), (0, ""), "{method}");
        T::decode(answers[0].as_slice()).unwrap()
    }
}

/// A body of which nothing comes.
struct Never;

impl hyper::body::Body for Never {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    async fn of(answer: Response<hyper::body::Incoming>) -> Self {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its text, which every client can read.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/json");
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

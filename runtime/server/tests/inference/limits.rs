//! Limits, tokens, TLS, and the end.

use std::{io::Write, sync::Arc, time::Duration};

use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
use hyper::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use trackside_server::inference::{InferenceServer, InferenceSettings, Tokens};
use trackside_spec::Role;

use super::client::Server;

struct Secret;

impl Tokens for Secret {
    fn role(&self, token: &str) -> Option<Role> {
        match token {
            "secret" => Some(Role::Client),
            "another" => Some(Role::Operator),
            _ => None,
        }
    }
}

fn floats(count: usize) -> String {
    let data = vec![0; count];
    json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [count], "data": data}]}).to_string()
}

#[tokio::test]
async fn bodies_may_be_compressed_and_answers_are_where_that_is_wanted() {
    let server = Server::start();
    let body = floats(2000);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(body.as_bytes()).unwrap();
    let plain = server.post("/v2/models/echo/infer", &body).await;
    for (encoding, packed) in [("gzip", gzip.finish().unwrap()), ("deflate", deflate.finish().unwrap())] {
        let headers = [("content-encoding", encoding), ("accept-encoding", encoding)];
        let answer = server.send(Method::POST, "/v2/models/echo/infer", &headers, packed).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding));
        assert!(answer.body.len() < plain.body.len() / 4);
    }
}

#[tokio::test]
async fn a_body_of_several_members_is_one_and_what_follows_them_is_refused() {
    let server = Server::start();
    let body = floats(100);
    let member = |part: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(part).unwrap();
        gzip.finish().unwrap()
    };
    let (first, second) = body.as_bytes().split_at(70);
    let mut packed = [member(first), member(second)].concat();
    let headers = [("content-encoding", "gzip")];
    let answer = server.send(Method::POST, "/v2/models/echo/infer", &headers, &packed).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    packed.extend_from_slice(b"junk");
    server.send(Method::POST, "/v2/models/echo/infer", &headers, &packed).await.refused(400);
}

#[tokio::test]
async fn a_bomb_is_cut_off_at_the_limit() {
    let server = Server::with(InferenceSettings { max_body: 1 << 20, ..Default::default() });
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..64 {
        gzip.write_all(&[b' '; 1 << 20]).unwrap();
    }
    let headers = [("content-encoding", "gzip")];
    let text = server.send(Method::POST, "/v2/models/echo/infer", &headers, gzip.finish().unwrap()).await.refused(413);
    assert!(text.contains("`body` of [inference]"), "{text}");
    server.post("/v2/models/echo/infer", vec![b' '; (1 << 20) + 1]).await.refused(413);
}

/// A client that sends all of a request before it reads: what it is answered.
async fn sends_all_first(server: &Server, head: &str, body: usize) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(format!("{head}\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; body]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn who_is_refused_while_it_still_sends_reads_why() {
    let server = Server::with(InferenceSettings { max_body: 1 << 20, ..Default::default() });
    // More than any system keeps on the way.
    let large = 32 << 20;
    let infer = format!("POST /v2/models/echo/infer HTTP/1.1\r\ncontent-length: {large}");
    let answer = sends_all_first(&server, &infer, large).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("`body` of [inference]"), "{answer}");
    let nowhere = format!("POST /nowhere HTTP/1.1\r\ncontent-length: {large}");
    let answer = sends_all_first(&server, &nowhere, large).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    // One that asks first is told before it sends anything, and is not told to go on.
    let expects = format!("{infer}\r\nexpect: 100-continue");
    let answer = sends_all_first(&server, &expects, 0).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_token_is_asked_for_where_there_is_one() {
    let server = Server::with(InferenceSettings { tokens: Some(Arc::new(Secret)), ..Default::default() });
    for path in ["/v2/health/live", "/v2/models", "/nowhere"] {
        let refused = server.get(path).await;
        refused.refused(401);
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    let good = [("authorization", "Bearer secret")];
    assert_eq!(server.send(Method::GET, "/v2/models", &good, b"").await.status, 200);
    assert_eq!(server.call("ServerLive", &[], &[vec![]]).await.0, 16);
    assert_eq!(server.call("grpc.health.v1.Health/Check", &[], &[vec![]]).await.0, 16);
    assert_eq!(server.call("ServerLive", &good, &[vec![]]).await.0, 0);
    // Who may ask models may not take them away from others.
    let unload = "/v2/repository/models/echo/unload";
    let text = server.send(Method::POST, unload, &good, b"{}").await.refused(403);
    assert!(text.contains("client"), "{text}");
    assert_eq!(server.call("RepositoryModelUnload", &good, &[vec![]]).await.0, 7);
    let more = [("authorization", "Bearer another")];
    assert_eq!(server.send(Method::POST, unload, &more, b"{}").await.status, 200);
}

#[test]
fn nobody_outside_is_answered_without_tls_and_a_token() {
    let settings = InferenceSettings { listen: vec!["0.0.0.0:0".parse().unwrap()], ..Default::default() };
    let with_token = InferenceSettings { tokens: Some(Arc::new(Secret)), ..settings.clone() };
    for settings in [settings, with_token] {
        let refused = InferenceServer::start(&settings, Arc::new(super::backend::Models::default()));
        let text = refused.err().unwrap().to_string();
        assert!(text.starts_with("[TS-0706]") && text.contains("0.0.0.0:0"), "{text}");
    }
}

#[tokio::test]
async fn a_head_or_a_body_that_does_not_come_is_not_waited_for() {
    let short = Duration::from_millis(50);
    let server = Server::with(InferenceSettings {
        head_time: short,
        body_time: short,
        idle_time: short * 4,
        ..Default::default()
    });
    let mut end = Vec::new();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"POST /v2/models/echo/infer HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    for begun in [&b"GET /v2 HTT"[..], b"", b"PRI"] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(begun).await.unwrap();
        // It ends, in whatever way.
        let _ = stream.read_to_end(&mut end).await;
    }
    // One that was answered may be quiet for longer than a head may take.
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        while let Ok(read) = tokio::time::timeout(short * 2, stream.read(&mut [0; 4096])).await {
            assert_ne!(read.unwrap(), 0, "it was closed");
        }
    }
}

#[tokio::test]
async fn a_message_of_grpc_that_does_not_come_is_not_waited_for() {
    let short = Duration::from_millis(50);
    let server = Server::with(InferenceSettings { body_time: short, ..Default::default() });
    let (status, text) = server.begin("ModelInfer").await;
    assert_eq!(status, 4, "{text}");
}

#[tokio::test]
async fn one_more_connection_waits_until_another_ends() {
    let server = Server::with(InferenceSettings { connections: 1, ..Default::default() });
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    first.write_all(b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    second.write_all(b"GET /v2 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    let early = tokio::time::timeout(Duration::from_millis(100), second.read(&mut answer)).await;
    assert!(early.is_err());
    drop(first);
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn what_is_under_way_is_answered_when_the_server_ends() {
    let server = Server::start();
    let (address, models) = (server.address(), server.models.clone());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = "{\"inputs\": []}";
    let request =
        format!("POST /v2/models/held/infer HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    while models.last.lock().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn(server.server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    models.let_go.add_permits(1);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    stopping.await.unwrap();
}

#[tokio::test]
async fn one_thread_serves_all_connections_whatever_they_send() {
    for busy_poll in [Duration::ZERO, InferenceSettings::BUSY_POLL] {
        let server = Server::with(InferenceSettings { threads: 1, busy_poll, ..Default::default() });
        // One that waits for its model, and one that is silent.
        let mut held = TcpStream::connect(server.address()).await.unwrap();
        let asks = b"POST /v2/models/held/infer HTTP/1.1\r\nhost: a\r\ncontent-length: 14\r\n\r\n{\"inputs\": []}";
        held.write_all(asks).await.unwrap();
        let _silent = TcpStream::connect(server.address()).await.unwrap();
        // Large ones are read and written beside that thread, and are the same.
        for count in [40_000, 3, 40_000, 3] {
            let answer = server.post("/v2/models/echo/infer", floats(count)).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json()["outputs"][0]["data"].as_array().map(Vec::len), Some(count));
        }
        server.models.let_go.add_permits(1);
        let mut answer = [0; 12];
        held.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

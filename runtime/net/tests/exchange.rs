//! What an exchange gives, and what it says when there is none.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use hyper::{Method, Request, body::Bytes, header::CONTENT_TYPE};
use trackside_net::{
    BoxFuture, Deadlines, Exchange, Failure, FailureClass, HttpClient, Reply, Resolve, Tls, Url, UrlError,
};

/// Far beyond what any of these takes.
const LONG: Duration = Duration::from_secs(60);

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Answers the first request with `answer`, tells what it got, and reads on until the client hangs up.
fn server(answer: &'static [u8]) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        tell.send(request(&mut stream)).unwrap();
        stream.write_all(answer).unwrap();
        if answer.is_empty() {
            // Silent until the client has had enough.
            let _ = stream.read(&mut [0]);
        }
        drop(stream);
        let _ = tell.send("hung up".to_owned());
    });
    (address, told)
}

/// Reads a head, and a body of the length that it tells.
fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn exchange(url: &str, deadline: Duration, max_body: u64) -> Result<Reply, Failure> {
    let headers = [(CONTENT_TYPE, "text/plain".to_owned())];
    let client = HttpClient::new(Tls::new(None));
    let body = Bytes::from_static(b"hello");
    let wish = Exchange { method: &Method::POST, url, headers: &headers, body: &body, deadline, max_body };
    block_on(client.exchange(wish))
}

fn failure(url: &str) -> Failure {
    exchange(url, LONG, 100).unwrap_err()
}

#[test]
fn an_exchange_sends_what_it_is_given_and_gives_back_what_came() {
    let (address, told) = server(b"HTTP/1.1 404 Not Found\r\nx-a: b\r\ncontent-length: 4\r\n\r\nnone");
    let reply = exchange(&format!("http://{address}/a?b=c"), LONG, 4).unwrap();
    assert_eq!((reply.status.as_u16(), reply.body.as_slice()), (404, &b"none"[..]));
    assert_eq!(reply.headers["x-a"], "b");
    let request = told.recv().unwrap();
    assert!(request.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{request}");
    for part in [&format!("host: {address}"), "content-type: text/plain", "user-agent: trackside/", "\r\n\r\nhello"] {
        assert!(request.contains(part), "{part} in {request}");
    }
}

#[test]
fn each_way_to_fail_has_its_class() {
    assert!(matches!(failure("ftp://a.example/"), Failure::Url(UrlError::Malformed { .. })));
    assert_eq!(failure("ftp://a.example/").class(), FailureClass::Request);
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(failure(&format!("http://{free}/")).class(), FailureClass::Connect);
    let (address, _told) = server(b"SSH-2.0-dropbear\r\n");
    assert_eq!(failure(&format!("http://{address}/")).class(), FailureClass::Protocol);
    let (address, _told) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
    let broken = failure(&format!("http://{address}/"));
    assert_eq!(broken.class(), FailureClass::Protocol);
    assert!(broken.to_string().starts_with("broke off after 4 bytes: "), "{broken}");
    let no_tls = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = no_tls.local_addr().unwrap();
    thread::spawn(move || no_tls.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(failure(&format!("https://{address}/")).class(), FailureClass::Tls);
}

#[test]
fn a_body_beyond_the_limit_is_not_read_whether_its_length_is_told_or_not() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n41\r\n0123456789012345678901234567890123456789012345678901234567890123X\r\n41\r\n0123456789012345678901234567890123456789012345678901234567890123X\r\n",
    ] {
        let (address, _told) = server(answer);
        assert!(matches!(failure(&format!("http://{address}/")), Failure::TooLarge { limit: 100 }));
    }
}

#[test]
fn a_server_that_says_nothing_is_left_after_the_deadline() {
    let (address, told) = server(b"");
    let failure = exchange(&format!("http://{address}/"), Duration::from_millis(20), 100).unwrap_err();
    assert_eq!(failure.class(), FailureClass::Timeout);
    // The connection ends with the exchange; without that the server would wait for ever.
    assert!(told.iter().any(|told| told == "hung up"));
}

#[test]
fn an_answer_that_is_dropped_ends_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").unwrap();
        stream.read(&mut [0])
    });
    block_on(async {
        let url = Url::parse(&format!("http://{address}/")).unwrap();
        let deadlines = Deadlines { connect: LONG, head: LONG, piece: LONG, whole: LONG };
        let request = Request::new(http_body_util::Full::default());
        let answer = HttpClient::new(Tls::new(None)).open(&url, request, &deadlines).await.unwrap();
        assert_eq!(answer.header("content-length"), Some("9"));
        drop(answer);
        // The task of the connection is told to end; it does when it is next looked at.
        tokio::task::spawn_blocking(move || server.join().unwrap()).await.unwrap()
    })
    .map(|read| assert_eq!(read, 0))
    .unwrap();
}

/// Knows no name, or one without an address.
#[derive(Debug)]
struct Ignorant(bool);

impl Resolve for Ignorant {
    fn lookup<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let answer = if self.0 { Ok(Vec::new()) } else { Err(io::Error::other("no such name")) };
        Box::pin(std::future::ready(answer))
    }
}

#[test]
fn a_name_that_leads_nowhere_is_told() {
    for (empty, words) in [(false, "failed to look up `a.example`: no such name"), (true, "`a.example` has no address")]
    {
        let client = HttpClient::with_resolver(Tls::new(None), Arc::new(Ignorant(empty)));
        let body = Bytes::new();
        let url = "http://a.example/";
        let wish = Exchange { method: &Method::GET, url, headers: &[], body: &body, deadline: LONG, max_body: 1 };
        let failure = block_on(client.exchange(wish)).unwrap_err();
        assert_eq!((failure.class(), failure.to_string().as_str()), (FailureClass::Dns, words));
    }
}

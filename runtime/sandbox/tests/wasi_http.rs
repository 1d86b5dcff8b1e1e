//! Plugins whose client library speaks wasi:http take the same way out as all others.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    thread::JoinHandle,
    time::Duration,
};

use crate::support::{self, TestHost, failure, guest, output};
use serde_json::{Value, json};
use trackside_sandbox::{Plugin, SecretValue, StepCall, StepReport};
use trackside_spec::{HttpGrant, SecretGrant};

fn plugin() -> Arc<Plugin> {
    static LOADED: OnceLock<(support::Bench, Arc<Plugin>)> = OnceLock::new();
    let (_, plugin) = LOADED.get_or_init(|| {
        let bench = support::Bench::new();
        let plugin = bench.sandbox.load(&guest("testing/wasi-fetch.wasm"), "wasi-fetch").unwrap();
        (bench, plugin)
    });
    plugin.clone()
}

/// Answers one request, whose body ends with `end`, and returns what it was sent.
fn server(end: &'static [u8], response: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<String>) {
    let response = response.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handle = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(end) {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(count) => seen.extend_from_slice(&chunk[..count]),
            }
        }
        let _ = stream.write_all(&response);
        String::from_utf8_lossy(&seen).into_owned()
    });
    (address, handle)
}

fn fetch(input: Value, grants: &[HttpGrant], prepare: impl Fn(&mut StepCall)) -> StepReport {
    let secret = SecretValue { value: b"s3cr3t-value".to_vec(), hosts: vec!["other.example".into()], reveal: false };
    let host = TestHost { secrets: [("pw".to_owned(), secret)].into(), ..TestHost::new() };
    let mut call = support::call_with(input);
    call.allow.http = grants.to_vec();
    call.allow.secrets = vec![SecretGrant { name: "pw".to_owned(), reveal: false }];
    prepare(&mut call);
    support::runtime().block_on(plugin().run(call, Arc::new(host)))
}

fn private(address: SocketAddr) -> (String, HttpGrant) {
    let origin = format!("http://{address}");
    let grant = HttpGrant::parse(&origin).unwrap().private();
    (origin, grant)
}

#[test]
fn a_granted_request_goes_out_with_the_hosts_headers_and_its_body() {
    let (address, server) = server(b"0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let (origin, grant) = private(address);
    let input = json!({ "url": format!("{origin}/x?y"), "method": "POST", "body": "a=1", "headers": { "x-a": "b" } });
    let report = fetch(input, &[grant], |_| {});
    assert_eq!(output(&report), json!({ "status": 200, "bytes": 5 }));
    let seen = server.join().unwrap().to_ascii_lowercase();
    assert!(seen.starts_with("post /x?y http/1.1\r\n"), "{seen}");
    for header in [format!("host: {address}\r\n"), "x-a: b\r\n".into(), "idempotency-key: run-1/alert\r\n".into()] {
        assert!(seen.contains(&header), "{header} is missing in {seen}");
    }
    assert!(seen.contains("a=1"), "{seen}");
    assert_eq!((report.usage.http_requests, report.usage.http_bytes), (1, 8));
}

#[test]
fn what_is_not_granted_is_refused_by_type_and_recorded() {
    let refused = |url: &str, grants: &[HttpGrant]| {
        let report = fetch(json!({ "url": url }), grants, |_| {});
        assert!(output(&report)["error"].as_str().unwrap().contains("HttpRequestDenied"), "{:?}", report.outcome);
        assert_eq!(report.usage.http_bytes, 0);
        report.denials[0].clone()
    };
    let text = refused("https://hooks.example.org/x", &[]);
    assert!(text.ends_with("allow: { http: [\"https://hooks.example.org\"] }"), "{text}");
    let local = HttpGrant::parse("http://127.0.0.1:9").unwrap();
    let text = refused("http://127.0.0.1:9/", &[local]);
    assert!(text.contains("private network") && text.contains("private: true"), "{text}");
    let mut narrow = HttpGrant::parse("https://a.example/v1").unwrap();
    narrow.methods = vec!["POST".to_owned()];
    assert!(refused("https://a.example/v1/x", std::slice::from_ref(&narrow)).contains("GET"));
}

#[test]
fn a_secret_of_another_host_does_not_leave() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (origin, grant) = private(listener.local_addr().unwrap());
    let report = fetch(json!({ "url": origin, "secret": "pw" }), &[grant], |_| {});
    assert!(report.denials[0].contains("names other.example"), "{:?}", report.denials);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "a connection was made");
}

#[test]
fn floods_and_silence_end_at_their_limits() {
    let endless = format!("HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n{}", "x".repeat(900_000));
    let (address, _server) = server(b"\r\n\r\n", endless);
    let (origin, grant) = private(address);
    let report = fetch(json!({ "url": origin }), &[grant], |call| call.limits.http_body_bytes = 100_000);
    assert!(output(&report)["error"].is_string(), "{:?}", report.outcome);
    assert!(report.usage.http_bytes < 300_000, "{:?}", report.usage);

    let (address, _server) = server(b"\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    let (origin, grant) = private(address);
    let report = fetch(json!({ "url": origin }), &[grant], |_| {});
    assert!(output(&report)["error"].is_string(), "a body that breaks off is no end: {:?}", report.outcome);

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (origin, grant) = private(silent.local_addr().unwrap());
    let report = fetch(json!({ "url": origin }), &[grant], |call| call.limits.http_timeout = Duration::from_millis(50));
    assert!(output(&report)["error"].as_str().unwrap().contains("Timeout"), "{:?}", report.outcome);

    let headers = json!({ "x-long": "y".repeat(100_000) });
    let report = fetch(json!({ "url": "http://127.0.0.1:9/", "headers": headers }), &[], |_| {});
    // The library ends a guest that fills a table of headers beyond its bound.
    let (code, message) = failure(&report);
    assert_eq!((code, report.usage.http_requests), ("host-limit", 0), "{:?}", report.outcome);
    assert!(message.contains("total size of fields exceeds limit"), "{message}");
}

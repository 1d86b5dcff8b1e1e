//! Requests reach granted servers, carry what the host adds, and reach nothing else.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
};

use crate::support::{self, TestHost, failure, guest, output};
use trackside_sandbox::{Plugin, StepCall, StepReport};
use trackside_spec::HttpGrant;

/// Answers one request with `response` and returns what it was sent.
fn server(response: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<String>) {
    let response = response.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handle = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut seen = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            seen.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.push_str(&String::from_utf8(body).unwrap());
        // A client that has seen enough may have hung up.
        let _ = stream.write_all(&response);
        seen
    });
    (address, handle)
}

fn plugin() -> Arc<Plugin> {
    static LOADED: std::sync::OnceLock<(support::Bench, Arc<Plugin>)> = std::sync::OnceLock::new();
    let (_, plugin) = LOADED.get_or_init(|| {
        let bench = support::Bench::new();
        let plugin = bench.sandbox.load(&guest("http-request.wasm"), "http-request").unwrap();
        (bench, plugin)
    });
    plugin.clone()
}

fn request(origin: &str, input: serde_json::Value, private: bool, host: TestHost) -> StepReport {
    let mut call = StepCall::new("flow", "run-1", "alert");
    call.input_json = input.to_string();
    call.allow.http = vec![HttpGrant { private, ..HttpGrant::parse(origin).unwrap() }];
    call.limits.http_body_bytes = 100_000;
    support::runtime().block_on(plugin().run(call, Arc::new(host)))
}

#[test]
fn a_granted_request_carries_host_length_and_idempotency_key() {
    let (address, server) =
        server(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nContent-Type: application/json\r\n\r\n{\"ok\":true}");
    let origin = format!("http://{address}");
    let input = serde_json::json!({ "method": "POST", "url": format!("{origin}/pump"), "body": { "a": 1 } });
    let report = request(&origin, input, true, TestHost::new());
    let seen = server.join().unwrap();
    assert_eq!(output(&report)["status"], 200, "{:?}", report.outcome);
    let lower = seen.to_ascii_lowercase();
    assert!(lower.starts_with("post /pump http/1.1\r\n"), "{seen}");
    for header in
        [format!("host: {address}\r\n"), "content-length: 7\r\n".into(), "idempotency-key: run-1/alert\r\n".into()]
    {
        assert!(lower.contains(&header), "{header} is missing in {seen}");
    }
    assert!(seen.ends_with("{\"a\":1}"), "{seen}");
    assert_eq!(report.usage.http_requests, 1);
}

#[test]
fn a_private_address_needs_its_own_grant() {
    let report = request(
        "http://127.0.0.1:9",
        serde_json::json!({ "method": "GET", "url": "http://127.0.0.1:9/" }),
        false,
        TestHost::new(),
    );
    failure(&report);
    assert_eq!(report.denials.len(), 1);
    assert!(report.denials[0].contains("private: true"), "{:?}", report.denials);
    assert!(report.denials[0].contains("127.0.0.1"), "{:?}", report.denials);
}

#[test]
fn a_name_that_leads_inside_is_refused_like_the_address() {
    let report = request(
        "http://localhost:9",
        serde_json::json!({ "method": "GET", "url": "http://localhost:9/" }),
        false,
        TestHost::new(),
    );
    failure(&report);
    assert!(report.denials[0].contains("private network"), "{:?}", report.denials);
}

#[test]
fn the_nodes_own_api_is_never_called() {
    let own: SocketAddr = "127.0.0.1:7878".parse().unwrap();
    let host = TestHost { own: vec![own], ..TestHost::new() };
    let report = request(
        "http://127.0.0.1:7878",
        serde_json::json!({ "method": "GET", "url": "http://127.0.0.1:7878/" }),
        true,
        host,
    );
    failure(&report);
    assert!(report.denials[0].contains("no grant allows it"), "{:?}", report.denials);
}

#[test]
fn a_redirect_is_shown_and_not_followed() {
    let (address, server) =
        server(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n");
    let origin = format!("http://{address}");
    let input = serde_json::json!({ "method": "GET", "url": format!("{origin}/"), "expect": [302] });
    let report = request(&origin, input, true, TestHost::new());
    assert!(!server.join().unwrap().contains("idempotency-key"));
    assert_eq!(report.usage.http_requests, 1);
    assert!(report.denials.is_empty());
}

#[test]
fn a_body_over_the_limit_is_cut_off() {
    let mut response = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n".to_vec();
    response.resize(response.len() + 200_000, b'x');
    let (address, _server) = server(response);
    let origin = format!("http://{address}");
    let input = serde_json::json!({ "method": "GET", "url": format!("{origin}/"), "save": true });
    let report = request(&origin, input, true, TestHost::new());
    assert!(failure(&report).1.contains("100000"), "{:?}", report.outcome);
}

#[test]
fn a_body_that_breaks_off_is_an_error_not_an_end() {
    let (address, _server) = server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    let origin = format!("http://{address}");
    let input = serde_json::json!({ "method": "GET", "url": format!("{origin}/") });
    failure(&request(&origin, input, true, TestHost::new()));
}

#[test]
fn a_server_that_is_not_there_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let origin = format!("http://{address}");
    let report =
        request(&origin, serde_json::json!({ "method": "GET", "url": format!("{origin}/") }), true, TestHost::new());
    let (_, message) = failure(&report);
    assert!(message.contains(&address.port().to_string()), "{message}");
    assert!(report.outcome.unwrap_err().retryable);
}

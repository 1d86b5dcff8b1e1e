//! Where requests end up: TLS with configured authorities, names that lie, floods in both directions.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use crate::support::{self, TestHost, failure, guest, output, settings};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use trackside_sandbox::{BoxFuture, Plugin, Resolve, Sandbox, SandboxSettings, StepCall, StepReport};
use trackside_spec::HttpGrant;

fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

/// Gives out one list of addresses after the other, and remembers how often it was asked.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<Vec<Vec<SocketAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Resolve for Script {
    fn lookup<'a>(&'a self, host: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn script(answers: &[&[SocketAddr]]) -> Arc<Script> {
    let answers = answers.iter().map(|list| list.to_vec()).collect();
    Arc::new(Script { answers: Mutex::new(answers), ..Script::default() })
}

/// A sandbox with this resolver and these authorities.
fn plugin(resolver: Option<Arc<Script>>, ca_file: Option<PathBuf>) -> (tempfile::TempDir, Arc<Plugin>) {
    let folder = tempfile::tempdir().unwrap();
    let resolver = resolver.map(|script| script as Arc<dyn Resolve>);
    let sandbox = Sandbox::new(SandboxSettings { ca_file, resolver, ..settings(folder.path()) }).unwrap();
    let plugin = sandbox.load(&guest("testing/misbehave.wasm"), "misbehave").unwrap();
    (folder, plugin)
}

fn call(mode: &str, n: u64, url: &str, grants: &[HttpGrant]) -> StepCall {
    let mut call = support::call_with(serde_json::json!({ "mode": mode, "n": n, "target": url }));
    call.allow.http = grants.to_vec();
    call
}

fn get(plugin: &Plugin, url: &str, grants: &[HttpGrant]) -> StepReport {
    support::runtime().block_on(plugin.run(call("http", 0, url, grants), Arc::new(TestHost::new())))
}

fn private(origin: &str) -> HttpGrant {
    HttpGrant::parse(origin).unwrap().private()
}

/// Answers every connection with `response` once a request's head has come; ends with the test.
fn server(response: impl Into<Vec<u8>>) -> SocketAddr {
    let response = response.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let response = response.clone();
            std::thread::spawn(move || answer(stream, &response));
        }
    });
    address
}

fn answer(mut stream: TcpStream, response: &[u8]) {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => seen.extend_from_slice(&chunk[..count]),
        }
    }
    // A client that has seen enough may have hung up.
    let _ = stream.write_all(response);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
}

/// One TLS connection, answered with 204; returns the server name that the client asked for.
fn tls_server() -> (SocketAddr, JoinHandle<io::Result<Option<String>>>) {
    let chain = CertificateDer::pem_file_iter(tls_file("server.pem")).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file("server.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handle = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let mut connection = rustls::ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        let mut tls = rustls::Stream::new(&mut connection, &mut stream);
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
            match tls.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => seen.extend_from_slice(&chunk[..count]),
            }
        }
        tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
        tls.flush()?;
        Ok(connection.server_name().map(str::to_owned))
    });
    (address, handle)
}

#[test]
fn a_server_of_a_configured_authority_is_trusted_by_its_name() {
    let (address, server) = tls_server();
    let names = script(&[&[address]]);
    let (_folder, plugin) = plugin(Some(names.clone()), Some(tls_file("ca.pem")));
    let origin = format!("https://hooks.example.org:{}", address.port());
    let report = get(&plugin, &format!("{origin}/x"), &[private(&origin)]);
    assert_eq!(output(&report)["status"], 204);
    assert_eq!(server.join().unwrap().unwrap().as_deref(), Some("hooks.example.org"));
    assert_eq!(*names.asked.lock().unwrap(), ["hooks.example.org"]);
}

#[test]
fn a_server_with_a_certificate_for_another_name_or_of_another_authority_is_not_trusted() {
    for (host, ca_file) in [("other.example.org", Some(tls_file("ca.pem"))), ("hooks.example.org", None)] {
        let (address, server) = tls_server();
        let (_folder, plugin) = plugin(Some(script(&[&[address]])), ca_file);
        let origin = format!("https://{host}:{}", address.port());
        let report = get(&plugin, &origin, &[private(&origin)]);
        let (code, message) = failure(&report);
        assert!(message.contains("certificate") || code.contains("tls"), "{host}: {code}: {message}");
        assert!(server.join().unwrap().is_err(), "{host}: the server got a request");
    }
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_named() {
    for file in [tls_file("missing.pem"), tls_file("README.md")] {
        let (address, _server) = tls_server();
        let (_folder, plugin) = plugin(Some(script(&[&[address]])), Some(file.clone()));
        let origin = format!("https://hooks.example.org:{}", address.port());
        let report = get(&plugin, &origin, &[private(&origin)]);
        let message = failure(&report).1;
        assert!(message.contains("ca_file") && message.contains(file.to_str().unwrap()), "{message}");
    }
}

#[test]
fn a_name_that_first_leads_outside_and_then_inside_is_refused_at_the_second_request() {
    let address = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    // Whether anything answers there does not matter: it may be called.
    let public = SocketAddr::from(([93, 184, 216, 34], 1));
    let names = script(&[&[public], &[address]]);
    let (_folder, plugin) = plugin(Some(names.clone()), None);
    let origin = format!("http://rebind.example:{}", address.port());
    let grants = [HttpGrant::parse(&origin).unwrap()];
    let mut first = call("http", 0, &origin, &grants);
    first.limits.http_timeout = Duration::from_millis(50);
    let host = Arc::new(TestHost::new());
    let first = support::runtime().block_on(plugin.run(first, host.clone()));
    assert!(first.denials.is_empty(), "{:?}", first.denials);
    let second = support::runtime().block_on(plugin.run(call("http", 0, &origin, &grants), host));
    assert!(second.denials[0].contains("private network"), "{:?}", second.denials);
    assert_eq!(names.asked.lock().unwrap().len(), 2, "each request asks once");
}

#[test]
fn a_name_that_leads_to_the_metadata_service_in_any_dress_is_refused() {
    for dress in
        ["169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fe80::1]"]
    {
        let names = script(&[&[format!("{dress}:80").parse().unwrap()]]);
        let (_folder, plugin) = plugin(Some(names), None);
        let report = get(&plugin, "http://metadata.example/", &[HttpGrant::parse("http://metadata.example").unwrap()]);
        failure(&report);
        assert!(report.denials[0].contains("private network"), "{dress}: {:?}", report.denials);
    }
}

#[test]
fn a_method_or_a_path_beyond_the_grant_is_refused_with_the_grant_that_would_do() {
    let (_folder, plugin) = plugin(Some(script(&[&[SocketAddr::from(([127, 0, 0, 1], 9))]])), None);
    let mut grant = HttpGrant::parse("https://a.example/v1").unwrap();
    grant.methods = vec!["PUT".to_owned()];
    let report = get(&plugin, "https://a.example/v1/x", std::slice::from_ref(&grant));
    let wanted = "allow: { http: [{ origin: \"https://a.example/v1\", methods: [PUT, GET] }] }";
    assert!(report.denials[0].contains("GET") && report.denials[0].ends_with(wanted), "{:?}", report.denials);
    grant.methods.clear();
    for path in ["/v2", "/v1/../v2", "/v1/%2e%2e/v2", "//v1"] {
        let report = get(&plugin, &format!("https://a.example{path}"), std::slice::from_ref(&grant));
        assert_eq!(report.denials.len(), 1, "{path}: {:?}", report.outcome);
    }
}

#[test]
fn floods_of_requests_bodies_and_headers_end_at_their_limits() {
    let small = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let many = server(format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: b\r\n".repeat(500)));
    let long = server(format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "y".repeat(60_000)));
    let (_folder, plugin) = plugin(None, None);
    let run = |mode: &str, n: u64, address: SocketAddr, prepare: &dyn Fn(&mut StepCall)| {
        let origin = format!("http://{address}");
        let mut call = call(mode, n, &format!("{origin}/"), &[private(&origin)]);
        prepare(&mut call);
        let report = support::runtime().block_on(plugin.run(call, Arc::new(TestHost::new())));
        let (code, message) = failure(&report);
        (format!("{code}: {message}"), report.usage)
    };
    let (text, usage) = run("http-flood", 9, small, &|call| call.limits.http_requests = 3);
    assert!(text.contains("at most 3 requests") && usage.http_requests == 3, "{text}");
    let (text, _) = run("http-flood", 9, small, &|call| call.limits.http_body_bytes = 999);
    assert!(text.contains("http_body"), "{text}");
    let (text, usage) = run("http-flood", 9, small, &|call| call.limits.http_total_bytes = 2_500);
    assert!(text.contains("http_total") && usage.http_requests == 2, "{text} {usage:?}");
    let (text, usage) = run("http-headers", 40_000, small, &|_| {});
    assert!(text.contains("http_headers") && usage.http_requests == 0, "{text}");
    for (what, address) in [("many", many), ("long", long)] {
        let (text, _) = run("http", 0, address, &|_| {});
        assert!(text.contains("protocol") || text.contains("too large") || text.contains("header"), "{what}: {text}");
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", silent.local_addr().unwrap());
    let (_folder, plugin) = plugin(None, None);
    let mut call = call("http", 0, &origin, &[private(&origin)]);
    call.limits.http_timeout = Duration::from_millis(50);
    let begin = std::time::Instant::now();
    let report = support::runtime().block_on(plugin.run(call, Arc::new(TestHost::new())));
    assert!(failure(&report).0.contains("timeout"), "{:?}", report.outcome);
    assert!(begin.elapsed() < support::wait::patient(Duration::from_secs(60)));
}

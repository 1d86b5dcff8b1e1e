//! Guests that want to reach what they were not granted.

use std::{io::Write as _, net::TcpListener, time::Duration};

use super::{
    attack::{Attack, Attacks},
    guest::{Guest, RET, Text},
    server::Server,
};
use crate::support::wait::let_pass;

/// A guest that can `send` a request.
fn client() -> Guest {
    let mut guest = Guest::new();
    guest
        .import("send", "http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32)")
        .import("status", "http", "[method]response.status", "(param i32) (result i32)")
        .import("read", "http", "[method]response.read", "(param i32 i32 i32)");
    guest
}

/// What a request asks for.
struct Ask {
    url: Text,
    method: Text,
    headers: (u32, usize),
    timeout: Option<u64>,
    body: Text,
}

impl Ask {
    fn get(guest: &mut Guest, url: &str) -> Self {
        let (url, method) = (guest.text(url), guest.text("GET"));
        Self { url, method, headers: (0, 0), timeout: None, body: Text { at: 0, length: 0 } }
    }

    /// Sends it, without a look at what comes.
    fn send(&self) -> String {
        let Self { url, method, headers: (at, count), timeout, body } = self;
        let (given, timeout) = timeout.map_or((0, 0), |timeout| (1, timeout.cast_signed()));
        format!(
            "(call $send {method} {url} (i32.const {at}) (i32.const {count}) (i32.const {given}) (i64.const {timeout}) \
             {body} (i32.const {RET}))"
        )
    }
}

/// Ends with the host's error, if the last call gave one.
fn ends_on_error(guest: &mut Guest) -> String {
    let refused = guest.refused("http", RET + 4);
    format!("(if (i32.load8_u (i32.const {RET})) (then {refused}))")
}

/// Sends one request and reads the answer to its end.
fn fetches(url: &str, prepare: impl FnOnce(&mut Guest, &mut Ask)) -> Guest {
    let mut guest = client();
    let mut ask = Ask::get(&mut guest, url);
    prepare(&mut guest, &mut ask);
    let (send, check) = (ask.send(), ends_on_error(&mut guest));
    guest.run(format!(
        "{send} {check} (local.set $a (i32.load offset=4 (i32.const {RET})))
        (local.set $b (global.get $heap))
        (loop $more
          (global.set $heap (local.get $b))
          (call $read (local.get $a) (i32.const 65536) (i32.const {RET})) {check}
          (br_if $more (i32.load offset=8 (i32.const {RET}))))"
    ));
    guest
}

/// Asks for one URL after the other, all of which must be refused with the same case of the contract's error.
fn is_refused_everywhere(urls: &[&str], case: u32) -> Guest {
    let mut guest = client();
    let method = guest.text("GET");
    let (sent, other) = (guest.text("sent"), guest.refused("http", RET + 4));
    let each = guest.each(
        urls,
        &format!(
            "(call $send {method} (local.get $p) (local.get $l) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0)
              (i32.const 0) (i32.const 0) (i32.const {RET}))
            (if (i32.eqz (i32.load8_u (i32.const {RET}))) 
              (then (return (call $fail (i32.const 1) {sent} (local.get $p) (local.get $l)))))
            (if (i32.ne (i32.load8_u offset=4 (i32.const {RET})) (i32.const {case}))
              (then (call $name (local.get $p) (local.get $l)) {other}))"
        ),
    );
    guest.import("log", "telemetry", "log", "(param i32 i32 i32 i32 i32)").item(
        "(func $name (param i32 i32) (call $log (i32.const 4) (local.get 0) (local.get 1) (i32.const 0) (i32.const 0)))",
    );
    let end = guest.refused("http", RET + 4);
    guest.run(format!("{each} {end}"));
    guest
}

fn private(origin: &str) -> String {
    format!("http: [{{ origin: \"{origin}\", private: true }}]")
}

#[test]
fn h13_talks_to_a_server_that_never_ends() {
    let trickle = Server::start(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        loop {
            stream.write_all(b"x")?;
            let_pass(Duration::from_millis(20));
        }
    });
    // Connections are made by the kernel; nobody ever takes one.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().map(|address| (silent, address)).map(leak).unwrap());
    let url = |origin: &str| format!("{origin}/x");
    // It takes no error for an answer.
    let mut stubborn = client();
    let ask = Ask::get(&mut stubborn, &url(&trickle.origin));
    let (send, check) = (ask.send(), ends_on_error(&mut stubborn));
    stubborn.run(format!(
        "{send} {check} (local.set $a (i32.load offset=4 (i32.const {RET}))) (local.set $b (global.get $heap))
        (loop $more
          (global.set $heap (local.get $b)) (call $read (local.get $a) (i32.const 65536) (i32.const {RET})) (br $more))"
    ));
    let mut held = client();
    let ask = Ask::get(&mut held, &url(&trickle.origin));
    let (send, check) = (ask.send(), ends_on_error(&mut held));
    held.import("sleep", "clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)")
        .import("block", "io/poll", "[method]pollable.block", "(param i32)")
        .run(format!("{send} {check} (call $block (call $sleep (i64.const 3600000000000)))"));
    let upload = fetches(&url(&silent), |guest, ask| {
        guest.pages(64);
        ask.method = guest.text("POST");
        ask.body = Text { at: 65_536, length: 3 << 20 };
    });
    Attacks::of(13, 48)
        .attack(Attack::guest(&stubborn).wall(500).allow(private(&trickle.origin)).ends("wall-limit", &["500ms"]))
        .attack(Attack::guest(&held).wall(500).allow(private(&trickle.origin)).ends("wall-limit", &["500ms"]))
        .attack(
            Attack::guest(&fetches(&url(&silent), |_, _| {}))
                .wall(1_000)
                .limits("http_timeout: 200ms")
                .allow(private(&silent))
                .ends("timeout", &[]),
        )
        .attack(
            Attack::guest(&upload)
                .wall(1_000)
                .limits("http_timeout: 200ms")
                .allow(private(&silent))
                .ends("timeout", &[]),
        )
        .run();
}

/// Keeps a listener for as long as the program runs.
fn leak((listener, address): (TcpListener, std::net::SocketAddr)) -> std::net::SocketAddr {
    std::mem::forget(listener);
    address
}

#[test]
fn h29_asks_for_hosts_in_disguise() {
    let (granted, other) = (Server::says("granted"), Server::says("other"));
    let port = granted.port;
    let denied = [
        format!("{}/", other.origin),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://127.0.0.2.:{port}/"),
        format!("http://127.0.0.1.example.org:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://127.0.0.1/".to_owned(),
        // Looks like `allowed` and is not: two Cyrillic letters, in the form that goes out.
        format!("http://xn--llwed-3ve3d.example:{port}/"),
    ];
    let bad = [
        format!("http://127.0.0.1:{port}@{}/", &other.origin[7..]),
        format!("http://user:pass@127.0.0.1:{port}/"),
        format!("http://0177.0.0.1:{port}/"),
        format!("http://0x7f.0.0.1:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://127.0.0.1:{port}0000/"),
        "http://127.0.0.1:0/".to_owned(),
        "http:///x".to_owned(),
        "//127.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
        format!("http://127.0.0.1:{port}/ HTTP/1.1\r\nx: y"),
        format!("http://127.0.0.1:{port}\\@evil.example/"),
        format!("http://\u{430}llowed.example:{port}/"),
        format!("http://127.0.0.1%2eexample.org:{port}/"),
    ];
    let texts = |urls: &'static [String]| urls.iter().map(String::as_str).collect::<Vec<_>>();
    let (denied, bad) = (texts(Vec::leak(denied.into())), texts(Vec::leak(bad.into())));
    let allow = private(&granted.origin);
    Attacks::of(29, 32)
        .attack(Attack::guest(&is_refused_everywhere(&denied, 0)).allow(&allow).ends("denied", &["may not"]))
        .attack(Attack::guest(&is_refused_everywhere(&bad, 1)).allow(&allow).ends("bad-request", &["URL"]))
        .run();
    assert_eq!(granted.heads().len() + other.heads().len(), 0);
}

#[test]
fn h32_follows_a_redirect_inside() {
    const METADATA: &str = "http://169.254.169.254/latest/meta-data/";
    let server = Server::start(|stream, _| {
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: {METADATA}\r\nContent-Length: 0\r\n\r\n")
    });
    let mut guest = client();
    let (first, second) = (Ask::get(&mut guest, &format!("{}/x", server.origin)), Ask::get(&mut guest, METADATA));
    let (followed, check) = (guest.fail("followed", "the host followed the redirect"), ends_on_error(&mut guest));
    guest.run(format!(
        "{} {check}
        (if (i32.ne (call $status (i32.load offset=4 (i32.const {RET}))) (i32.const 302)) (then {followed}))
        {} {check}",
        first.send(),
        second.send()
    ));
    let granted = format!("{{ origin: \"{}\", private: true }}", server.origin);
    Attacks::of(32, 32)
        .attack(Attack::guest(&guest).allow(format!("http: [{granted}]")).ends("denied", &["169.254.169.254"]))
        .attack(
            Attack::guest(&guest)
                .allow(format!("http: [{granted}, \"http://169.254.169.254\"]"))
                .ends("denied", &["private network"]),
        )
        .run();
}

#[test]
fn h33_smuggles_headers() {
    let server = Server::says("fine");
    let url = format!("{}/x", server.origin);
    let sends = |pairs: &[(&str, &str)], timeout: Option<u64>| {
        fetches(&url, |guest, ask| {
            let rows: Vec<u32> = pairs
                .iter()
                .flat_map(|(name, value)| {
                    let (name, value) = (guest.text(name), guest.text(value));
                    [name.at, name.length, value.at, value.length]
                })
                .collect();
            ask.headers = (guest.words(&rows), pairs.len());
            ask.timeout = timeout;
            ask.method = guest.text("POST");
            ask.body = guest.text("0123456789");
        })
    };
    let flood = vec![("x-a", "b"); 5_000];
    let long = "y".repeat(100_000);
    let mut attacks = Attacks::of(33, 32);
    for pairs in [
        &[("x-a", "b\r\nx-smuggled: 1")][..],
        &[("x-a: b\r\nx-smuggled", "1")],
        &[("x-a", "b\0c")],
        &[("", "x")],
        &[("x-a", &long)],
        &flood,
    ] {
        let guest = sends(pairs, None);
        attacks = attacks.attack(Attack::guest(&guest).allow(private(&server.origin)).ends("bad-request", &[]));
    }
    let conflicting = [
        ("Host", "evil.example"),
        ("content-length", "3"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Connection", "upgrade, x-kept"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
        ("proxy-authorization", "Basic eDp5"),
        ("x-kept", "yes"),
    ];
    attacks = attacks.attack(Attack::guest(&sends(&conflicting, None)).allow(private(&server.origin)));
    attacks.run();
    let heads = server.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let head = heads[0].to_ascii_lowercase();
    for (part, count) in [
        ("\r\nhost:", 1),
        (&format!("\r\nhost: 127.0.0.1:{}\r\n", server.port), 1),
        ("\r\ncontent-length: 10\r\n", 1),
        ("content-length", 1),
        ("x-kept: yes", 1),
        ("transfer-encoding", 0),
        ("upgrade", 0),
        ("expect", 0),
        ("proxy-", 0),
    ] {
        assert_eq!(head.matches(part).count(), count, "{part:?} in {head}");
    }
}

#[test]
fn h34_is_sent_more_than_it_can_take() {
    let endless = Server::start(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let chunk = [&b"10000\r\n"[..], &[b'x'; 65_536], b"\r\n"].concat();
        loop {
            stream.write_all(&chunk)?;
        }
    });
    let bomb = Server::start(|stream, _| {
        // What it unpacks to does not matter: nobody unpacks it.
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes())?;
        stream.write_all(&[0; 1_000])
    });
    let heads = Server::start(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(b"x-more: and more\r\n")?;
        }
    });
    let fetch = |server: &Server| {
        let guest = fetches(&format!("{}/x", server.origin), |_, _| {});
        Attack::guest(&guest).limits("http_body: 1MiB").allow(private(&server.origin))
    };
    Attacks::of(34, 32)
        .attack(fetch(&endless).ends("too-large", &["http_body"]))
        .attack(fetch(&bomb).look(|seen| assert_eq!(seen.report()["http_bytes"], 1_000, "{:#}", seen.report())))
        .attack(fetch(&heads).ends("protocol", &[]))
        .run();
}

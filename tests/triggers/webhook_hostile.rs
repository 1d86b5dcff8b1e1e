//! Requests that are meant to hurt.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use crate::{
    explained,
    support::{Node, Project, optional::not_run},
    webhook::{JSON, address, project, send},
};

/// Sends these bytes and gives the status of the answer; nothing when the connection is closed without one.
fn raw(address: &str, bytes: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).unwrap();
    // The node may have closed it already.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

fn started() -> (Project, Node, String) {
    let project = project("signature: none, max_body: 1KiB");
    let node = project.serve();
    let at = address(&node);
    (project, node, at)
}

#[test]
fn paths_that_are_not_the_webhooks_own_start_nothing() {
    let (project, node, at) = started();
    for path in [
        "/hooks/push/",
        "/hooks/push/x",
        "//hooks/push",
        "/hooks//push",
        "/hooks/PUSH",
        "/hooks/",
        "/hooks",
        "/",
        "/hooks/%2e%2e/v1/status",
        "/hooks/../hooks/../v1/runs",
        "/hooks/push%00",
        "/hooks/%ff",
        "/hooks/push%2f",
        "/hooks/push.yaml",
        "/hooks/*",
        "/hooks/push;a=b",
        "/v1/runs",
        "/v1/reload",
        "/%68ooks/other",
    ] {
        let (status, answer) = send(&at, path, JSON, "{}");
        assert_eq!(status, 404, "{path} {answer}");
    }
    let long = format!("/hooks/{}", "x".repeat(8_000));
    assert_eq!(send(&at, &long, JSON, "{}").0, 404);
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW"] {
        let request =
            format!("{method} /hooks/push HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(raw(&at, request.as_bytes()), Some(405), "{method}");
    }
    assert!(project.runs().is_empty());
    // A query is not part of the name.
    assert_eq!(send(&at, "/hooks/push?a=b", JSON, "{}").0, 202);
    drop(node);
}

#[test]
fn requests_that_are_broken_or_too_large_are_refused_and_do_no_harm() {
    let (project, node, at) = started();
    let head = "POST /hooks/push HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let filler = format!("x-filler: {}\r\n", "x".repeat(20 << 10));
    let many: String = (0..300).map(|number| format!("x-{number}: 1\r\n")).collect();
    for (what, request) in [
        ("one large header", format!("{head}{filler}content-length: 2\r\n\r\n{{}}")),
        ("many headers", format!("{head}{many}content-length: 2\r\n\r\n{{}}")),
        ("two lengths", format!("{head}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")),
        ("a length that is none", format!("{head}content-length: -1\r\n\r\n{{}}")),
        (
            "length and chunks that contradict each other",
            format!("{head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        ),
        ("a broken chunk", format!("{head}transfer-encoding: chunked\r\n\r\nZZ\r\n{{}}\r\n0\r\n\r\n")),
        ("a control character in a header", format!("{head}x: \u{1}\r\ncontent-length: 2\r\n\r\n{{}}")),
        ("no HTTP at all", "\u{16}\u{3}\u{1}\u{0}hello\r\n\r\n".to_owned()),
    ] {
        let status = raw(&at, request.as_bytes());
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{what}: {status:?}");
    }
    // Larger than max_body: said beforehand, and found while it comes.
    assert_eq!(send(&at, "/hooks/push", "", &"x".repeat(1025)).0, 413);
    // Much larger: who still sends reads why it is refused.
    for path in ["/hooks/push", "/hooks/nowhere"] {
        let status = send(&at, path, "", &"x".repeat(16 << 20)).0;
        assert!(matches!(status, 404 | 413), "{path}: {status}");
    }
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    assert_eq!(raw(&at, chunked.as_bytes()), Some(413));
    // JSON that is deep, and JSON that is not Unicode.
    assert_eq!(send(&at, "/hooks/push", JSON, &format!("{}1{}", "[".repeat(500), "]".repeat(500))).0, 400);
    let mut latin = format!("{head}{JSON}content-length: 6\r\n\r\n").into_bytes();
    latin.extend(b"\"\xe9\xff\xfe\"x");
    assert_eq!(raw(&at, &latin), Some(400));
    assert!(project.runs().is_empty());
    assert_eq!(send(&at, "/hooks/push", JSON, "{\"n\": 1}").0, 202);
    project.wait_runs(1);
    drop(node);
}

#[test]
fn clients_that_send_nothing_more_do_not_keep_others_out_for_long() {
    let (project, node, at) = started();
    // As many as there is room for, each with half a request.
    let slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(&at).unwrap();
            stream.write_all(b"POST /hooks/push HTTP/1.1\r\nhost: x\r\ncontent-le").unwrap();
            stream
        })
        .collect();
    // This one waits until their time for headers is over.
    let (status, answer) = send(&at, "/hooks/push", JSON, "{}");
    assert_eq!(status, 202, "{answer}");
    for mut stream in slow {
        let mut rest = Vec::new();
        stream.set_read_timeout(Some(crate::support::wait::patience())).unwrap();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(project.wait_runs(1).len(), 1);
    drop(node);
}

#[test]
fn large_bodies_that_are_announced_and_do_not_come_take_no_room() {
    let project = project("signature: none, max_body: 64MiB");
    let node = project.serve();
    let at = address(&node);
    let announced: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&at).unwrap();
            stream.write_all(b"POST /hooks/push HTTP/1.1\r\nhost: x\r\ncontent-length: 67000000\r\n\r\nx").unwrap();
            stream
        })
        .collect();
    assert_eq!(send(&at, "/hooks/push", JSON, "{\"n\": 2}").0, 202);
    drop(announced);
    drop(node);
}

#[test]
fn a_body_that_does_not_come_is_answered_and_not_waited_for_for_ever() {
    let (project, node, at) = started();
    // One that never begins, one that stops, one that goes on in chunks that never end.
    let begun: Vec<TcpStream> = [
        "content-length: 9\r\n\r\n",
        "content-length: 9\r\n\r\n{\"n\"",
        "transfer-encoding: chunked\r\n\r\n5\r\n{\"n\":\r\n",
    ]
    .iter()
    .map(|rest| {
        let mut stream = TcpStream::connect(&at).unwrap();
        write!(stream, "POST /hooks/push HTTP/1.1\r\nhost: x\r\n{rest}").unwrap();
        stream.set_read_timeout(Some(crate::support::wait::patience())).unwrap();
        stream
    })
    .collect();
    // Others are not kept waiting meanwhile.
    assert_eq!(send(&at, "/hooks/push", JSON, "{}").0, 202);
    for mut stream in begun {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("TS-0719"), "{answer}");
    }
    assert_eq!(project.wait_runs(1).len(), 1);
    drop(node);
}

#[test]
fn curl_sends_what_people_send() {
    let (project, node, at) = started();
    let curl = |arguments: &[&str], body: &[u8]| {
        let url = format!("http://{at}/hooks/push");
        let mut child = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", "@-"])
            .args(arguments)
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        child.stdin.take().unwrap().write_all(body).unwrap();
        Some(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
    };
    let json = ["-H", "Content-Type: application/json"];
    let Some(status) = curl(&json, b"{\"n\": 8}") else {
        return not_run("curl", "a webhook's real client", "no curl");
    };
    assert_eq!(status, "202");
    let chunked = ["-H", "Transfer-Encoding: chunked"];
    assert_eq!(curl(&[&json[..], &chunked].concat(), b"{\"n\": 9}").as_deref(), Some("202"));
    assert_eq!(curl(&["-H", "Expect: 100-continue", json[0], json[1]], b"{\"n\": 10}").as_deref(), Some("202"));
    // curl says that it sends a form, whatever it sends: without the field `payload` there is nothing to read.
    assert_eq!(curl(&[], b"{\"n\": 11}").as_deref(), Some("415"));
    assert_eq!(curl(&["-H", "Cookie: a=b", "-u", "me:pw"], b"payload=%7B%22n%22:11%7D").as_deref(), Some("202"));
    let runs = project.wait_runs(4);
    let views: Vec<_> = runs.iter().map(|run| project.wait_end(run["run"].as_str().unwrap())).collect();
    let values: Vec<u64> = views.iter().map(|view| view["outputs"]["look"]["value"].as_u64().unwrap()).collect();
    assert_eq!(values, [8, 9, 10, 11]);
    let form = &views[3]["trigger"];
    assert!(form["headers"]["authorization"].is_null() && form["headers"]["cookie"].is_null());
    let body = form["body"]["artifact"].as_str().unwrap();
    project.run(&["artifact", "get", body, "-o", "body"]).ok();
    assert_eq!(project.read("body"), "payload=%7B%22n%22:11%7D");
    // Each is explained, also without an identity of its own.
    let told = explained(&project, "push/webhook-0");
    assert_eq!(told.iter().filter(|one| one["decision"] == "started").count(), 4, "{told:#?}");
    project.run(&["explain", "last"]).ok().prints(&["push/webhook-0"]);
    drop(node);
}

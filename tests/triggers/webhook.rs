//! Webhooks.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::support::{Node, Project, wait_until};

pub fn project(hook: &str) -> Project {
    let project = Project::new();
    project.write("trackside.toml", "[node]\nname = \"test\"\n[http_server]\nlisten = \"127.0.0.1:0\"\n");
    project.workflow(
        "push",
        &format!(
            "params:\n  n: {{ type: integer, default: 1 }}\ntriggers:\n  - webhook: {{ name: push, {hook} }}\n\
             steps:\n  look: {{ plugin: echo, with: {{ value: \"${{params.n}}\" }} }}\n"
        ),
    );
    project
}

pub fn address(node: &Node) -> String {
    wait_until("the node listens", || {
        let said = node.said();
        let (_, rest) = said.split_once("listening for webhooks")?;
        let (_, rest) = rest.split_once("address=")?;
        Some(rest.split_whitespace().next()?.to_owned())
    })
}

pub fn send(address: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

pub const JSON: &str = "content-type: application/json\r\n";

#[test]
fn a_request_is_accepted_when_its_run_is_on_disk() {
    let project = project("signature: none, max_body: 1KiB");
    let node = project.serve();
    let at = address(&node);
    let (status, answer) = send(&at, "/hooks/push", JSON, "{\"n\": 7}");
    assert_eq!(status, 202, "{answer}");
    assert_eq!(project.runs().len(), 1, "it was answered before its run was there");
    let view = project.wait_end(project.runs()[0]["run"].as_str().unwrap());
    assert_eq!((&view["outputs"]["look"]["value"], &view["trigger"]["kind"]), (&7.into(), &"webhook".into()));
    for (path, body, wanted) in [
        ("/hooks/push", "{\"n\": \"x\"}".to_owned(), 400),
        ("/hooks/push", "{".to_owned(), 400),
        ("/hooks/push", "x".repeat(1025), 413),
        ("/hooks/other", "{}".to_owned(), 404),
        ("/v1/status", "{}".to_owned(), 404),
    ] {
        let (status, answer) = send(&at, path, JSON, &body);
        assert_eq!(status, wanted, "{path} {answer}");
    }
    assert_eq!(project.runs().len(), 1);
}

#[test]
fn a_request_without_the_right_signature_starts_nothing() {
    // Its body is no JSON.
    let project = project("secret: hook, payload: artifact");
    let config = project.read("trackside.toml");
    project.write("trackside.toml", format!("{config}[secrets.hook]\nenv = \"TRACKSIDE_TEST_HOOK\"\nnode = true\n"));
    let node = Node::launch(project.root(), &[("TRACKSIDE_TEST_HOOK", "It's a Secret to Everybody")]);
    node.ready();
    let at = address(&node);
    // The example in GitHub's own documentation.
    let right = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let signed = |signature: &str| format!("x-hub-signature-256: sha256={signature}\r\n");
    assert_eq!(send(&at, "/hooks/push", "", "Hello, World!").0, 401);
    assert_eq!(send(&at, "/hooks/push", &signed(&right.replace('7', "8")), "Hello, World!").0, 401);
    assert!(project.runs().is_empty());
    let (status, answer) = send(&at, "/hooks/push", &signed(right), "Hello, World!");
    assert_eq!(status, 202, "{answer}");
    assert_eq!(project.runs().len(), 1);
}

/// GitHub's page for a new webhook proposes this content type.
const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

#[test]
fn a_payload_is_read_from_a_form_and_from_a_body_of_no_type() {
    let project = project("signature: none");
    let node = project.serve();
    let at = address(&node);
    for (number, (headers, body)) in [
        (FORM, "payload=%7B%22n%22%3A+100%2C+%22more%22%3A+%22a%2Bb%26c+%C3%B6%22%7D"),
        ("content-type: Application/X-Www-Form-Urlencoded; charset=UTF-8\r\n", "a=1&payload={\"n\":101}&b"),
        ("content-type: application/octet-stream\r\n", "{\"n\": 102}"),
        ("", "{\"n\": 103}"),
        ("content-type: text/plain;charset=UTF-8\r\n", "{\"n\": 104}"),
        ("content-type: application/json\r\ncontent-encoding: identity\r\n", "\u{feff}{\"n\": 105}"),
    ]
    .into_iter()
    .enumerate()
    {
        let (status, answer) = send(&at, "/hooks/push", headers, body);
        assert_eq!(status, 202, "{headers} {answer}");
        let view = project.wait_end(project.wait_runs(number + 1)[number]["run"].as_str().unwrap());
        assert_eq!(view["outputs"]["look"]["value"], 100 + number, "{headers} {view:#}");
        assert_eq!(view["trigger"]["payload"]["n"], 100 + number, "{headers} {view:#}");
    }
    let first = project.wait_end(project.wait_runs(6)[0]["run"].as_str().unwrap());
    assert_eq!(first["trigger"]["payload"]["more"], "a+b&c ö");
    // The bytes are there as they came.
    project.run(&["artifact", "get", first["trigger"]["body"]["artifact"].as_str().unwrap(), "-o", "body"]).ok();
    assert!(project.read("body").starts_with("payload=%7B"));
    drop(node);
}

#[test]
fn a_payload_that_can_not_be_read_is_refused_with_the_setting_that_mends_it_and_never_missing() {
    let project = project("signature: none");
    let node = project.serve();
    let at = address(&node);
    for (headers, body, wanted) in [
        (FORM, "n=11", 415),
        (FORM, "payload={}&payload={}", 415),
        (FORM, "{\"n\": 7}", 415),
        (FORM, "payload=%7B%22n%22", 400),
        (FORM, "payload=", 400),
        ("", "n=11", 415),
        ("content-type: application/octet-stream\r\n", "\u{1f}\u{8b}", 415),
        ("content-type: text/plain\r\n", "seven", 415),
        ("content-type: text/csv\r\n", "n\n7\n", 415),
        ("content-type: multipart/form-data; boundary=x\r\n", "--x--", 415),
        (JSON, "", 400),
        // Also a body that could be read: what is said of it is not true, or somebody on the way has unpacked it.
        ("content-type: application/json\r\ncontent-encoding: gzip\r\n", "{\"n\": 7}", 415),
        ("content-type: application/x-www-form-urlencoded\r\ncontent-encoding: br\r\n", "payload={}", 415),
        (JSON, "\u{feff}\u{feff}{\"n\": 7}", 400),
    ] {
        let (status, answer) = send(&at, "/hooks/push", headers, body);
        assert_eq!(status, wanted, "{headers} {body} {answer}");
        if wanted == 415 {
            let told = ["TS-0434", "application/json", "payload: artifact"].iter().all(|words| answer.contains(words));
            assert!(told, "{answer}");
        }
    }
    assert!(project.runs().is_empty());
    let told = crate::explained(&project, "push/webhook-0");
    assert!(told.len() == 14 && told.iter().all(|one| one["decision"] == "blocked"), "{told:#?}");
    // Nothing was sent, so nothing is missing.
    let (status, answer) = send(&at, "/hooks/push", "", "");
    assert_eq!(status, 202, "{answer}");
    assert_eq!(project.wait_runs(1).len(), 1);
    drop(node);
}

#[test]
fn a_webhook_that_says_so_takes_every_body_as_an_artifact() {
    let project = project("signature: none, payload: artifact");
    let node = project.serve();
    let at = address(&node);
    for (number, (headers, body)) in
        [("content-type: text/csv\r\n", "n\n7\n"), (JSON, "{\"n\": 7}"), ("", "seven")].into_iter().enumerate()
    {
        let (status, answer) = send(&at, "/hooks/push", headers, body);
        assert_eq!(status, 202, "{headers} {answer}");
        let view = project.wait_end(project.wait_runs(number + 1)[number]["run"].as_str().unwrap());
        assert!(view["trigger"]["payload"].is_null() && view["outputs"]["look"]["value"] == 1, "{headers} {view:#}");
        project.run(&["artifact", "get", view["trigger"]["body"]["artifact"].as_str().unwrap(), "-o", "body"]).ok();
        assert_eq!(project.read("body"), body);
    }
    drop(node);
}

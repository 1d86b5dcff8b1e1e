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
    let project = project("secret: hook");
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

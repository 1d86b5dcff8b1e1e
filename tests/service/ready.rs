//! sd_notify: ready, watchdog.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use serde_json::Value;

use crate::support::{
    Node, Project,
    wait::{patience, patient},
};

fn project() -> Project {
    let project = Project::new();
    project.workflow(
        "hello",
        "triggers:\n  - file: { path: inbox }\n  - cron: { schedule: \"0 0 1 1 *\" }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
    );
    project
}

#[test]
fn ready_comes_when_the_socket_answers_and_not_before() {
    let project = project();
    for _ in 0..5 {
        let node = Node::launch(project.root(), &[]);
        let came = node.notify.until("READY=1", patience()).unwrap_or_else(|came| panic!("{came:?}\n{}", node.said()));
        // At once, without a second try.
        let (status, answer) = node.ask("GET", "/v1/status", "");
        let document: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, &document["pid"]), (200, &node.pid().into()), "{answer}");
        assert_eq!(document["workflows"][0]["name"], "hello");
        assert_eq!(came.len(), 1, "something was told before it was ready: {came:?}");
        assert!(came[0].contains("STATUS=1 workflow, 1 watched folder, 1 schedule"), "{came:?}");
        assert_eq!(node.said().matches("is ready").count(), 1, "{}", node.said());
        node.kill();
        std::fs::remove_file(project.path(".trackside-test/log")).unwrap();
    }
}

#[test]
fn the_socket_is_for_its_owner_only() {
    let project = project();
    let _node = project.serve();
    let mode = |path: &str| std::fs::metadata(project.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(".trackside/trackside.sock"), 0o600);
    assert_eq!(mode(".trackside"), 0o700);
}

#[test]
fn a_node_whose_socket_was_removed_is_not_taken_for_none() {
    let project = project();
    let node = project.serve();
    project.run(&["explain", "inbox/absent"]).ok().prints(&["it is not there; if it is taken at this very moment"]);
    std::fs::remove_file(project.path(".trackside/trackside.sock")).unwrap();
    let holder = format!("process {}", node.pid());
    for command in [&["status"][..], &["reload"], &["run", "hello", "--detach"]] {
        project.run(command).exits(3).says(&["TS-0836", &holder, "trackside.sock", "restart the node"]);
    }
    project.run(&["trigger", "list"]).ok().says(&["As the files have them", "TS-0836", &holder]);
    project.write("inbox/file", "here");
    let why = project.run(&["explain", "inbox/file"]);
    assert!(why.stdout.contains("TS-0836") && !why.stdout.contains("no node is running"), "{why}");
    node.kill();
    project.run(&["status"]).exits(3).says(&["TS-0835"]);
}

#[test]
fn the_watchdog_is_fed_as_long_as_the_node_lives() {
    let project = project();
    let node = Node::launch(project.root(), &[("WATCHDOG_USEC", "400000")]);
    node.ready();
    for _ in 0..4 {
        // Once in each period at least; generously, for a busy machine.
        let fed = node.notify.until("WATCHDOG=1", patient(Duration::from_secs(60)));
        fed.unwrap_or_else(|came| panic!("not fed: {came:?}\n{}", node.said()));
    }
}

#[test]
fn without_a_watchdog_nothing_is_told_after_ready() {
    let project = project();
    let node = project.serve();
    let run = node.start_run("hello");
    project.wait_end(&run);
    assert_eq!(node.notify.next(Duration::from_millis(1)), None);
}

#[test]
fn a_node_that_can_not_serve_never_says_that_it_is_ready() {
    let project = project();
    project.write("trackside.toml", format!("[node]\ndata = \"{}\"\n", "x".repeat(120)));
    let node = Node::launch(project.root(), &[]);
    let came = node.notify.until("READY=1", Duration::from_millis(1));
    let said = project.path(".trackside-test/log");
    assert!(came.is_err());
    assert_eq!(node.wait().code(), Some(3));
    let said = std::fs::read_to_string(said).unwrap();
    assert!(said.contains("TS-0701") && said.contains("data"), "{said}");
}

#[test]
fn rubbish_on_the_socket_is_answered_and_does_no_harm() {
    let project = project();
    let node = project.serve();
    for (method, path, body, status, code) in [
        ("POST", "/v1/runs", "{", 400, "TS-0710"),
        ("POST", "/v1/runs", "{\"workflow\":\"hello\",\"parms\":{}}", 400, "TS-0710"),
        ("POST", "/v1/runs", "{\"workflow\":\"nope\"}", 400, "TS-0711"),
        ("GET", "/v1/runs/nope/events", "", 404, "TS-0715"),
        ("POST", "/v1/runs/0000000000000/cancel", "", 404, "TS-0715"),
        ("GET", "/etc/passwd", "", 404, "TS-0721"),
        ("DELETE", "/v1/runs", "", 405, "TS-0721"),
    ] {
        let (found, answer) = node.ask(method, path, body);
        let document: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!((found, &document["error"]["code"]), (status, &code.into()), "{method} {path}: {answer}");
    }
    let large = format!("{{\"workflow\":\"{}\"}}", "x".repeat(2 << 20));
    // Who still sends reads why it is refused.
    let (status, answer) = node.ask("POST", "/v1/runs", &large);
    assert!(status == 413 && answer.contains("TS-0718"), "{status} {answer}");
    project.run(&["run", "hello"]).ok();
}

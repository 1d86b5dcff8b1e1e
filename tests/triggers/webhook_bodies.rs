//! Bodies of webhooks: small ones come to the disk with their run and are no files; none is lost, kept twice or kept for ever.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use trackside_store::LARGEST_SMALL;

use crate::{
    support::{Project, wait_until},
    webhook::{address, project, send},
};

const BYTES: &str = "content-type: text/plain\r\n";

/// A webhook that takes any body, on a box with this config below its own.
fn taking(config: &str) -> Project {
    let project = project("signature: none, payload: artifact");
    project.write("trackside.toml", format!("{}{config}", project.read("trackside.toml")));
    project
}

fn run_of(answer: &str) -> String {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_body_of_any_size_is_on_disk_with_its_run_and_only_large_ones_are_files() {
    for size in [1, LARGEST_SMALL - 1, LARGEST_SMALL, LARGEST_SMALL + 1, 100_000] {
        let project = taking("");
        let node = project.serve();
        let body = format!("{size} ").repeat(size).chars().take(size).collect::<String>();
        let (status, answer) = send(&address(&node), "/hooks/push", BYTES, &body);
        assert_eq!(status, 202, "{answer}");
        // Answered is on disk, whatever happens next.
        node.kill();
        let _node = project.serve();
        let view = project.wait_end(&run_of(&answer));
        let (told, digest) = (&view["trigger"]["body"], view["trigger"]["body"]["artifact"].as_str().unwrap());
        assert_eq!((&told["size"], &told["media_type"]), (&size.into(), &"text/plain".into()));
        assert_eq!(project.artifact(digest), body, "{size}");
        assert_eq!(project.artifact_file(digest).is_some(), size > LARGEST_SMALL, "{size}");
        project.run(&["artifact", "verify"]).ok().says(&["1 artifact", "0 problems"]);
    }
}

#[test]
fn the_same_body_is_kept_once_and_goes_with_its_last_run() {
    let project = taking("[retention]\nruns = 2\n");
    let node = project.serve();
    let at = address(&node);
    let sent = |body: &str| {
        let (status, answer) = send(&at, "/hooks/push", BYTES, body);
        assert_eq!(status, 202, "{answer}");
        let view = project.wait_end(&run_of(&answer));
        view["trigger"]["body"]["artifact"].as_str().unwrap().trim_start_matches("sha256:").to_owned()
    };
    let prune = || assert_eq!(node.ask("POST", "/v1/prune", "").0, 200);
    let (one, two) = (sent("one"), sent("two"));
    assert_eq!(sent("one"), one);
    prune();
    // The first run is gone; the third has the same body.
    assert_eq!(project.runs().len(), 2);
    assert_eq!(project.artifacts(), [one.clone(), two.clone()].into());
    let three = sent("three");
    prune();
    assert_eq!(project.artifacts(), [one.clone(), three.clone()].into(), "{two} goes");
    let four = sent("four");
    prune();
    assert_eq!(project.artifacts(), [three, four].into(), "{one} goes");
    // One that has gone comes again.
    let again = sent("two");
    assert_eq!((&again, project.artifact(&again).as_str()), (&two, "two"));
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
}

/// Sends bodies over one connection until there are no more of them.
fn keep_sending(at: &str, next: &AtomicUsize, end: usize) {
    let stream = TcpStream::connect(at).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return;
        }
        let body = format!("{number} ").repeat(400);
        // Sent again when there is no room now.
        loop {
            let length = body.len();
            write!(stream, "POST /hooks/push HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{BYTES}\r\n{body}")
                .unwrap();
            let (mut status, mut length, mut line) = (String::new(), 0, String::new());
            answers.read_line(&mut status).unwrap();
            loop {
                line.clear();
                answers.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut rest = vec![0; length];
            answers.read_exact(&mut rest).unwrap();
            match status.split(' ').nth(1).unwrap() {
                "202" => break,
                "429" | "503" => thread::yield_now(),
                _ => panic!("{status} {}", String::from_utf8_lossy(&rest)),
            }
        }
    }
}

#[test]
fn ten_thousand_different_bodies_take_no_more_room_than_retention_allows() {
    let project = taking("[retention]\nbytes = \"6MiB\"\n");
    let node = project.serve();
    let at = address(&node);
    let next = AtomicUsize::new(0);
    // 20 MiB of bodies.
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| keep_sending(&at, &next, 10_000));
        }
    });
    wait_until("the end of all runs", || {
        let list = project.run(&["runs", "list", "--state", "running", "--json"]).ok().json();
        list.as_array().unwrap().is_empty().then_some(())
    });
    let number = |told: &serde_json::Value, key: &str| told[key].as_u64().unwrap();
    let held = wait_until("what is too much to go", || {
        assert_eq!(node.ask("POST", "/v1/prune", "").0, 200);
        let told = project.run(&["prune", "--dry-run", "--json"]).ok().json();
        let held = number(&told, "database_bytes") + number(&told, "artifact_bytes");
        (held <= number(&told, "bytes_allowed")).then_some(told)
    });
    assert_eq!(number(&held, "artifact_bytes"), 0, "no file was made: {held}");
    let left = project.runs().len();
    assert!((200..9_000).contains(&left), "not all went, and not none: {left}");
    assert_eq!(project.artifacts().len(), left, "each body with its run");
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
    assert!(project.names(".trackside/artifacts").iter().all(|name| name == "tmp"), "a file was made");
}

//! Webhooks that are answered with the end of their run.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    support::{
        Node, Project,
        command::{BINARY, run},
        namespace::with_own_mounts,
        patience,
        wait::patient,
        wait_until,
        web::Web,
    },
    webhook::{JSON, address, send},
};

fn project(web: Option<&Web>) -> Project {
    let project = Project::new();
    project.write(
        "trackside.toml",
        "[node]\nname = \"test\"\nmin_free = \"0B\"\n[http_server]\nlisten = \"127.0.0.1:0\"\n",
    );
    let hook = |name: &str| format!("triggers:\n  - webhook: {{ name: {name}, signature: none, max_body: 1MiB }}\n");
    let params = "params: { n: { type: integer, default: 1 } }\n";
    project.workflow(
        "twice",
        &format!(
            "{params}{}steps:\n  a: {{ plugin: echo, with: {{ value: \"${{params.n * 2}}\" }} }}\n\
             outputs: {{ twice: \"${{steps.a.value}}\" }}\n",
            hook("twice")
        ),
    );
    project.workflow("asks", &format!("{}steps:\n  ask: {{ approval: {{ message: Go? }} }}\n", hook("asks")));
    project.workflow(
        "once",
        "triggers:\n  - webhook: { name: once, signature: none, cloudevents: true }\n\
         steps:\n  a: { plugin: echo, with: { value: 1 } }\noutputs: { a: 1 }\n",
    );
    if let Some(web) = web {
        let origin = web.origin();
        project.workflow(
            "calls",
            &format!(
                "{}steps:\n  a:\n    plugin: http-request\n    with: {{ method: GET, url: \"{origin}/held\" }}\n    \
                 allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\noutputs: {{ status: \"${{steps.a.status}}\" }}\n",
                hook("calls")
            ),
        );
    }
    project
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn a_workflow_is_an_endpoint_that_answers_with_its_outputs() {
    let project = project(None);
    let node = project.serve();
    let at = address(&node);
    let (status, answer) = send(&at, "/hooks/twice?wait=60s&source=plc", JSON, "{\"n\": 21}");
    let told = body(&answer);
    let run = told["run"].as_str().unwrap();
    assert_eq!(project.show(run)["state"], "succeeded", "it was answered before its end was on disk");
    assert_eq!((status, &told), (200, &json!({ "run": run, "state": "succeeded", "outputs": { "twice": 42 } })));
    let wish = format!("{JSON}prefer: wait=60\r\n");
    let (status, answer) = send(&at, "/hooks/twice", &wish, "{\"n\": 4}");
    assert!(status == 200 && answer.contains("preference-applied: wait=60"), "{answer}");
    assert_eq!(body(&answer)["outputs"], json!({ "twice": 8 }));
    // A webhook has no page for its run: the answer names it, and leads nowhere.
    let (status, answer) = send(&at, "/hooks/asks?wait=20ms", JSON, "{}");
    assert!(status == 202 && !answer.contains("location:"), "{answer}");
    assert_eq!(project.show(body(&answer)["run"].as_str().unwrap())["state"], "running");
}

#[test]
fn what_starts_no_run_is_answered_as_without_a_wait() {
    let project = project(None);
    let node = project.serve();
    let at = address(&node);
    for (path, sent, wanted, code) in [
        ("/hooks/twice?wait=90s", "{}", 400, "TS-0710"),
        ("/hooks/twice?wait=", "{}", 400, "TS-0710"),
        ("/hooks/twice?wait=-1s", "{}", 400, "TS-0710"),
        ("/hooks/twice?wait=1s", "{\"n\": \"x\"}", 400, "TS-0712"),
        ("/hooks/twice?wait=1s", "{", 400, "TS-0710"),
        ("/hooks/none?wait=1s", "{}", 404, "TS-0737"),
    ] {
        let (status, answer) = send(&at, path, JSON, sent);
        assert!(status == wanted, "{path} {sent} {answer}");
        assert!(code == "TS-0710" || answer.contains(code), "{path} {sent} {answer}");
    }
    assert!(project.runs().is_empty());
    let event =
        "content-type: application/json\r\nce-specversion: 1.0\r\nce-id: 1\r\nce-source: /plc\r\nce-type: t\r\n";
    let (status, answer) = send(&at, "/hooks/once?wait=60s", event, "{}");
    assert_eq!((status, &body(&answer)["outputs"]), (200, &json!({ "a": 1 })));
    let (status, answer) = send(&at, "/hooks/once?wait=60s", event, "{}");
    assert_eq!((status, body(&answer)), (200, json!({ "duplicate": true })), "its run may be another answer's");
    assert_eq!(project.runs().len(), 1);
}

#[test]
fn bodies_of_those_who_wait_keep_no_other_body_out() {
    let project = project(None);
    let node = project.serve();
    let at = address(&node);
    // More than 128 MiB of bodies, were they kept while their runs are waited for.
    let large = format!("{{\"text\": \"{}\"}}", "x".repeat((1 << 20) - 20));
    let waiting: Vec<TcpStream> = (0..140)
        .map(|number| {
            let mut stream = TcpStream::connect(&at).unwrap();
            let length = large.len();
            write!(
                stream,
                "POST /hooks/asks?wait=60s HTTP/1.1\r\nhost: x\r\n{JSON}content-length: {length}\r\n\r\n{large}"
            )
            .unwrap();
            wait_until("the run is there", || (status(&node)["live_runs"] == number + 1).then_some(()));
            stream
        })
        .collect();
    let (status, answer) = send(&at, "/hooks/twice?wait=60s", JSON, "{\"n\": 5}");
    assert_eq!((status, &body(&answer)["outputs"]["twice"]), (200, &json!(10)), "{answer}");
    drop(waiting);
}

fn status(node: &Node) -> Value {
    serde_json::from_str(&node.ask("GET", "/v1/status", "").1).unwrap()
}

#[test]
fn a_client_that_sends_in_pieces_and_waits_for_each_to_arrive_is_not_slowed_down() {
    let project = project(None);
    let node = project.serve();
    let mut stream = TcpStream::connect(address(&node)).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut times = Vec::new();
    for _ in 0..21 {
        let began = Instant::now();
        // The kernel keeps the second piece back until the first is acknowledged.
        stream.write_all(b"POST /hooks/twice?wait=60s HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").unwrap();
        stream.write_all(b"{\"n\": 3}\n").unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut came = vec![0; length];
        reader.read_exact(&mut came).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&came).unwrap()["outputs"]["twice"], 6);
        times.push(began.elapsed());
    }
    times.sort();
    // A delayed acknowledgement takes 40 ms.
    assert!(times[10] < patient(Duration::from_millis(30)), "{times:?}");
}

/// A node whose data folder is a small file system of its own, which is filled when the file `fill` appears and emptied when
/// `empty` does.
const SCRIPT: &str = r#"
set -eu
mount -t tmpfs -o size=32m,mode=0700 none .trackside
"$BINARY" serve 2>log & node=$!
trap 'kill -9 $node' EXIT
until [ -e fill ]; do sleep 0.02; done
cat /dev/zero >.trackside/filler 2>/dev/null || true
touch filled
until [ -e empty ]; do sleep 0.02; done
rm .trackside/filler
until [ -e over ]; do sleep 0.02; done
"$BINARY" runs list --json
"#;

#[test]
fn while_the_disk_is_full_no_end_is_told_and_afterwards_it_is() {
    let web = Web::start();
    web.hold("/held");
    let project = project(Some(&web));
    std::fs::create_dir_all(project.path(".trackside")).unwrap();
    let Some(mut command) = with_own_mounts("waiting at a full disk", SCRIPT) else { return };
    command.env("BINARY", BINARY).current_dir(project.root());
    let shell = thread::spawn(move || run(command, patience()));
    let said = || std::fs::read_to_string(project.path("log")).unwrap_or_default();
    let at = wait_until("the node listens", || {
        let said = said();
        let (_, rest) = said.split_once("listening for webhooks")?;
        Some(rest.split_once("address=")?.1.split_whitespace().next()?.to_owned())
    });
    let ask = |wait: &str| {
        let (at, path) = (at.clone(), format!("/hooks/calls?wait={wait}"));
        thread::spawn(move || send(&at, &path, JSON, "{}"))
    };
    let patient = ask("60s");
    web.wait_requests("/held", 1);
    project.write("fill", "");
    wait_until("the disk is full", || project.path("filled").exists().then_some(()));
    web.release();
    wait_until("the end does not fit", || said().contains("TS-0207").then_some(()));
    assert!(!patient.is_finished(), "an end was told that is not on disk");
    let (status, answer) = send(&at, "/hooks/twice?wait=1s", JSON, "{}");
    assert_eq!(status, 503, "{answer}");
    project.write("empty", "");
    let (status, answer) = patient.join().unwrap();
    assert_eq!((status, &body(&answer)["outputs"]), (200, &json!({ "status": 200 })), "{answer}");
    project.write("over", "");
    let ran = shell.join().unwrap().ok();
    assert_eq!(ran.json().as_array().unwrap().len(), 1);
}

//! An answer with the end of the run, over the socket.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Node, Project, patience, wait_until};

/// Connections that may wait at one time.
const WAITING: usize = 256;

fn project() -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    let steps = "steps:\n  a: { plugin: echo, with: { value: \"${params.n}\" } }\n";
    let params = "params: { n: { type: integer, default: 7 } }\n";
    project.workflow("sum", &format!("{params}{steps}outputs: {{ n: \"${{steps.a.value}}\" }}\n"));
    project.workflow("plain", &format!("{params}{steps}"));
    project.workflow("fails", "steps:\n  a: { plugin: misbehave, with: { mode: fail } }\noutputs: { n: 1 }\n");
    project.workflow("asks", "steps:\n  ask: { approval: { message: Go? } }\noutputs: { went: true }\n");
    project
}

/// A request that is under way.
struct Asked(UnixStream);

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn run(&self) -> &str {
        self.body["run"].as_str().unwrap_or_else(|| panic!("{} {}", self.head, self.body))
    }

    /// A header, by its name in small letters.
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Asked {
    fn new(project: &Project, method: &str, path: &str, headers: &str, body: &str) -> Self {
        let mut stream = UnixStream::connect(project.path(".trackside/trackside.sock")).unwrap();
        stream.set_read_timeout(Some(patience())).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}");
        stream.write_all(format!("{head}\r\n{headers}\r\n{body}").as_bytes()).unwrap();
        Self(stream)
    }

    fn answer(mut self) -> Answer {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or_default() }
    }

    /// Whether nothing has come so far.
    fn is_waiting(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let came = (&self.0).read(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        came.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

fn start(project: &Project, workflow: &str, wait: &str) -> Asked {
    Asked::new(project, "POST", &format!("/v1/runs{wait}"), "", &json!({ "workflow": workflow }).to_string())
}

fn get(project: &Project, run: &str, wait: &str) -> Asked {
    Asked::new(project, "GET", &format!("/v1/runs/{run}{wait}"), "", "")
}

fn approve(node: &Node, run: &str) {
    let decision = json!({ "approve": true }).to_string();
    // Asked before the step asks, there is nothing to decide.
    wait_until("the approval", || {
        (node.ask("POST", &format!("/v1/runs/{run}/approvals/ask"), &decision).0 == 200).then_some(())
    });
}

#[test]
fn the_answer_has_the_end_of_the_run_and_its_outputs_when_both_are_on_disk() {
    let project = project();
    let _node = project.serve();
    for (workflow, outputs) in [("sum", json!({ "n": 7 })), ("plain", json!(null))] {
        let answer = start(&project, workflow, "?wait=60s").answer();
        let run = answer.run();
        // Looked at in the database, by another process.
        let view = project.show(run);
        assert_eq!((&view["state"], view.get("result").unwrap_or(&json!(null))), (&json!("succeeded"), &outputs));
        assert_eq!(answer.body, json!({ "run": run, "state": "succeeded", "outputs": outputs }));
        assert_eq!((answer.status, answer.header("location")), (200, None));
        for wait in ["", "?wait=0ms", "?wait=1m"] {
            let again = get(&project, run, wait).answer();
            assert_eq!((again.status, again.body), (200, answer.body.clone()), "{wait}");
        }
    }
}

#[test]
fn a_run_that_does_not_end_well_is_an_answer_too_and_says_why() {
    let project = project();
    let node = project.serve();
    let answer = start(&project, "fails", "?wait=60s").answer();
    assert_eq!((answer.status, &answer.body["state"], &answer.body["outputs"]), (200, &json!("failed"), &json!(null)));
    let error = &answer.body["error"];
    assert_eq!((&error["step"], error), (&json!("a"), &project.show(answer.run())["error"]));
    let waits = start(&project, "asks", "?wait=60s");
    let run =
        wait_until("the run", || Some(project.runs().iter().find(|run| run["state"] == "running")?["run"].clone()));
    let (status, _) = node.ask("POST", &format!("/v1/runs/{}/cancel", run.as_str().unwrap()), "");
    assert_eq!(status, 200);
    let answer = waits.answer();
    assert_eq!((answer.status, &answer.body["state"], answer.body["run"].clone()), (200, &json!("cancelled"), run));
}

#[test]
fn when_the_time_is_over_the_answer_says_where_the_end_can_be_waited_for() {
    let project = project();
    let node = project.serve();
    for wait in ["?wait=1ms", "?wait=0s", "?wait=150ms"] {
        let answer = start(&project, "asks", wait).answer();
        let run = answer.run().to_owned();
        assert_eq!((answer.status, &answer.body), (202, &json!({ "run": run })));
        let place = answer.header("location").unwrap().to_owned();
        assert_eq!(place, format!("/v1/runs/{run}"));
        let soon = get(&project, &run, "").answer();
        assert_eq!((soon.status, soon.header("location"), &soon.body), (202, Some(&*place), &json!({ "run": run })));
        let waits = get(&project, &run, "?wait=60s");
        approve(&node, &run);
        let end = waits.answer();
        assert_eq!(
            (end.status, end.body),
            (200, json!({ "run": run, "state": "succeeded", "outputs": { "went": true } }))
        );
    }
    let missing = get(&project, "01k7zs6yv8e0000000000000000", "?wait=60s").answer();
    assert_eq!((missing.status, &missing.body["error"]["code"]), (404, &json!("TS-0715")));
}

#[test]
fn a_wait_that_can_not_be_is_refused_and_starts_nothing() {
    let project = project();
    let node = project.serve();
    for wait in ["", "5", "-1s", "61s", "1h", "99999999999999999999s", "1s&wait=1s", "1.5s", "%31s", "1s&wiat=1s"] {
        let answer = start(&project, "plain", &format!("?wait={wait}")).answer();
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!("TS-0710")), "{wait}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("wait"), "{wait}: {message}");
    }
    let answer = start(&project, "no-such", "?wait=60s").answer();
    assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!("TS-0711")));
    assert!(project.run(&["runs", "list", "--json"]).ok().json().as_array().unwrap().is_empty());
    assert_eq!(node.ask("GET", "/v1/status", "").0, 200);
}

#[test]
fn a_preference_is_met_as_far_as_it_goes_and_the_answer_says_how_far() {
    let project = project();
    let node = project.serve();
    let body = json!({ "workflow": "sum" }).to_string();
    for (prefer, applied) in [
        ("prefer: wait=30\r\n", Some("wait=30")),
        ("Prefer: respond-async, WAIT = \"30\"; x=y\r\n", Some("wait=30")),
        ("prefer: respond-async\r\nprefer: wait=600\r\n", Some("wait=60")),
        ("prefer: wait=soon\r\n", None),
        ("prefer: wait=-5\r\n", None),
        ("prefer: respond-async\r\n", None),
    ] {
        let answer = Asked::new(&project, "POST", "/v1/runs", prefer, &body).answer();
        assert_eq!(answer.header("preference-applied"), applied, "{prefer}");
        assert_eq!(answer.status, if applied.is_some() { 200 } else { 202 }, "{prefer}");
    }
    let asks = json!({ "workflow": "asks" }).to_string();
    let answer = Asked::new(&project, "POST", "/v1/runs", "prefer: wait=0\r\n", &asks).answer();
    assert_eq!((answer.status, answer.header("preference-applied")), (202, Some("wait=0")));
    approve(&node, answer.run());
    // What is ordered counts.
    let answer = Asked::new(&project, "POST", "/v1/runs?wait=30s", "prefer: wait=1\r\n", &body).answer();
    assert_eq!((answer.status, answer.header("preference-applied")), (200, None));
}

#[test]
fn a_client_that_goes_away_while_it_waits_leaves_its_run_and_nothing_else() {
    let project = project();
    let node = project.serve();
    // Of the kernel's sockets those with the project's path are the one that listens and the node's ends of connections.
    let connections = || {
        let (table, root) = (fs::read_to_string("/proc/net/unix").unwrap(), project.root().to_str().unwrap());
        table.lines().filter(|line| line.contains(&format!("{root}/.trackside/"))).count() - 1
    };
    let run = node.start_run("asks");
    // More than may wait at one time, so that places come free, too.
    for round in 0..4 {
        let mut clients: Vec<Asked> = (0..100).map(|_| get(&project, &run, "?wait=60s")).collect();
        clients.push(start(&project, "asks", "?wait=60s"));
        wait_until("all are there", || (connections() == clients.len()).then_some(()));
        wait_until("the run is there", || (project.runs().len() == round + 2).then_some(()));
        drop(clients);
        wait_until("all have left", || (connections() == 0).then_some(()));
    }
    let runs = project.runs();
    assert_eq!(runs.len(), 5);
    for run in runs {
        approve(&node, run["run"].as_str().unwrap());
    }
    project.wait_runs(5);
}

#[test]
fn as_many_as_may_wait_keep_out_nobody_who_does_not_and_one_more_is_told() {
    let project = project();
    let node = project.serve();
    let run = node.start_run("asks");
    let follow = || Asked::new(&project, "GET", &format!("/v1/runs/{run}/events"), "", "");
    let followers: Vec<Asked> = (0..WAITING / 2).map(|_| follow()).collect();
    let waiters: Vec<Asked> = (followers.len()..WAITING).map(|_| get(&project, &run, "?wait=60s")).collect();
    // They are taken up one after the other: who is refused came behind them all.
    wait_until("all places are taken", || (get(&project, &run, "?wait=1ms").answer().status == 429).then_some(()));
    let runs = project.runs().len();
    for refused in [start(&project, "plain", "?wait=1s"), follow()] {
        let answer = refused.answer();
        assert_eq!((answer.status, &answer.body["error"]["code"]), (429, &json!("TS-0738")));
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(project.runs().len(), runs, "what is refused has started nothing");
    let body = json!({ "workflow": "plain" }).to_string();
    let wish = Asked::new(&project, "POST", "/v1/runs", "prefer: wait=30\r\n", &body).answer();
    assert_eq!((wish.status, wish.header("preference-applied")), (202, None), "a wish is a wish");
    project.run(&["status"]).ok();
    project.run(&["run", "plain", "--detach"]).ok();
    assert!(waiters.iter().all(Asked::is_waiting));
    approve(&node, &run);
    for waits in waiters {
        assert_eq!(waits.answer().body["state"], "succeeded");
    }
    drop(followers);
    wait_until("there is room again", || (get(&project, &run, "?wait=1ms").answer().status == 200).then_some(()));
}

#[test]
fn clients_that_wait_at_a_kill_lose_their_connection_and_find_the_run_afterwards() {
    let project = project();
    let node = project.serve();
    let (first, second) = (start(&project, "asks", "?wait=60s"), start(&project, "asks", "?wait=60s"));
    wait_until("both runs", || (project.runs().len() == 2).then_some(()));
    node.kill();
    for mut lost in [first, second] {
        let mut came = Vec::new();
        // Reset or at its end: no answer.
        let _ = lost.0.read_to_end(&mut came);
        assert!(came.is_empty(), "{}", String::from_utf8_lossy(&came));
    }
    let node = project.serve();
    for run in project.runs() {
        let run = run["run"].as_str().unwrap();
        let waits = get(&project, run, "?wait=60s");
        approve(&node, run);
        assert_eq!(waits.answer().body, json!({ "run": run, "state": "succeeded", "outputs": { "went": true } }));
    }
}

#[test]
fn a_node_that_is_stopped_tells_those_who_wait_which_run_is_theirs() {
    let project = project();
    let node = project.serve();
    let waits = start(&project, "asks", "?wait=60s");
    wait_until("the run", || (project.runs().len() == 1).then_some(()));
    node.signal(Signal::TERM);
    let answer = waits.answer();
    assert_eq!((answer.status, &answer.body["run"]), (202, &project.runs()[0]["run"]));
    assert!(node.wait().success());
}

#[test]
fn waiting_is_no_slower_than_the_run() {
    let project = project();
    let _node = project.serve();
    start(&project, "sum", "?wait=60s").answer();
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let began = Instant::now();
            start(&project, "sum", "?wait=60s").answer();
            began.elapsed()
        })
        .collect();
    times.sort();
    // A tenth of a second is what a clock that is looked at now and then would cost.
    assert!(times[10] < crate::support::wait::patient(Duration::from_millis(100)), "{times:?}");
}

/// A run with a journal of some megabytes.
fn long_run(project: &Project) -> String {
    let text = "x".repeat(1500);
    project.workflow(
        "long",
        &format!("steps:\n  a: {{ plugin: echo, foreach: \"${{params.items}}\", with: {{ value: \"{text}\" }} }}\n")
            .replace("steps:", "params: { items: { type: array } }\nsteps:"),
    );
    let items: Vec<usize> = (0..2_500).collect();
    let _node = project.serve();
    let body = json!({ "workflow": "long", "params": { "items": items } }).to_string();
    let answer = Asked::new(project, "POST", "/v1/runs?wait=60s", "", &body).answer();
    project.wait_end(answer.run());
    answer.run().to_owned()
}

#[test]
fn followers_that_never_read_cost_next_to_nothing_and_lose_nothing() {
    let project = project();
    let run = long_run(&project);
    let node = project.serve();
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
    };
    let told = node.events(&run);
    assert!(told.len() >= 5_000, "{}", told.len());
    let before = resident();
    let mut followers: Vec<Asked> =
        (0..100).map(|_| Asked::new(&project, "GET", &format!("/v1/runs/{run}/events"), "", "")).collect();
    // All of them have as much as fits into their sockets.
    for follower in &followers {
        wait_until("the stream begins", || (!peek(&follower.0)).then_some(()));
    }
    node.ask("GET", "/v1/status", "");
    let one: usize = told.iter().map(|event| event.to_string().len()).sum();
    let (after, all) = (resident(), (100 * one) >> 20);
    println!("{before} MiB before, {after} MiB with 100 followers of {all} MiB together");
    assert!(after < before + 60, "{before} MiB before, {after} MiB with 100 followers of {all} MiB");
    // And read in the end, they get everything once.
    let readers: Vec<_> = followers
        .drain(..4)
        .map(|mut follower| {
            thread::spawn(move || {
                let mut text = String::new();
                follower.0.read_to_string(&mut text).unwrap();
                text.lines().filter(|line| line.contains("\"at_ms\"")).map(str::to_owned).collect::<Vec<_>>()
            })
        })
        .collect();
    for reader in readers {
        let lines: Vec<Value> = reader.join().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(lines == told, "{} of {} events, or not as they were", lines.len(), told.len());
    }
}

/// Whether nothing can be read.
fn peek(stream: &UnixStream) -> bool {
    let mut fds = [rustix::event::PollFd::new(stream, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 0
}

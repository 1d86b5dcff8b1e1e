//! The server and its client on a real node.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not tests to clippy")]

use std::{
    fs,
    io::{Read, Write},
    os::unix::{fs::MetadataExt, net::UnixStream as Plain},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use trackside_control::{Client, ClientError, Control, Events, LocalControl, RunEnded, StartRun, StreamLine, Waited};
use trackside_engine::{Event, RunEnd, RunId};
use trackside_node::{Node, NodeOptions, Project};
use trackside_server::Server;
use trackside_store::{Clock, SystemClock};

const HELLO: &str = "\
version: 1
name: hello
params:
  greeting: { type: string, default: Hello }
steps:
  say: { plugin: echo, with: { value: \"${params.greeting}\" } }
  again:
    needs: [say]
    plugin: echo
    with: { value: \"${steps.say.value}\" }
outputs: { said: \"${steps.again.value}\" }
";

const FILE: &str = "\
version: 1
name: file
steps:
  name: { plugin: echo, with: { value: \"${trigger.file.name}\" } }
";

/// Runs until it is cancelled.
const LONG: &str = "\
version: 1
name: long
steps:
  first: { plugin: echo, with: { value: 1 } }
  wait:
    needs: [first]
    plugin: misbehave
    with: { mode: sleep }
";

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(300);

struct TestNode {
    folder: TempDir,
    project: Arc<Project>,
    node: Option<Node>,
    server: Option<Server>,
    client: Client,
}

impl TestNode {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workflows = folder.path().join("workflows");
        fs::create_dir(&workflows).unwrap();
        fs::create_dir(folder.path().join("plugins")).unwrap();
        for (name, text) in [("hello", HELLO), ("file", FILE), ("long", LONG)] {
            fs::write(workflows.join(format!("{name}.yaml")), text).unwrap();
        }
        let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/prebuilt/testing/misbehave.wasm");
        fs::copy(guest, folder.path().join("plugins/misbehave.wasm")).unwrap();
        let project = Arc::new(Project::open(folder.path()).unwrap());
        assert!(project.problems.is_empty(), "{:?}", project.problems);
        let (node, server, client) = Self::up(&project).await;
        Self { folder, project, node: Some(node), server: Some(server), client }
    }

    async fn up(project: &Arc<Project>) -> (Node, Server, Client) {
        let node = Node::start(project, &NodeOptions { triggers: false, clock: Arc::new(SystemClock) }).unwrap();
        let server = Server::start(&node).unwrap();
        let client = Client::find(&project.data_dir()).await.unwrap().unwrap();
        (node, server, client)
    }

    async fn run(&self, workflow: &str, params: Value) -> RunId {
        let params = params.as_object().cloned().unwrap_or_default();
        self.client.start(&StartRun { workflow: workflow.into(), params, ..StartRun::default() }).await.unwrap()
    }

    /// Stops everything as the service does; the node waits for its threads outside of the runtime.
    async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        let node = self.node.take();
        tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
    }

    /// What a bare connection is answered.
    async fn raw(&self, request: String) -> (u16, Value) {
        let path = trackside_control::socket_path(&self.project.data_dir());
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = Plain::connect(path).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = answer.await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn line(events: &mut Events) -> StreamLine {
    tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap()
}

/// All events up to the end.
async fn to_end(events: &mut Events) -> Vec<(i64, Event)> {
    let mut all = Vec::new();
    loop {
        match line(events).await {
            StreamLine::Event(event) => all.push((event.at_ms, event.event)),
            StreamLine::Settled => return all,
            StreamLine::Error(error) => panic!("{error}"),
        }
    }
}

/// The journal of a run.
fn journal(project: &Project, run: RunId) -> Vec<(i64, Event)> {
    let reader = trackside_store::Reader::open(&project.data_dir()).unwrap();
    let rows = reader.journal(run).unwrap();
    rows.into_iter().flat_map(|row| row.events().unwrap().into_iter().map(move |event| (row.at_ms, event))).collect()
}

#[tokio::test]
async fn a_run_is_started_followed_to_its_end_and_told_again_afterwards() {
    let mut node = TestNode::start().await;
    let run = node.run("hello", json!({"greeting": "Moin"})).await;
    let seen = to_end(&mut node.client.events(run).await.unwrap()).await;
    assert_eq!(seen, journal(&node.project, run), "every event, once, in order");
    assert!(matches!(seen.last(), Some((_, Event::Ended { end: RunEnd::Succeeded, .. }))));
    let again = to_end(&mut node.client.events(run).await.unwrap()).await;
    assert_eq!(again, seen, "the history of a settled run");
    node.stop().await;
}

#[tokio::test]
async fn a_run_is_waited_for_alike_through_the_socket_and_in_the_node_s_own_process() {
    let mut node = TestNode::start().await;
    let handle = node.node.as_ref().unwrap().handle();
    let forms: [Box<dyn Control>; 2] =
        [Box::new(node.client.clone()), Box::new(LocalControl::of_node(handle, "somebody"))];
    for control in &forms {
        let request = |workflow: &str| StartRun { workflow: workflow.into(), ..StartRun::default() };
        let waited = control.run(request("hello"), Duration::from_secs(60)).await.unwrap();
        let run = waited.run();
        let ended = RunEnded { run, state: RunEnd::Succeeded, outputs: json!({ "said": "Hello" }), error: None };
        assert_eq!(waited, Waited::Ended(ended));
        // Its end is in the journal when it is told.
        assert!(matches!(journal(&node.project, run).last(), Some((_, Event::Ended { .. }))));
        assert_eq!(control.wait(run, Duration::ZERO).await.unwrap(), waited, "as the store has it");
        let long = control.run(request("long"), Duration::from_millis(1)).await.unwrap();
        assert_eq!(long, Waited::UnderWay(long.run()));
        assert_eq!(control.wait(long.run(), Duration::from_millis(1)).await.unwrap(), long);
        let (ends, cancelled) =
            tokio::join!(control.wait(long.run(), Duration::from_secs(60)), control.cancel(long.run()));
        cancelled.unwrap();
        let Waited::Ended(ended) = ends.unwrap() else { panic!("it was cancelled") };
        assert_eq!((ended.state, ended.outputs), (RunEnd::Cancelled, Value::Null));
        let none = RunId::next(None, 1_000, 1);
        let refused = control.wait(none, Duration::from_secs(60)).await.unwrap_err();
        assert!(refused.to_string().contains("TS-0715"), "{refused}");
    }
    drop(forms);
    node.stop().await;
}

#[tokio::test]
async fn many_followers_that_join_at_any_moment_see_every_event_once() {
    let mut node = TestNode::start().await;
    let mut followers = Vec::new();
    for round in 0..40 {
        let run = node.run("hello", json!({})).await;
        for _ in 0..=(round % 3) {
            let client = node.client.clone();
            followers.push(tokio::spawn(async move {
                let mut events = client.events(run).await.unwrap();
                (run, to_end(&mut events).await)
            }));
        }
    }
    for follower in followers {
        let (run, seen) = follower.await.unwrap();
        assert_eq!(seen, journal(&node.project, run));
    }
    node.stop().await;
}

#[tokio::test]
async fn a_live_run_is_shown_as_it_goes_and_can_be_cancelled_once() {
    let mut node = TestNode::start().await;
    let run = node.run("long", json!({})).await;
    let mut events = node.client.events(run).await.unwrap();
    loop {
        if let StreamLine::Event(event) = line(&mut events).await
            && matches!(event.event, Event::StepStarted { .. })
            && event.step_id.as_deref() == Some("wait")
        {
            break;
        }
    }
    assert_eq!(node.client.status().await.unwrap().live_runs, 1);
    node.client.cancel(run).await.unwrap();
    let rest = to_end(&mut events).await;
    let owner = fs::metadata(node.project.data_dir()).unwrap().uid();
    let name = trackside_control::user_name(owner);
    assert!(rest.iter().any(|(_, event)| matches!(event, Event::CancelRequested { by } if *by == name)));
    assert!(matches!(rest.last(), Some((_, Event::Ended { end: RunEnd::Cancelled, .. }))));
    let refused = node.client.cancel(run).await.unwrap_err();
    assert!(
        matches!(&refused, ClientError::Refused(error) if error.code == "TS-0716" && error.status == 409),
        "{refused}"
    );
    node.stop().await;
}

#[tokio::test]
async fn when_the_node_goes_down_streams_end_with_a_reason_and_the_socket_is_gone() {
    let mut node = TestNode::start().await;
    let run = node.run("long", json!({})).await;
    let mut events = node.client.events(run).await.unwrap();
    line(&mut events).await;
    node.stop().await;
    let ended = loop {
        match events.next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(&ended, Err(ClientError::Refused(error)) if error.code == "TS-0717"), "{ended:?}");
    assert!(Client::find(&node.project.data_dir()).await.unwrap().is_none());
    assert!(!trackside_control::socket_path(&node.project.data_dir()).exists());
}

#[tokio::test]
async fn a_run_that_a_restart_interrupted_is_followed_across_it() {
    let mut node = TestNode::start().await;
    let run = node.run("long", json!({})).await;
    node.stop().await;
    let (up, server, client) = TestNode::up(&node.project).await;
    (node.node, node.server, node.client) = (Some(up), Some(server), client);
    let mut events = node.client.events(run).await.unwrap();
    assert!(
        matches!(line(&mut events).await, StreamLine::Event(first) if matches!(first.event, Event::Started { .. }))
    );
    node.client.cancel(run).await.unwrap();
    to_end(&mut events).await;
    node.stop().await;
}

#[tokio::test]
async fn a_file_becomes_the_runs_trigger_and_an_artifact() {
    let mut node = TestNode::start().await;
    let file = node.folder.path().join("a.csv");
    fs::write(&file, "x\n1\n").unwrap();
    let request = StartRun { workflow: "file".into(), file: Some(file), ..StartRun::default() };
    let run = node.client.start(&request).await.unwrap();
    let seen = to_end(&mut node.client.events(run).await.unwrap()).await;
    let Event::Started { trigger, .. } = &seen[0].1 else { panic!("{seen:?}") };
    let trigger = trigger.as_json();
    assert_eq!(trigger["kind"], "manual");
    assert_eq!(trigger["file"]["media_type"], "text/csv");
    let output = seen.iter().find_map(|(_, event)| match event {
        Event::StepSucceeded { output, .. } => Some(output["value"].clone()),
        _ => None,
    });
    assert_eq!(output, Some(json!("a.csv")));
    node.stop().await;
}

#[tokio::test]
async fn what_can_not_be_started_is_refused_with_its_code_and_leaves_nothing() {
    let mut node = TestNode::start().await;
    let code = |error: ClientError| match error {
        ClientError::Refused(error) => (error.status, error.code),
        other => panic!("{other}"),
    };
    let client = &node.client;
    let ask = |request: StartRun| async move { code(client.start(&request).await.unwrap_err()) };
    let unknown = StartRun { workflow: "helo".into(), ..StartRun::default() };
    assert_eq!(ask(unknown).await, (400, "TS-0711".into()));
    let params = json!({"greeting": 1}).as_object().cloned().unwrap();
    let bad = StartRun { workflow: "hello".into(), params, ..StartRun::default() };
    assert_eq!(ask(bad).await, (400, "TS-0712".into()));
    for file in ["relative.csv", "/dev/zero", "/no/such/file"] {
        let bad = StartRun { workflow: "file".into(), file: Some(file.into()), ..StartRun::default() };
        assert_eq!(ask(bad).await, (400, "TS-0713".into()), "{file}");
    }
    let none = RunId::next(None, 1_000, 1);
    assert_eq!(code(node.client.events(none).await.unwrap_err()), (404, "TS-0715".into()));
    assert_eq!(code(node.client.cancel(none).await.unwrap_err()), (404, "TS-0715".into()));
    assert_eq!(node.client.status().await.unwrap().live_runs, 0);
    node.stop().await;
}

#[tokio::test]
async fn rubbish_on_the_wire_is_answered_as_json() {
    let mut node = TestNode::start().await;
    for (request, status, code) in [
        (post("/v1/runs", "{"), 400, "TS-0710"),
        (post("/v1/runs", r#"{"workflow":"hello","extra":1}"#), 400, "TS-0710"),
        (post("/v1/runs", &" ".repeat((1 << 20) + 1)), 413, "TS-0718"),
        (post("/v1/nothing", ""), 404, "TS-0721"),
        (post("/v1/status", ""), 405, "TS-0721"),
        (post("/v1/runs/../../etc/cancel", ""), 404, "TS-0721"),
        (post("/v1/runs/%ff%00/cancel", ""), 404, "TS-0715"),
    ] {
        let (found, body) = node.raw(request.clone()).await;
        let shown: String = request.chars().take(60).collect();
        assert_eq!((found, body["error"]["code"].as_str()), (status, Some(code)), "{shown} -> {body}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    node.stop().await;
}

#[tokio::test]
async fn the_status_tells_how_things_stand() {
    let mut node = TestNode::start().await;
    let status = node.client.status().await.unwrap();
    assert_eq!(status.pid, std::process::id());
    assert_eq!(status.trouble, None);
    let names: Vec<&str> = status.workflows.iter().map(|workflow| workflow.name.as_str()).collect();
    assert_eq!(names, ["file", "hello", "long"]);
    assert_eq!(status.workflows[1].digest, node.project.workflows["hello"].digest);
    node.stop().await;
}

/// A board that has booted without knowing the time.
struct In2019;

impl Clock for In2019 {
    fn now_ms(&self) -> i64 {
        1_546_300_800_000
    }
}

#[tokio::test]
async fn the_status_says_that_schedules_stand_still_while_the_clock_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("workflows")).unwrap();
    let steps = "steps: { a: { plugin: echo, with: { value: 1 } } }\n";
    for (schedule, says) in [("triggers: [{ cron: { schedule: \"0 6 * * *\" } }]\n", true), ("", false)] {
        fs::write(folder.path().join("workflows/w.yaml"), format!("version: 1\nname: w\n{schedule}{steps}")).unwrap();
        let project = Arc::new(Project::open(folder.path()).unwrap());
        let node = Node::start(&project, &NodeOptions { triggers: true, clock: Arc::new(In2019) }).unwrap();
        let server = Server::start(&node).unwrap();
        let client = Client::find(&project.data_dir()).await.unwrap().unwrap();
        let wait = client.status().await.unwrap().schedules_wait;
        assert_eq!(wait.is_some(), says, "{wait:?}");
        if let Some(wait) = wait {
            assert!(wait.contains("the clock shows 2019-01-01") && wait.contains("stand still"), "{wait}");
        }
        server.stop().await;
        tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
    }
}

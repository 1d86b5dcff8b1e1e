//! What a server gives, asked for every so often: each change starts one run, whatever happens in between.

use serde_json::{Value, json};

use crate::{
    explained,
    support::{
        Node, Project,
        polled::{Answer, Polled},
    },
};

/// A project that polls this server every second.
fn project(server: &Polled, settings: &str) -> Project {
    let project = Project::new();
    let url = format!("{}/state", server.origin());
    workflow(&project, &url, settings);
    project
}

fn workflow(project: &Project, url: &str, settings: &str) {
    project.workflow(
        "watch",
        &format!(
            "triggers:\n  - poll: {{ url: \"{url}\", every: 1s, private: true, {settings} }}\nsteps:\n  look: {{ plugin: \
             echo, with: {{ value: [\"${{trigger.payload}}\", \"${{trigger.version}}\", \"${{trigger.previous}}\"] }} }}\n"
        ),
    );
}

/// What each run was given, oldest first.
fn given(project: &Project, runs: usize) -> Vec<Value> {
    let runs = project.wait_runs(runs);
    let of = |run: &Value| project.wait_end(run["run"].as_str().unwrap())["outputs"]["look"]["value"].clone();
    runs.iter().map(of).collect()
}

fn payloads(project: &Project, runs: usize) -> Vec<Value> {
    given(project, runs).iter().map(|value| value[0].clone()).collect()
}

/// The details of what was decided besides runs, newest first.
fn blocked(project: &Project) -> Vec<String> {
    let decisions = explained(project, "watch/poll-0");
    let others = decisions.iter().filter(|row| row["decision"] != "started");
    others.map(|row| format!("{} {}", row["decision"], row["detail"])).collect()
}

fn listed(project: &Project) -> Value {
    project.run(&["trigger", "list", "--json"]).ok().json()[0].clone()
}

#[test]
fn other_bytes_start_a_run_and_the_same_are_not_sent_again() {
    let server = Polled::start(Answer::ok("{\"n\":1}").with("ETag", "\"a\""));
    let project = project(&server, "");
    let _node = project.serve();
    let asked = server.wait_told(304, 2);
    assert!(asked.contains("if-none-match: \"a\"") && !asked.contains("if-modified-since"), "{asked}");
    server.set(Answer::ok("{\"n\":2}").with("ETag", "\"b\""));
    payloads(&project, 2);
    // Another name for the same bytes is no change; going back to what there was is one.
    server.set(Answer::ok("{\"n\":2}").with("ETag", "\"c\""));
    server.wait_told(200, 3);
    let before = server.told(304);
    server.wait_told(304, before + 1);
    server.set(Answer::ok("{\"n\":1}").with("ETag", "\"a\""));
    let given = given(&project, 3);
    assert_eq!(given.iter().map(|one| &one[0]["n"]).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!((&given[0][2], &given[1][2], &given[2][1]), (&Value::Null, &given[0][1], &given[0][1]), "{given:#?}");
    assert_eq!((&given[1][0]["n"], server.told(200)), (&json!(2), 4));
    let view = project.wait_end(project.runs()[0]["run"].as_str().unwrap());
    assert_eq!(
        (&view["trigger"]["kind"], &view["trigger"]["url"]),
        (&json!("poll"), &json!(format!("{}/state", server.origin())))
    );
}

#[test]
fn a_date_an_etag_and_an_expression_each_tell_versions_in_their_own_way() {
    let date = |day: u32| format!("Sun, {day:02} Nov 2026 08:49:37 GMT");
    let server = Polled::start(Answer::ok("1").with("Last-Modified", &date(1)));
    let project = project(&server, "changed: last-modified");
    let node = project.serve();
    let asked = server.wait_told(304, 1);
    assert!(asked.contains("if-modified-since: sun, 01 nov"), "{asked}");
    server.set(Answer::ok("1").with("Last-Modified", &date(2)));
    assert_eq!(payloads(&project, 2), [1, 1]);
    // Another rule begins anew, in the running node.
    let url = format!("{}/state", server.origin());
    server.set(Answer::ok("{\"version\":7,\"at\":1}"));
    workflow(
        &project,
        &url,
        "existing: ignore, changed: \"trigger.payload.version > 0 ? trigger.payload.version : null\"",
    );
    let before = server.told(200);
    server.wait_told(200, before + 2);
    for body in ["{\"version\":7,\"at\":2}", "{\"version\":0,\"at\":3}", "{\"version\":8,\"at\":4}"] {
        server.set(Answer::ok(body));
        let before = server.told(200);
        server.wait_told(200, before + 2);
    }
    let given = given(&project, 3);
    assert_eq!(given[2], json!([{ "version": 8, "at": 4 }, 8, 7]));
    drop(node);
    assert_eq!(listed(&project)["last_look"], "changed");
}

#[test]
fn a_restart_and_a_kill_start_nothing_twice_and_lose_nothing() {
    let server = Polled::start(Answer::ok("1").with("ETag", "\"1\""));
    let project = project(&server, "");
    let mut expected = vec![json!(1)];
    let mut node = project.serve();
    payloads(&project, 1);
    for change in 2..=5 {
        let before = server.told(200);
        server.set(Answer::ok(&change.to_string()).with("ETag", &format!("\"{change}\"")));
        expected.push(json!(change));
        if change % 2 == 0 {
            // Killed as soon as it has been given the change: before, while or after its run is accepted.
            server.wait_told(200, before + 1);
        }
        node.kill();
        node = project.serve();
        assert_eq!(payloads(&project, change), expected);
    }
    let unchanged = server.told(304);
    server.wait_told(304, unchanged + 2);
    assert_eq!(project.runs().len(), 5);
    drop(node);
}

#[test]
fn a_failure_is_told_once_and_is_over_when_the_server_answers() {
    let server = Polled::start(Answer::status(500));
    let project = project(&server, "payload: json");
    let node = project.serve();
    server.wait_told(500, 2);
    let listed = listed(&project);
    assert!(listed["last_look"].as_str().unwrap().starts_with("failed: [TS-0461] the server answers 500"), "{listed}");
    server.set(Answer::ok("12").with("ETag", "\"a\""));
    assert_eq!(payloads(&project, 1), [12]);
    node.wait_said("the server gives what is asked for again");
    let told = blocked(&project);
    assert!(told.len() == 1 && told[0].starts_with("\"blocked\" \"[TS-0461]"), "{told:#?}");
    // A body that can not be the payload is told, and not tried again: it stays the same.
    server.set(Answer::ok("no json").with("ETag", "\"x\""));
    node.wait_said("no JSON document");
    let before = server.told(304);
    server.wait_told(304, before + 2);
    assert_eq!((blocked(&project).len(), project.runs().len()), (2, 1));
}

#[test]
fn what_is_too_long_or_too_slow_is_not_waited_for() {
    let server = Polled::start(Answer::ok(&"9".repeat(101)));
    let project = project(&server, "timeout: 1s, max_body: 100B");
    let node = project.serve();
    node.wait_said("the answer has more than 100 bytes");
    server.set(Answer { stops_after: Some(1), ..Answer::ok("12") });
    node.wait_said("[TS-0460] there was no whole answer within 1s");
    server.set(Answer::ok("12"));
    assert_eq!(payloads(&project, 1), [12]);
    assert_eq!(blocked(&project).len(), 2);
}

#[test]
fn redirects_are_followed_at_home_and_where_they_are_allowed_to() {
    let other = Polled::start(Answer::ok("2"));
    let server = Polled::start(Answer::status(302).with("Location", &format!("{}/elsewhere", other.origin())));
    let project = project(&server, "headers: { X-Key: abc }");
    let node = project.serve();
    node.wait_said("TS-0462");
    assert!(other.asked().is_empty(), "nobody asks there");
    workflow(
        &project,
        &format!("{}/state", server.origin()),
        &format!("headers: {{ X-Key: abc }}, redirects: [\"{}\"]", other.origin()),
    );
    assert_eq!(payloads(&project, 1), [2]);
    assert!(server.asked().last().unwrap().contains("x-key: abc"));
    let there = other.asked();
    assert!(there[0].starts_with("get /elsewhere") && !there[0].contains("x-key"), "{there:?}");
    // Round and round.
    server.set(Answer::status(307).with("Location", "/state"));
    node.wait_said("more than 5 times");
}

#[test]
fn a_secret_goes_to_its_host_alone_and_a_private_address_needs_the_word() {
    let server = Polled::start(Answer::ok("1"));
    let project = project(&server, "headers: { Authorization: { secret: token, prefix: \"Bearer \" } }");
    let host = server.origin().replace("http://", "");
    project.write("trackside.toml", "[secrets.token]\nenv = \"TRACKSIDE_TEST_TOKEN\"\nhosts = [\"a.example\"]\n");
    project.run(&["check"]).exits(1).says(&["TS-0115", "the secret `token` may not be sent"]);
    let config = format!("[secrets.token]\nenv = \"TRACKSIDE_TEST_TOKEN\"\nhosts = [\"{host}\"]\n");
    project.write("trackside.toml", &config);
    let node = Node::launch(project.root(), &[("TRACKSIDE_TEST_TOKEN", "s3cr3t")]);
    node.ready();
    payloads(&project, 1);
    assert!(server.asked()[0].contains("authorization: bearer s3cr3t"));
    project.workflow(
        "watch",
        &format!(
            "triggers:\n  - poll: {{ url: \"{}/state\", every: 1s }}\nsteps:\n  a: {{ plugin: echo }}\n",
            server.origin()
        ),
    );
    node.wait_said("in a private network: write `private: true`");
    drop(node);
    project.write("trackside.toml", format!("{config}[policy]\nhttp = [\"https://a.example\"]\n"));
    project.run(&["check"]).exits(1).says(&["TS-0115", "may not be called on this box"]);
}

#[test]
fn a_paused_trigger_asks_nobody_and_sees_afterwards_what_has_changed() {
    let server = Polled::start(Answer::ok("1"));
    let project = project(&server, "payload: json");
    let node = project.serve();
    payloads(&project, 1);
    project.run(&["trigger", "pause", "watch/poll-0"]).ok();
    let looked = listed(&project);
    assert_eq!(
        (&looked["kind"], &looked["paused"], &looked["last_look"]),
        (&json!("poll"), &json!(true), &json!("changed"))
    );
    project.run(&["trigger", "test", "watch/poll-0"]).ok().prints(&["paused", "asks http://127.0.0.1"]);
    server.set(Answer::ok("2"));
    node.kill();
    let _node = project.serve();
    project.run(&["trigger", "resume", "watch/poll-0"]).ok();
    assert_eq!(payloads(&project, 2), [1, 2]);
    project.run(&["trigger", "test", "watch/poll-0"]).ok().prints(&["look", "it saw version"]);
}

#[test]
fn a_body_can_be_an_artifact_and_the_first_look_a_mere_baseline() {
    let server = Polled::start(Answer::ok("first"));
    let project = Project::new();
    project.workflow(
        "watch",
        &format!(
            "triggers:\n  - poll: {{ url: \"{}/a/model.bin?key=1\", every: 1s, private: true, payload: artifact, existing: \
             ignore, changed: digest }}\nsteps:\n  look: {{ plugin: echo, with: {{ value: \"${{trigger.body}}\" }} }}\n",
            server.origin()
        ),
    );
    let _node = project.serve();
    server.wait_told(200, 2);
    assert!(project.runs().is_empty());
    server.set(Answer::ok("second"));
    let run = project.wait_runs(1)[0]["run"].as_str().unwrap().to_owned();
    let view = project.wait_end(&run);
    let body = &view["outputs"]["look"]["value"];
    assert_eq!((&body["name"], &body["size"]), (&json!("model.bin"), &json!(6)), "{view:#}");
    assert!(server.asked()[0].starts_with("get /a/model.bin?key=1 ") && !view.to_string().contains("key=1"));
}

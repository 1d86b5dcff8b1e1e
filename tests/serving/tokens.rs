//! Who may ask.

use serde_json::{Value, json};

use crate::{Serving, support::wait_until, wire::Client};

/// Status and body of a request that brings this token.
fn ask(client: &mut Client, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let head = format!("{method} {path} HTTP/1.1\r\nauthorization: Bearer {token}");
    let (status, _, answer) = client.send(&head, body.to_string().as_bytes());
    (status, serde_json::from_slice(&answer).unwrap())
}

#[test]
fn a_token_opens_as_far_as_its_role_goes_until_it_is_revoked() {
    let serving = Serving::start("token = true\n");
    let make = |arguments: &[&str]| {
        let ran = serving.project.run(&[&["--json", "token", "create"], arguments].concat());
        assert_eq!(ran.code(), 0, "{}", ran.stderr);
        ran.json()["token"].as_str().unwrap().to_owned()
    };
    let (line, deploy) = (make(&["line-3"]), make(&["deploy", "--role", "operator", "--expires", "90d"]));
    let viewer = make(&["eyes", "--role", "viewer"]);
    let short = make(&["short", "--expires", "1ms"]);
    assert!(line.starts_with("tsk_") && line != deploy, "{line}");

    let mut client = Client::of(&serving);
    assert_eq!(client.get("/v2/health/live").0, 401, "nobody is let in without one, wherever");
    let row = json!({"inputs": [
        {"name": "a", "datatype": "FP32", "shape": [1, 1], "data": [1]},
        {"name": "b", "datatype": "FP32", "shape": [1, 1], "data": [2]},
    ]});
    let infer = "/v2/models/two/infer";
    let unload = "/v2/repository/models/two/unload";
    let mut status = |path: &str, token: &str| ask(&mut client, "POST", path, token, &row).0;
    assert_eq!((status(infer, &line), status(unload, &line)), (200, 403));
    assert_eq!((status(infer, &viewer), status(infer, "tsk_no"), status(infer, &short)), (403, 401, 401));
    assert_eq!((status(infer, &deploy), status(unload, &deploy)), (200, 200));

    // What is kept opens nothing.
    let listed = serving.project.run(&["--json", "token", "list"]);
    let names: Vec<Value> = listed.json().as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, ["deploy", "eyes", "line-3", "short"]);
    assert!(!listed.stdout.contains("tsk_"));
    let database = std::fs::read(serving.project.path(".trackside/trackside.db")).unwrap();
    let log = std::fs::read(serving.project.path(".trackside/trackside.db-wal")).unwrap();
    for bytes in [database, log] {
        assert!(!bytes.windows(line.len()).any(|window| window == line.as_bytes()), "the token itself is on disk");
    }

    assert_eq!(serving.project.run(&["token", "revoke", "line-3"]).code(), 0);
    wait_until("the revoked token opens no more", || (status("/v2/models/two/infer", &line) == 401).then_some(()));
    assert_eq!(status("/v2/models/pump/infer", &deploy), 400, "others go on");
    let again = serving.project.run(&["token", "revoke", "line-3"]);
    assert!(again.code() != 0 && again.stderr.contains("TS-0772"), "{}", again.stderr);
}

#[test]
fn tokens_are_made_without_a_node_and_bad_ones_are_not() {
    let project = crate::support::Project::new();
    assert_eq!(project.run(&["token", "create", "early"]).code(), 0);
    for (arguments, code) in
        [(&["early"][..], "TS-0771"), (&["a b"], "TS-0770"), (&["a", "--role", "root"], "is no role")]
    {
        let ran = project.run(&[&["token", "create"], arguments].concat());
        assert!(ran.code() != 0 && ran.stderr.contains(code), "{}", ran.stderr);
    }
}

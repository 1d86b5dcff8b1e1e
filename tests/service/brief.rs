//! Steps that are over in a moment, one at a time: they begin where it was decided that they do, and that must stay free.

use serde_json::{Value, json};

use crate::support::{Node, Project};

/// More than it takes to know that a step is brief.
const OFTEN: usize = 20;

fn project() -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    let params = "params: { mode: { type: string, default: succeed } }\n";
    project.workflow(
        "turns",
        &format!("{params}steps:\n  a: {{ plugin: misbehave, with: {{ mode: \"${{params.mode}}\" }}, limits: {{ cpu: 5m, wall: 10m }} }}\n"),
    );
    project.workflow(
        "other",
        "steps:\n  a: { plugin: echo, with: { value: 1 } }\n  b: { plugin: echo, needs: [a], with: { value: 2 } }\n",
    );
    project
}

/// Asks for a run, and for its end where it comes in time.
#[track_caller]
fn run(node: &Node, workflow: &str, params: &Value, wait: &str) -> Value {
    let body = json!({ "workflow": workflow, "params": params }).to_string();
    let (status, answer) = node.ask("POST", &format!("/v1/runs{wait}"), &body);
    assert!(matches!(status, 200 | 202), "{status} {answer}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn a_step_that_was_always_brief_and_computes_or_sleeps_for_ever_now_holds_up_nobody() {
    let project = project();
    let node = project.serve();
    for mode in ["loop", "sleep", "wait-for-cancel"] {
        for _ in 0..OFTEN {
            assert_eq!(run(&node, "turns", &json!({}), "?wait=60s")["state"], "succeeded");
        }
        let long = run(&node, "turns", &json!({ "mode": mode }), "")["run"].as_str().unwrap().to_owned();
        // One after the other, so that each is alone with the one that does not end.
        for _ in 0..3 {
            assert_eq!(run(&node, "other", &json!({}), "?wait=60s")["state"], "succeeded", "{mode}");
        }
        assert_eq!(node.ask("GET", "/v1/status", "").0, 200);
        let (status, answer) = node.ask("POST", &format!("/v1/runs/{long}/cancel"), "");
        assert!((200..300).contains(&status), "{mode}: {status} {answer}");
        assert_eq!(project.wait_end(&long)["state"], "cancelled", "{mode}");
    }
}

#[test]
fn steps_that_end_badly_at_once_end_only_their_own_run() {
    let project = project();
    let node = project.serve();
    for mode in ["panic", "unreachable", "out-of-bounds", "recurse", "output-rubbish", "fail"] {
        for _ in 0..OFTEN {
            assert_eq!(run(&node, "turns", &json!({}), "?wait=60s")["state"], "succeeded");
        }
        assert_eq!(run(&node, "turns", &json!({ "mode": mode }), "?wait=60s")["state"], "failed", "{mode}");
    }
    assert_eq!(run(&node, "other", &json!({}), "?wait=60s")["state"], "succeeded");
}

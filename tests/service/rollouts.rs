//! A new definition of a workflow beside the one in use: a share of its runs, the evidence of their ends, the file in its place.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Node, Project, wait_until};

/// A workflow `judge` whose step does this, for the parameter `who`.
fn definition(mode: &str) -> String {
    format!(
        "version: 1\nname: judge\nparams: {{ who: {{ type: string, default: nobody }} }}\nsteps:\n  a: {{ plugin: misbehave, with: {{ mode: {mode} }} }}\n"
    )
}

fn project(candidate: &str) -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    project.write("workflows/judge.yaml", definition("succeed"));
    project.write("next/judge.yaml", definition(candidate));
    project
}

/// Has it run once; gives the digest of its definition.
fn run(project: &Project, node: &Node) -> String {
    let (status, answer) = node.ask("POST", "/v1/runs?wait=30s", &json!({"workflow": "judge"}).to_string());
    assert_eq!(status, 200, "{answer}");
    let run = serde_json::from_str::<Value>(&answer).unwrap()["run"].as_str().unwrap().to_owned();
    project.show(&run)["definition"].as_str().unwrap().to_owned()
}

fn start(project: &Project, arguments: &[&str]) -> Value {
    let all = ["--json", "rollout", "start", "--workflow", "judge", "--candidate", "next/judge.yaml", "--bake", "0ms"];
    project.run(&[&all[..], arguments].concat()).ok().json()
}

fn status(project: &Project) -> Value {
    project.run(&["--json", "rollout", "status", "workflow/judge"]).ok().json()
}

fn run_until(project: &Project, node: &Node, wanted: &str) -> (Value, BTreeMap<String, u32>) {
    let mut seen = BTreeMap::new();
    let ended = wait_until("the rollout comes to its end", || {
        for _ in 0..20 {
            *seen.entry(run(project, node)).or_default() += 1;
        }
        let status = status(project);
        assert!(status["ended_ms"].is_null() || status["status"] == wanted, "{status}");
        (status["status"] == wanted && !status["ended_ms"].is_null()).then_some(status)
    });
    (ended, seen)
}

#[test]
fn a_definition_that_does_as_well_takes_the_place_of_the_file() {
    // The same in other words is another definition.
    let project = project("\"succeed\"");
    let node = project.serve();
    let started = start(&project, &["--mode", "ab", "--gate", "errors=+30%", "--evidence", "10"]);
    assert_eq!((&started["subject"], &started["status"]), (&json!("workflow/judge"), &json!("running")));
    let (ended, seen) = run_until(&project, &node, "promoted");
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(ended["evidence"]["gates"][0]["verdict"], "pass");
    assert_eq!(project.read("workflows/judge.yaml"), definition("\"succeed\""));
    assert_eq!(project.names("workflows"), ["judge.yaml"], "nothing is left beside it");
    assert_eq!(run(&project, &node), ended["candidate"].as_str().unwrap());
    let told = project.run(&["rollout", "explain", "workflow/judge"]).ok();
    told.prints(&["has taken the place of", "the candidate took over", "its file is in place"]);
}

#[test]
fn a_definition_that_fails_is_taken_back_and_the_file_stays() {
    let project = project("fail");
    let node = project.serve();
    start(&project, &["--mode", "ab", "--gate", "errors=+30%"]);
    let (ended, _) = run_until(&project, &node, "rolled-back");
    assert!(ended["why"].as_str().unwrap().contains("errors=+30% is broken: in service 0 of"), "{ended}");
    assert_eq!(project.read("workflows/judge.yaml"), definition("succeed"));
    for _ in 0..10 {
        assert_eq!(run(&project, &node), ended["stable"].as_str().unwrap());
    }
    let again = ["rollout", "start", "--workflow", "judge", "--candidate", "next/judge.yaml"];
    project.run(&again).exits(2).says(&["TS-1004"]);
}

#[test]
fn runs_of_one_subject_have_one_definition_and_a_restart_goes_on() {
    let project = project("\"succeed\"");
    project.write("trackside.toml", "[http_server]\nlisten = \"127.0.0.1:0\"\n");
    let node = project.serve();
    start(&project, &["--mode", "ab", "--gate", "errors=+1%", "--evidence", "100000"]);
    for _ in 0..30 {
        run(&project, &node);
    }
    let counted = |project: &Project| {
        let seen = &status(project)["evidence"]["requests"];
        seen["stable"].as_u64().unwrap() + seen["candidate"].as_u64().unwrap()
    };
    wait_until("all are counted", || (counted(&project) == 30).then_some(()));
    node.terminate();
    let node = project.serve();
    assert_eq!(counted(&project), 30);
    wait_until("the candidate is tried again", || {
        let candidate = status(&project)["candidate"].clone();
        (run(&project, &node) == candidate.as_str().unwrap()).then_some(())
    });
    // Whoever changes the file has decided.
    project.write("workflows/judge.yaml", format!("{}# by hand\n", definition("succeed")));
    project.run(&["reload"]).ok();
    let ended = wait_until("it ends", || Some(status(&project)).filter(|status| status["status"] == "aborted"));
    assert!(ended["ended_ms"].is_number(), "{ended}");
    assert_eq!(project.read("workflows/judge.yaml"), format!("{}# by hand\n", definition("succeed")));
}

#[test]
fn a_promotion_that_was_cut_off_is_put_in_place_at_the_next_start() {
    let project = project("\"succeed\"");
    start(&project, &[]);
    // Nobody runs, so that nobody puts it in place.
    project.run(&["rollout", "promote", "workflow/judge"]).ok();
    assert_eq!(project.read("workflows/judge.yaml"), definition("succeed"));
    assert_eq!(status(&project)["status"], "promoting");
    // What a crash in the middle of it leaves.
    project.write("workflows/.judge.yaml.rollout", "half a fi");
    let node = project.serve();
    let ended = wait_until("it is in place", || Some(status(&project)).filter(|status| !status["ended_ms"].is_null()));
    assert_eq!(ended["status"], "promoted");
    assert_eq!(project.read("workflows/judge.yaml"), definition("\"succeed\""));
    assert_eq!(project.names("workflows"), ["judge.yaml"]);
    assert_eq!(run(&project, &node), ended["candidate"].as_str().unwrap());
}

#[test]
fn a_definition_that_can_not_stand_beside_the_other_is_refused() {
    let project = project("\"succeed\"");
    let start = |file: &str, arguments: &[&str]| {
        project.run(&[&["rollout", "start", "--workflow", "judge", "--candidate", file], arguments].concat())
    };
    project.write("next/params.yaml", definition("succeed").replace("who:", "whom:"));
    start("next/params.yaml", &[]).exits(2).says(&["TS-1003", "its parameters are others"]);
    project.write("next/triggers.yaml", format!("{}triggers:\n  - cron: {{ every: 1h }}\n", definition("succeed")));
    start("next/triggers.yaml", &[]).exits(2).says(&["TS-1003", "its triggers are others"]);
    project.write("next/broken.yaml", definition("succeed").replace("steps", "stepps"));
    start("next/broken.yaml", &[]).exits(1).says(&["next/broken.yaml:4:1", "steps"]);
    start("workflows/judge.yaml", &[]).exits(2).says(&["TS-1002", "is the definition of `judge` that is in use"]);
    start("next/none.yaml", &[]).exits(2).says(&["cannot read next/none.yaml"]);
    start("next/judge.yaml", &["--mode", "shadow"]).exits(2).says(&["TS-1001", "a workflow has no shadow"]);
    start("next/judge.yaml", &["--gate", "accuracy=90%"]).exits(2).says(&["TS-1001", "gates of errors and of time"]);
    start("next/judge.yaml", &["--subject", "header:x"]).exits(2).says(&["TS-1001", "trigger:FIELD"]);
    let other = ["rollout", "start", "--workflow", "jugde", "--candidate", "next/judge.yaml"];
    project.run(&other).exits(2).says(&["TS-1002", "did you mean `judge`"]);
    assert_eq!(project.run(&["--json", "rollout", "status"]).ok().json(), json!([]));
}

//! Steps that wait for a person.

use serde_json::{Value, json};

use crate::support::{Project, project::step, wait_until};

fn project(approvers: &str) -> Project {
    let project = Project::new();
    project.workflow(
        "ask",
        &format!(
            "steps:\n  ask: {{ approval: {{ message: \"Install?\"{approvers}, deadline: 1h }} }}\n  go: {{ plugin: echo, needs: [ask], with: {{ value: \"${{steps.ask.by}}\" }} }}\n"
        ),
    );
    project
}

/// Waits until a run asks.
fn asked(project: &Project) -> Value {
    wait_until("a step that waits for a decision", || {
        let waiting = project.run(&["runs", "list", "--waiting", "--json"]).ok().json();
        waiting.as_array().unwrap().first().cloned()
    })
}

#[test]
fn what_waits_is_listed_and_goes_on_when_it_is_approved() {
    let project = project("");
    let node = project.serve();
    let run = node.start_run("ask");
    let waiting = asked(&project);
    assert_eq!(
        (&waiting["run"], &waiting["step"], &waiting["message"]),
        (&json!(run), &json!("ask"), &json!("Install?"))
    );
    project
        .run(&["runs", "show", &run])
        .ok()
        .prints(&["Waits for a decision", &format!("trackside approve {run} ask")]);
    project.run(&["approve", &run, "ask", "--comment", "looks good"]).ok().prints(&["approved ask"]);
    let view = project.wait_end(&run);
    assert_eq!((&view["state"], &view["outputs"]["ask"]["comment"]), (&json!("succeeded"), &json!("looks good")));
    assert_eq!(view["outputs"]["go"]["value"], view["outputs"]["ask"]["by"]);
    assert!(view["outputs"]["ask"]["by"].is_string());
    // For programs a number, for people a time, wherever it is shown.
    let at = view["outputs"]["ask"]["at"].as_i64().unwrap().to_string();
    let shown = project.run(&["runs", "show", &run]).ok();
    assert!(!shown.stdout.contains(&at), "{shown}");
    assert!(shown.stdout.matches("Z").count() >= 2, "in the note of the step and in the output: {shown}");
    project.run(&["runs", "list", "--waiting"]).ok().says(&["Nothing waits"]);
    // Nobody decides twice.
    project.run(&["approve", &run, "ask", "--reject"]).exits(2).says(&["TS-0716"]);
}

#[test]
fn a_rejection_fails_the_step() {
    let project = project("");
    let node = project.serve();
    let run = node.start_run("ask");
    asked(&project);
    let (status, answer) = node.ask("POST", &format!("/v1/runs/{run}/approvals/ask"), r#"{"approve":false}"#);
    assert!(status == 200 && answer.contains("\"approved\":false"), "{status} {answer}");
    let view = project.wait_end(&run);
    assert_eq!((&view["state"], &step(&view, "ask")["error"]["code"]), (&json!("failed"), &json!("rejected")));
}

#[test]
fn only_those_who_are_named_decide_and_only_about_what_asks() {
    let project = project(", approvers: [nobody-of-this-name]");
    let node = project.serve();
    let run = node.start_run("ask");
    asked(&project);
    project.run(&["approve", &run, "ask"]).exits(2).says(&["TS-0736", "nobody-of-this-name"]);
    project.run(&["approve", &run, "go"]).exits(2).says(&["TS-0735"]);
    project.run(&["approve", &run, "other"]).exits(2).says(&["TS-0734"]);
    // A name in the request changes nothing.
    let body = r#"{"approve":true,"by":"nobody-of-this-name"}"#;
    let (status, _) = node.ask("POST", &format!("/v1/runs/{run}/approvals/ask"), body);
    assert_eq!(status, 400);
    assert_eq!(step(&project.show(&run), "ask")["state"], "awaiting-approval");
}

#[test]
fn a_decision_without_a_node_is_kept_for_the_next_one() {
    let project = project("");
    let node = project.serve();
    let run = node.start_run("ask");
    asked(&project);
    node.terminate();
    project.run(&["approve", &run, "ask"]).ok();
    let _node = project.serve();
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

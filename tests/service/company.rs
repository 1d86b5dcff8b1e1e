//! More than one process on a project, and more than one workflow on a node.

use crate::support::Project;

fn project() -> Project {
    let project = Project::new();
    project.workflow("hello", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project
}

#[test]
fn a_second_node_is_told_who_has_the_project_and_the_first_goes_on() {
    let project = project();
    let node = project.serve();
    let holder = format!("process {}", node.pid());
    project.run(&["serve"]).exits(3).says(&["TS-0202", ".trackside", &holder, "stop it first"]);
    let run = node.start_run("hello");
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

#[test]
fn looking_works_while_a_node_runs() {
    let project = project();
    let node = project.serve();
    let run = node.start_run("hello");
    project.wait_end(&run);
    for arguments in [
        &["runs", "list"][..],
        &["runs", "show", &run[..6]],
        &["runs", "logs", "last"],
        &["artifact", "verify"],
        &["check"],
    ] {
        project.run(arguments).ok();
    }
}

#[test]
fn a_workflow_that_is_broken_is_told_and_the_others_run() {
    let project = project();
    project.workflow("broken", "stpes: {}\n");
    project.workflow("no-plugin", "steps:\n  a: { plugin: ghost }\n");
    project
        .workflow("watch", "triggers:\n  - file: { path: inbox }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    let node = project.serve();
    node.wait_said("workflows/broken.yaml:3:1: error[TS-0102]");
    let (_, status) = node.ask("GET", "/v1/status", "");
    assert!(status.contains("\"broken\":[\"workflows/broken.yaml\"]"), "{status}");
    project.drop_file("inbox/x", "x");
    let runs = project.wait_runs(1);
    assert_eq!((&runs[0]["workflow"], &runs[0]["state"]), (&"watch".into(), &"succeeded".into()));
    let (status, answer) = node.ask("POST", "/v1/runs", r#"{"workflow":"broken"}"#);
    assert!(status == 400 && answer.contains("TS-0711"), "{status} {answer}");
    let run = node.start_run("no-plugin");
    let view = project.wait_end(&run);
    assert_eq!((&view["state"], &view["error"]["code"]), (&"failed".into(), &"plugin-unavailable".into()), "{view:#}");
}

#[test]
fn a_plugin_that_appears_while_the_node_runs_is_used_by_the_next_run() {
    let project = project();
    project.workflow("later", "steps:\n  a: { plugin: misbehave, with: { mode: succeed } }\n");
    let node = project.serve();
    let run = node.start_run("later");
    assert_eq!(project.wait_end(&run)["state"], "failed");
    project.misbehave("misbehave");
    let run = node.start_run("later");
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

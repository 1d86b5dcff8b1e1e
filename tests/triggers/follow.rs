//! Runs that start on other runs' ends.

use serde_json::Value;

use crate::{explained, support::Project};

fn run_of<'r>(runs: &'r [Value], workflow: &str) -> &'r str {
    runs.iter().find(|run| run["workflow"] == workflow).unwrap()["run"].as_str().unwrap()
}

#[test]
fn the_end_of_a_run_starts_the_workflows_that_wait_for_that_end_once() {
    let project = Project::new();
    project.workflow("intake", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.workflow(
        "after",
        "triggers:\n  - workflow: { name: intake }\nsteps:\n  a: { plugin: echo, with: { value: \"${trigger.run.id}\" } }\n",
    );
    project.workflow(
        "on-failure",
        "triggers:\n  - workflow: { name: intake, on: [failed] }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
    );
    let node = project.serve();
    let first = node.start_run("intake");
    let runs = project.wait_runs(2);
    let view = project.wait_end(run_of(&runs, "after"));
    assert_eq!(view["outputs"]["a"]["value"], Value::from(first), "{view:#}");
    assert_eq!(view["trigger"]["kind"], "workflow", "{view:#}");
    node.kill();
    // The run that followed was in the transaction of the end: a start finds nothing to make up for.
    let node = project.serve();
    node.start_run("intake");
    let runs = project.wait_runs(4);
    assert_eq!(runs.iter().filter(|run| run["workflow"] == "after").count(), 2);
    assert!(runs.iter().all(|run| run["workflow"] != "on-failure"), "{runs:#?}");
}

/// Makes the artifact `out.bin`.
const MAKES: &str = "steps:\n  make: { plugin: misbehave, with: { mode: write, n: 10 } }\n";

#[test]
fn a_new_artifact_of_a_name_starts_those_that_wait_for_it_once() {
    let project = Project::new();
    project.misbehave("misbehave");
    project.workflow("make", MAKES);
    project.workflow(
        "use",
        "triggers:\n  - dataset: out.bin\nsteps:\n  a: { plugin: echo, with: { value: \"${trigger.dataset.artifact.size}\" } }\n",
    );
    // One that makes it itself does not follow itself.
    project.workflow("own", &format!("triggers:\n  - dataset: out.bin\n  - dataset: other.bin\n{MAKES}"));
    let node = project.serve();
    let first = node.start_run("own");
    let runs = project.wait_runs(2);
    let view = project.wait_end(run_of(&runs, "use"));
    assert_eq!(
        (&view["outputs"]["a"]["value"], &view["trigger"]["dataset"]["run"]),
        (&10.into(), &first.into()),
        "{view:#}"
    );
    let told = explained(&project, "use/dataset-0");
    assert_eq!(
        (told.len(), &told[0]["decision"], &told[0]["about"]),
        (1, &"started".into(), &"out.bin".into()),
        "{told:#?}"
    );
    project.run(&["explain", run_of(&runs, "use")]).ok().prints(&["use/dataset-0", "out.bin"]);
    node.kill();
    let node = project.serve();
    // The start finds nothing to make up for; a paused trigger records what it lets pass.
    project.run(&["trigger", "pause", "use/dataset-0"]).ok();
    project.run(&["trigger", "pause", "own/dataset-0"]).ok();
    project.wait_end(&node.start_run("make"));
    let told = explained(&project, "use/dataset-0");
    assert_eq!((told.len(), &told[0]["decision"]), (2, &"paused".into()), "{told:#?}");
    assert_eq!(project.wait_runs(3).len(), 3);
}

#[test]
fn datasets_that_go_round_in_a_circle_end_after_sixteen_runs_and_that_is_explained() {
    let project = Project::new();
    project.misbehave("misbehave");
    for name in ["ping", "pong"] {
        project.workflow(name, &format!("triggers:\n  - dataset: out.bin\n{MAKES}"));
    }
    let node = project.serve();
    node.start_run("ping");
    let runs = project.wait_runs(17);
    assert_eq!(runs.iter().filter(|run| run["workflow"] == "ping").count(), 9);
    let mut told = explained(&project, "ping/dataset-0");
    told.extend(explained(&project, "pong/dataset-0"));
    let blocked: Vec<&Value> = told.iter().filter(|one| one["decision"] == "blocked").collect();
    assert_eq!(blocked.len(), 1, "{told:#?}");
    assert!(blocked[0]["detail"].as_str().unwrap().contains("circle"), "{told:#?}");
}

#[test]
fn workflows_that_would_start_each_other_without_end_are_found_by_check_and_start_nothing() {
    let project = Project::new();
    for (name, other) in [("ping", "pong"), ("pong", "ping")] {
        project.workflow(
            name,
            &format!(
                "triggers:\n  - workflow: {{ name: {other} }}\nsteps:\n  a: {{ plugin: echo, with: {{ value: 1 }} }}\n"
            ),
        );
    }
    let checked = project.run(&["check"]).exits(1);
    let told = format!("{}{}", checked.stdout, checked.stderr);
    assert!(
        told.contains("TS-0106") && told.contains("ping -> pong -> ping") | told.contains("pong -> ping -> pong"),
        "{told}"
    );
    let node = project.serve();
    node.start_run("ping");
    node.start_run("pong");
    // The circle is cut at one of the two triggers; the other one goes on.
    let runs = project.wait_runs(3);
    assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:#?}");
}

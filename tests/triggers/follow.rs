//! Runs that start on other runs' ends.

use serde_json::Value;

use crate::support::Project;

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

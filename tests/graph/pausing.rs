//! Pausing runs and triggers: with a node and without one it is the same.

use serde_json::json;

use crate::support::{Project, wait_until};

/// A project with a run that has ended and one that waits for a person.
fn project() -> (Project, String, String) {
    let project = Project::new();
    project.workflow("one", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.workflow(
        "ask",
        "triggers:\n  - cron: { schedule: \"@yearly\" }\nsteps:\n  ask: { approval: { message: ok } }\n  go: { plugin: echo, needs: [ask], with: { value: 1 } }\n",
    );
    let node = project.serve();
    let (ended, live) = (node.start_run("one"), node.start_run("ask"));
    project.wait_end(&ended);
    wait_until("the run asks", || {
        let waiting = project.run(&["runs", "list", "--waiting", "--json"]).ok().json();
        waiting.as_array().unwrap().first().cloned()
    });
    node.kill();
    (project, ended, live)
}

#[test]
fn a_pause_is_answered_alike_with_and_without_a_node() {
    let (project, ended, live) = project();
    let commands: [([&str; 3], i32); 12] = [
        (["runs", "pause", &ended], 2),
        (["runs", "resume", &ended], 2),
        (["trigger", "pause", "ask/cron-7"], 2),
        (["trigger", "resume", "ask/cron-7"], 2),
        (["runs", "pause", &live], 0),
        (["runs", "pause", &live], 0),
        (["runs", "resume", &live], 0),
        (["runs", "resume", &live], 0),
        (["trigger", "pause", "ask/cron-0"], 0),
        (["trigger", "pause", "ask/cron-0"], 0),
        (["trigger", "resume", "ask/cron-0"], 0),
        (["trigger", "resume", "ask/cron-0"], 0),
    ];
    let answers = || {
        commands.map(|(command, code)| {
            let ran = project.run(&command).exits(code);
            (ran.stdout, ran.stderr)
        })
    };
    let without = answers();
    for (answer, code) in without.iter().zip(["TS-0716", "TS-0716", "TS-0723", "TS-0723"]) {
        assert!(answer.1.contains(code), "{answer:?}");
    }
    let _node = project.serve();
    let with = answers();
    assert_eq!(without, with);
}

#[test]
fn a_run_that_was_paused_without_a_node_goes_on_when_it_is_resumed() {
    let (project, _, live) = project();
    project.run(&["runs", "pause", &live]).ok();
    assert_eq!(project.show(&live)["paused_by"], "the command line");
    let _node = project.serve();
    project.run(&["approve", &live, "ask"]).ok();
    let view = project.show(&live);
    assert_eq!((&view["state"], &view["steps"][1]["state"]), (&json!("running"), &json!("pending")), "{view:#}");
    project.run(&["runs", "resume", &live]).ok();
    assert_eq!(project.wait_end(&live)["state"], "succeeded");
}

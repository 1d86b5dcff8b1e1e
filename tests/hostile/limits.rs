//! Limits that a workflow sets for a step hold, and what a step used is told.

use crate::support::{Project, project::step};

fn project() -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    project
}

fn ask(project: &Project, mode: &str, n: u64, limits: &str, allow: &str) {
    let with = format!("{{ mode: {mode}, n: {n} }}");
    project.workflow(
        "ask",
        &format!(
            "steps:\n  bad:\n    plugin: misbehave\n    with: {with}\n    limits: {{ {limits} }}\n    allow: {{ {allow} }}\n"
        ),
    );
}

#[test]
fn each_limit_of_a_step_ends_it_with_words_that_name_it() {
    let project = project();
    for (mode, n, limits, allow, words) in [
        ("write", 50_000, "artifact: 40kB", "", "40000"),
        ("write-many", 5, "artifacts: 3", "", "at most 3 artifacts"),
        ("state-many", 5, "state_entries: 3", "state: true", "at most 3 state keys"),
        ("state-many", 50, "state: 20kB", "state: true", "20000 bytes of state"),
        ("state-large", 5_000, "state_value: 4kB", "state: true", "the limit is 4000"),
        ("tensor", 5_000, "tensor: 4kB", "", "limit of 4000"),
        ("deliver-many", 5, "deliveries: 3", "deliver: [out]", "at most 3 effects"),
        ("handles", 50, "handles: 20", "", "host-limit"),
        ("host-call", 2_000_000, "host_call: 100KiB, output: 10KiB", "", "host-limit"),
        ("output-huge", 5_000, "output: 4kB", "", "output-too-large"),
        ("output-deep", 9, "output_depth: 8", "", "deeper than 8"),
        ("compute", 1_000_000, "fuel: 1000", "", "fuel-limit"),
        ("succeed", 0, "table: 100", "", "table"),
        ("succeed", 0, "instances: 1", "", "instance"),
    ] {
        ask(&project, mode, n, limits, allow);
        project.run(&["run", "ask"]).exits(1).says(&[words]);
    }
    ask(&project, "succeed", 0, "", "");
    project.run(&["run", "ask"]).ok();
}

#[test]
fn the_nodes_limits_hold_where_a_step_sets_none() {
    let project = project();
    project.write("trackside.toml", "[limits]\nartifacts = 3\nlog_lines = 5\n");
    ask(&project, "write-many", 5, "", "");
    project.run(&["run", "ask"]).exits(1).says(&["at most 3 artifacts"]);
    ask(&project, "write-many", 5, "artifacts: 9", "");
    project.run(&["run", "ask"]).ok();
    ask(&project, "log-flood", 20, "", "");
    project.run(&["run", "ask"]).ok();
    let view = project.show("last");
    let report = &step(&view, "bad")["report"];
    assert_eq!((report["log_lines"].as_u64(), report["log_lines_dropped"].as_u64()), (Some(5), Some(15)), "{report:#}");
}

#[test]
fn what_a_step_used_is_shown_beside_its_limits() {
    let project = project();
    ask(&project, "state-many", 3, "memory: 16MiB, state: 1MiB, fuel: 100000000", "state: true");
    project.run(&["run", "ask"]).ok();
    let shown = project.run(&["runs", "show", "last"]).ok();
    let shown =
        shown.prints(&["Used", " memory of 16MiB", "3 state entries", "state of 1MiB", "instructions of 100000000"]);
    let line = shown.stdout.lines().find(|line| line.contains("instructions of")).unwrap_or_default().to_owned();
    let fuel = |view: &serde_json::Value| step(view, "bad")["report"]["fuel"].as_u64();
    let first = fuel(&project.show("last"));
    assert!(first.is_some_and(|fuel| fuel > 1_000), "{line}");
    project.run(&["run", "ask"]).ok();
    assert_eq!(fuel(&project.show("last")), first, "the same work takes the same number of instructions");
}

#[test]
fn artifacts_leave_the_room_that_the_database_needs() {
    let project = project();
    project.write("trackside.toml", "[node]\nmin_free = \"1000000TiB\"\n");
    ask(&project, "write", 5_000, "", "");
    project.run(&["run", "ask"]).exits(1).says(&["kept for the database", "min_free"]);
    ask(&project, "succeed", 0, "", "");
    project.run(&["run", "ask"]).ok();
    assert_eq!(project.names(".trackside/artifacts/tmp"), [""; 0], "a half-written artifact stayed");
}

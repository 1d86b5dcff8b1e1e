//! A step with `reuse` keeps its plugin's memory for its next attempts, and the project can see it.

use serde_json::Value;

use crate::support::{Project, node::Node, project::step, repository, sections::marked, wait::wait_until};

/// A project with `gauge`, which counts its calls in its own memory, in two workflows with two steps each.
fn gauges(config: &str) -> Project {
    let project = Project::new();
    project.write("trackside.toml", format!("[node]\nname = \"test\"\n{config}"));
    project.write("plugins/gauge.wasm", marked("testing/gauge.wasm", "one"));
    for workflow in ["first", "second"] {
        let line = |id: &str| format!("  {id}: {{ plugin: gauge, reuse: {{ runs: 100, idle: 1h }} }}\n");
        project.workflow(workflow, &format!("steps:\n{}{}", line("a"), line("b")));
    }
    project.workflow("fresh", "steps:\n  a: { plugin: gauge }\n");
    project
}

#[track_caller]
fn ran(project: &Project, node: &Node, workflow: &str) -> Value {
    let view = project.wait_end(&node.start_run(workflow));
    assert_eq!(view["state"], "succeeded", "{view:#}");
    view
}

/// What the steps of a run counted.
fn counts(view: &Value) -> Vec<u64> {
    let outputs = view["outputs"].as_object().unwrap().values();
    outputs.map(|output| output["calls"].as_u64().unwrap()).collect()
}

#[test]
fn each_step_has_its_own_memory_and_a_new_component_has_none() {
    let project = gauges("");
    let node = project.serve();
    assert_eq!(counts(&ran(&project, &node, "first")), [1, 1]);
    assert_eq!(counts(&ran(&project, &node, "first")), [2, 2]);
    assert_eq!(counts(&ran(&project, &node, "second")), [1, 1]);
    assert_eq!(counts(&ran(&project, &node, "fresh")), [1]);
    assert_eq!(counts(&ran(&project, &node, "fresh")), [1]);
    assert_eq!(counts(&ran(&project, &node, "first")), [3, 3]);
    let digest = || step(&ran(&project, &node, "fresh"), "a")["report"]["digest"].clone();
    let old = digest();
    project.drop_file("plugins/gauge.wasm", marked("testing/gauge.wasm", "two"));
    // One step waits for the new component; those beside it go on with the old one.
    wait_until("the new component", || (digest() != old).then_some(()));
    assert_eq!(counts(&ran(&project, &node, "first")), [1, 1]);
    assert_eq!(counts(&ran(&project, &node, "first")), [2, 2]);
}

#[test]
fn a_run_says_that_a_warm_instance_served_and_that_it_is_not_deterministic() {
    let project = gauges("");
    let node = project.serve();
    let fresh = ran(&project, &node, "fresh");
    assert_eq!(step(&fresh, "a")["report"]["deterministic"], true);
    let first = ran(&project, &node, "first");
    let report = &step(&first, "a")["report"];
    assert_eq!((&report["deterministic"], report.get("earlier_runs")), (&false.into(), None));
    let second = ran(&project, &node, "first");
    let report = &step(&second, "a")["report"];
    assert_eq!((&report["deterministic"], &report["earlier_runs"]), (&false.into(), &1.into()));
    let page = project.run(&["runs", "show", second["run"].as_str().unwrap()]).ok();
    page.prints(&["warm instance (run 2)"]);
    let page = project.run(&["runs", "show", first["run"].as_str().unwrap()]).ok();
    assert!(!page.stdout.contains("warm"), "{page}");
}

#[test]
fn the_boxs_bounds_hold() {
    let project = gauges("[plugins]\nwarm_instances = 0\n");
    let node = project.serve();
    for _ in 0..2 {
        assert_eq!(counts(&ran(&project, &node, "first")), [1, 1]);
    }
    node.terminate();
    let project = gauges("[plugins]\nwarm_instances = 1\n");
    let node = project.serve();
    for _ in 0..3 {
        let counts = counts(&ran(&project, &node, "first"));
        // The two steps run at the same time or one after the other: one of them is kept at most.
        assert!(counts.contains(&1), "{counts:?}");
    }
}

#[test]
fn a_key_that_makes_no_sense_is_refused_with_its_place() {
    let project = gauges("");
    for (rest, words) in [
        ("reuse: { runs: 1 }", "between 2 and 1000000"),
        ("reuse: { runs: 5, idle: 1ms }", "between 100ms and 1d"),
        ("reuse: { idle: 1m }", "runs"),
        ("reuse: { runs: 5, for: 1m }", "for"),
        ("reuse: { runs: 5 }, command: { args: [x] }", "nothing to keep"),
    ] {
        project.workflow("bad", &format!("steps:\n  a: {{ plugin: gauge, {rest} }}\n"));
        let checked = project.run(&["check"]);
        assert_ne!(checked.code(), 0, "{rest}: {checked}");
        checked.says(&[words]);
    }
    project.workflow("bad", "steps:\n  a: { model: m.onnx, inputs: {}, reuse: { runs: 5 } }\n");
    project.run(&["check"]).says(&["`reuse` is for plugins"]);
    let tool = std::fs::read(repository::root().join("tests/golden/line-stats-command-c-0.1.0.wasm")).unwrap();
    project.write("plugins/tool.wasm", tool);
    project.workflow("bad", "steps:\n  a: { plugin: tool, reuse: { runs: 5 } }\n");
    project.run(&["check"]).says(&["TS-0870", "WASI command"]);
    project.workflow("bad", "steps:\n  a: { plugin: gauge }\n");
    for line in ["warm_instances = 1000", "warm_memory = \"1kB\""] {
        project.write("trackside.toml", format!("[plugins]\n{line}\n"));
        let checked = project.run(&["check"]);
        assert_ne!(checked.code(), 0, "{line}");
        checked.says(&["TS-0103"]);
    }
}

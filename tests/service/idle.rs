//! What a node costs while nothing happens.

use std::{fs, time::Duration};

use crate::support::{Node, Project, optional, wait::let_pass};

/// How long it is looked at.
const WINDOW: Duration = Duration::from_secs(2);
/// More than a hand full of wake-ups in two seconds is a tick somewhere.
const WAKE_UPS: u64 = 5;
/// Windows that start-up work may take: plugins are compiled in the background.
const WINDOWS: usize = 15;

/// A number in a file of `/proc/PID`.
fn number(pid: u32, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Bytes written to disk, bytes written at all, wake-ups of all threads.
fn cost(pid: u32) -> [u64; 3] {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let wake_ups = tasks.filter_map(|task| {
        let id = task.file_name().into_string().ok()?;
        Some(number(pid, &format!("task/{id}/status"), "voluntary_ctxt_switches"))
    });
    [number(pid, "io", "write_bytes"), number(pid, "io", "wchar"), wake_ups.sum()]
}

/// Waits until a window costs nothing.
#[track_caller]
fn costs_nothing(node: &Node) {
    let mut last = [0; 3];
    for _ in 0..WINDOWS {
        let before = cost(node.pid());
        let_pass(WINDOW);
        let after = cost(node.pid());
        last = [0, 1, 2].map(|one| after[one] - before[one]);
        if last[0] == 0 && last[1] == 0 && last[2] <= WAKE_UPS {
            break;
        }
    }
    let [disk, written, wake_ups] = last;
    let resident = number(node.pid(), "status", "VmRSS");
    println!("idle for {WINDOW:?}: {disk} B to disk, {written} B written, {wake_ups} wake-ups; {resident} kB resident");
    assert_eq!((disk, written), (0, 0), "an idle node writes");
    assert!(wake_ups <= WAKE_UPS, "{wake_ups} wake-ups in {WINDOW:?}");
}

#[test]
fn an_idle_node_writes_nothing_and_does_not_tick() {
    let project = Project::new();
    project.workflow(
        "watch",
        "triggers:\n  - file: { path: inbox }\n  - cron: { schedule: \"0 0 1 1 *\" }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
    );
    let node = project.serve();
    // It has worked before it idles: nothing of that may go on.
    project.drop_file("inbox/x", "x");
    project.wait_runs(1);
    costs_nothing(&node);
}

#[test]
fn a_node_with_warm_instances_does_not_tick_and_neither_does_one_whose_last_is_gone() {
    let project = Project::new();
    for (name, idle) in [("long", "1h"), ("brief", "100ms")] {
        let step = "plugin: echo, with: { value: 1 }";
        project.workflow(name, &format!("steps:\n  a: {{ {step}, reuse: {{ runs: 9, idle: {idle} }} }}\n"));
    }
    let node = project.serve();
    for workflow in ["brief", "brief", "long", "long"] {
        project.wait_end(&node.start_run(workflow));
    }
    assert_eq!(project.show("last")["steps"][0]["report"]["earlier_runs"], 1);
    costs_nothing(&node);
    let view = project.wait_end(&node.start_run("brief"));
    assert_eq!(view["steps"][0]["report"].get("earlier_runs"), None, "{view:#}");
}

#[test]
fn an_idle_node_with_models_loaded_writes_nothing_and_does_not_tick() {
    let engines = [
        Some("prefer = \"rten\"".to_owned()),
        optional::onnxruntime("an idle node with ONNX Runtime")
            .map(|library| format!("prefer = \"onnxruntime\"\nonnxruntime = {:?}", library.display().to_string())),
    ];
    for engine in engines.into_iter().flatten() {
        let project = Project::example("pump-watch", &format!("[engine]\n{engine}"));
        let node = project.serve();
        let day = fs::read(project.path("data/flow-2022-04-30.csv")).unwrap();
        project.drop_file("inbox/day.csv", day);
        let runs = project.wait_runs(1);
        assert_eq!(runs[0]["state"], "succeeded", "{runs:#?}");
        costs_nothing(&node);
    }
}

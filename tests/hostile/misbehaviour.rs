//! Guests that break the rules, on a node that has other things to do.

use crate::support::{Node, Project, project::step};

/// A mode of `misbehave` and how its step must end.
struct Mode {
    mode: &'static str,
    n: u64,
    limits: &'static str,
    code: &'static str,
    /// What the message says.
    words: &'static [&'static str],
    /// What the details say: the guest's frames.
    frames: &'static [&'static str],
}

const fn mode(mode: &'static str, code: &'static str, words: &'static [&'static str]) -> Mode {
    Mode { mode, n: 0, limits: "{}", code, words, frames: &[] }
}

const MODES: &[Mode] = &[
    Mode {
        limits: "{ cpu: 300ms }",
        frames: &["step@0.1.0#run"],
        ..mode("loop", "cpu-limit", &["300ms", "limits.cpu"])
    },
    Mode { limits: "{ wall: 300ms }", ..mode("sleep", "wall-limit", &["300ms", "limits.wall"]) },
    Mode { limits: "{ memory: 16MiB }", ..mode("allocate-all", "out-of-memory", &["16 MiB", "limits.memory"]) },
    Mode { limits: "{ memory: 16MiB }", ..mode("grow", "out-of-memory", &["16 MiB", "limits.memory"]) },
    Mode { frames: &["recurse"], ..mode("recurse", "stack-overflow", &["recursion"]) },
    Mode { frames: &["misbehave"], ..mode("panic", "panic", &["misbehave was asked to panic"]) },
    Mode { frames: &["panic_below"], ..mode("panic-deep", "panic", &["ten calls down"]) },
    Mode { frames: &["step@0.1.0#run"], ..mode("unreachable", "trap", &[]) },
    Mode { frames: &["past_the_end"], ..mode("out-of-bounds", "panic", &["index out of bounds"]) },
    mode("output-rubbish", "bad-output", &["JSON"]),
    Mode { n: 8 << 20, ..mode("output-huge", "output-too-large", &["1048576"]) },
    Mode { n: 10_000, ..mode("output-deep", "bad-output", &["deep"]) },
    mode("fail", "as-asked", &["misbehave was asked to fail"]),
    mode("no-such-mode", "bad-input", &["no-such-mode"]),
    mode("write-undeclared", "denied", &["never-declared", "declared: out"]),
];

/// A project with a workflow for each mode and one that is well.
fn project() -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    for mode in MODES {
        let Mode { mode, n, limits, .. } = mode;
        let step =
            format!("steps:\n  bad: {{ plugin: misbehave, with: {{ mode: {mode}, n: {n} }}, limits: {limits} }}\n");
        project.workflow(mode, &step);
    }
    project.workflow("well", "steps:\n  good: { plugin: misbehave, with: { mode: succeed } }\n");
    project
}

#[track_caller]
fn next_run_works(project: &Project, node: &mut Node) {
    assert!(!node.has_ended(), "the node went down");
    let run = node.start_run("well");
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

/// What is wrong with how the run of a mode ended; nothing when all is well.
fn objections(project: &Project, mode: &Mode, run: &str) -> Vec<String> {
    let view = project.wait_end(run);
    let error = &step(&view, "bad")["error"];
    let (code, message) = (error["code"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default());
    // The page for people tells the same.
    let page = project.run(&["runs", "show", run]).ok().stdout;
    let mut objections = Vec::new();
    let mut object = |is_wrong: bool, objection: String| objections.extend(is_wrong.then_some(objection));
    object(view["state"] != "failed", format!("the run's state is {}", view["state"]));
    object(code != mode.code, format!("the code is {code:?}, not {:?}", mode.code));
    for word in mode.words {
        object(!message.contains(word), format!("{word:?} is not in {message:?}"));
    }
    for frame in mode.frames {
        object(!error["details"].to_string().contains(frame), format!("{frame:?} is not in {}", error["details"]));
        object(!page.contains(frame), format!("{frame:?} is not shown"));
    }
    object(!page.contains(mode.code) || !page.contains("failed"), "the page does not tell it".to_owned());
    object(page.contains('\u{1b}'), "the page has control characters".to_owned());
    if !objections.is_empty() {
        objections.push(page);
    }
    objections
}

#[test]
fn every_misbehaviour_ends_in_a_readable_error_and_the_node_goes_on() {
    let project = project();
    let mut node = project.serve();
    let mut told = Vec::new();
    for mode in MODES {
        let run = node.start_run(mode.mode);
        let objections = objections(&project, mode, &run);
        if !objections.is_empty() {
            told.push(format!("=== {}: {}", mode.mode, objections.join("; ")));
        }
        next_run_works(&project, &mut node);
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn a_step_that_loops_can_be_cancelled_and_leaves_the_processor_alone_afterwards() {
    let project = project();
    project.workflow(
        "endless",
        "steps:\n  bad: { plugin: misbehave, with: { mode: loop }, limits: { cpu: 1h, wall: 1h } }\n",
    );
    let mut node = project.serve();
    let run = node.start_run("endless");
    crate::support::wait_until("it runs", || (step(&project.show(&run), "bad")["state"] == "running").then_some(()));
    let (status, answer) = node.ask("POST", &format!("/v1/runs/{run}/cancel"), "");
    assert_eq!(status, 200, "{answer}");
    let view = project.wait_end(&run);
    assert_eq!((&view["state"], &step(&view, "bad")["state"]), (&"cancelled".into(), &"cancelled".into()), "{view:#}");
    next_run_works(&project, &mut node);
}

#[test]
fn floods_of_logs_are_bounded_and_said_to_be() {
    let project = project();
    for mode in ["log-flood", "stderr-flood"] {
        project
            .workflow(mode, &format!("steps:\n  talk: {{ plugin: misbehave, with: {{ mode: {mode}, n: 20000 }} }}\n"));
        let ran = project.run(&["run", mode]);
        let logs = project.run(&["runs", "logs", "last", "--json"]).ok();
        assert!(logs.stdout.len() < 2 << 20, "{mode}: {} bytes of logs: {ran}", logs.stdout.len());
        assert!(logs.stdout.contains("dropped"), "{mode}: nobody says that lines are missing: {ran}");
    }
}

#[test]
fn what_a_failed_step_wrote_kept_and_staged_does_not_exist() {
    let project = project();
    project.workflow(
        "half",
        "steps:\n  count: { plugin: misbehave, with: { mode: set-then-fail }, allow: { state: true } }\n",
    );
    project.workflow(
        "delivery",
        "steps:\n  bad: { plugin: misbehave, with: { mode: deliver-then-fail }, allow: { deliver: [out] } }\n",
    );
    project
        .workflow("whole", "steps:\n  count: { plugin: misbehave, with: { mode: count }, allow: { state: true } }\n");
    project.run(&["run", "half"]).exits(1);
    let view = project.run(&["run", "delivery", "--json"]).exits(1).json();
    assert_eq!(view["deliveries"], serde_json::json!([]));
    assert!(!project.path("out").exists());
    let view = project.run(&["run", "whole", "--json"]).ok().json();
    assert_eq!(view["outputs"]["count"]["count"], 1);
}

#[test]
fn a_file_larger_than_the_plugins_memory_streams_through_it() {
    const SIZE: u64 = 96 << 20;
    let project = project();
    project.workflow(
        "stream",
        "steps:\n  read:\n    plugin: misbehave\n    with: { mode: read, in: \"${trigger.file}\" }\n    limits: { memory: 8MiB, cpu: 1m, wall: 2m }\n",
    );
    // Sparse: it takes no room in the folder.
    std::fs::File::create(project.path("large.bin")).unwrap().set_len(SIZE).unwrap();
    let view = project.run(&["run", "stream", "--file", "large.bin", "--json"]).ok().json();
    assert_eq!(view["outputs"]["read"]["bytes"], SIZE);
    let memory = step(&view, "read")["report"]["memory"].as_u64().unwrap();
    assert!(memory <= 8 << 20, "{memory} bytes of memory");
}

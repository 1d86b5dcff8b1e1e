//! A running node takes a plugin that has changed, and goes on with the last good one where it can not.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::Value;
use trackside_spec::Digest;

use crate::{
    component::{project, variant},
    support::{
        Project,
        node::{Node, ask},
        project::step,
        sections::marked,
        wait::wait_until,
    },
};

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

/// Puts a component into the plugins folder as a careful program does: whole, by a rename.
fn put(project: &Project, name: &str, bytes: &[u8]) {
    project.drop_file(&format!("plugins/{name}.wasm"), bytes);
}

/// Runs `use` on the node, which must succeed; gives the digest of what its step ran.
#[track_caller]
fn used(project: &Project, node: &Node) -> String {
    let view = project.wait_end(&node.start_run("use"));
    assert_eq!(view["state"], "succeeded", "{view:#}");
    step(&view, "a")["report"]["digest"].as_str().unwrap().to_owned()
}

/// How often the node has said this.
fn times(node: &Node, words: &str) -> usize {
    node.said().matches(words).count()
}

#[test]
fn a_step_that_begins_after_the_change_runs_the_new_component() {
    let project = project("mine", "");
    let (one, two) = (variant("one"), variant("two"));
    put(&project, "mine", &one);
    let node = project.serve();
    assert_eq!(used(&project, &node), digest(&one));
    put(&project, "mine", &two);
    assert_eq!(used(&project, &node), digest(&two));
    let words = format!("changed from {} to {}", digest(&one), digest(&two));
    assert_eq!(times(&node, &words), 1, "{}", node.said());
    // Written over in place, it is the same to a step.
    project.write("plugins/mine.wasm", &one);
    assert_eq!(used(&project, &node), digest(&one));
    // Touched and not changed, it is not compiled again.
    let before = node.said();
    put(&project, "mine", &one);
    assert_eq!(used(&project, &node), digest(&one));
    assert_eq!(node.said(), before);
}

#[test]
fn no_run_fails_while_plugins_are_swapped_under_load() {
    let project = project("mine", "");
    let variants: Vec<Vec<u8>> = (0..20).map(|number| variant(&format!("v{number}"))).collect();
    put(&project, "mine", &variants[0]);
    let node = project.serve();
    let over = Arc::new(AtomicBool::new(false));
    // Each waits for the end of one run of many: more than the node has room for would be refused.
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (over, root) = (over.clone(), project.root().to_owned());
            thread::spawn(move || {
                let mut runs = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let wait = if runs.len() % 500 == 499 { "?wait=60s" } else { "" };
                    let path = format!("/v1/runs{wait}");
                    let (status, answer) = ask(&root, "POST", &path, "{\"workflow\":\"use\"}").unwrap();
                    assert!(status == 202 || (status == 200 && !wait.is_empty()), "{status} {answer}");
                    let answer: Value = serde_json::from_str(&answer).unwrap();
                    let run = answer["run"].as_str().unwrap().to_owned();
                    // On a busy machine a minute may not be enough for all that came before it.
                    let mut has_ended = status == 200 || wait.is_empty();
                    while !has_ended {
                        let (status, answer) = ask(&root, "GET", &format!("/v1/runs/{run}?wait=60s"), "").unwrap();
                        assert!(status == 200 || status == 202, "{status} {answer}");
                        has_ended = status == 200;
                    }
                    runs.push(run);
                }
                runs
            })
        })
        .collect();
    for variant in &variants[1..] {
        put(&project, "mine", variant);
        // The load does not stop for it: this one is in use before the next comes.
        wait_until("the new component is in use", || (used(&project, &node) == digest(variant)).then_some(()));
    }
    over.store(true, Ordering::Relaxed);
    let runs: Vec<String> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    assert!(runs.len() > 100, "{} runs are no load", runs.len());
    let known: BTreeSet<String> = variants.iter().map(|bytes| digest(bytes)).collect();
    wait_until("the last run has ended", || (project.show(runs.last()?)["state"] != "running").then_some(()));
    let list = project.runs();
    let failed: Vec<&Value> = list.iter().filter(|run| run["state"] != "succeeded").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    // A sample: to show one run is to start a process.
    for run in runs.iter().step_by(runs.len() / 20) {
        let view = project.show(run);
        assert!(known.contains(step(&view, "a")["report"]["digest"].as_str().unwrap()), "{view:#}");
    }
    assert_eq!(times(&node, "is not used, steps go on"), 0, "{}", node.said());
}

#[test]
fn an_attempt_ends_on_the_component_that_it_began_with() {
    let project = Project::new();
    let (one, two) = (marked("testing/misbehave.wasm", "one"), marked("testing/misbehave.wasm", "two"));
    put(&project, "mine", &one);
    // Seconds of work, more than a swap takes.
    let long = "with: { mode: compute, n: 2000000000 }, limits: { cpu: 10m, wall: 10m }";
    project.workflow("long", &format!("steps:\n  a: {{ plugin: mine, {long} }}\n"));
    project.workflow("use", "steps:\n  a: { plugin: mine, with: { mode: succeed } }\n");
    let node = project.serve();
    assert_eq!(used(&project, &node), digest(&one));
    let run = node.start_run("long");
    wait_until("the step is under way", || (step(&project.show(&run), "a")["state"] == "running").then_some(()));
    put(&project, "mine", &two);
    assert_eq!(used(&project, &node), digest(&two));
    assert_eq!(project.show(&run)["state"], "running", "the long step was to be under way still");
    let view = project.wait_end(&run);
    assert_eq!(view["state"], "succeeded", "{view:#}");
    assert_eq!(step(&view, "a")["report"]["digest"], digest(&one));
}

#[test]
fn a_file_that_is_half_written_is_not_used_and_the_whole_one_is() {
    let project = project("mine", "");
    let (one, two) = (variant("one"), variant("two"));
    put(&project, "mine", &one);
    let node = project.serve();
    assert_eq!(used(&project, &node), digest(&one));
    for length in [0, 4, 1_000, two.len() / 2, two.len() - 1] {
        project.write("plugins/mine.wasm", &two[..length]);
        assert_eq!(used(&project, &node), digest(&one), "{length} bytes");
    }
    project.write("plugins/mine.wasm", &two);
    wait_until("the whole file is in use", || (used(&project, &node) == digest(&two)).then_some(()));
    assert!(times(&node, "is not used, steps go on") <= 2, "{}", node.said());
}

#[test]
fn an_invalid_component_keeps_the_last_good_one_and_is_told_once_with_both_digests() {
    let project = project("mine", "");
    let (good, bad) = (variant("good"), b"no component at all".to_vec());
    put(&project, "mine", &good);
    let node = project.serve();
    assert_eq!(used(&project, &node), digest(&good));
    put(&project, "mine", &bad);
    for _ in 0..20 {
        assert_eq!(used(&project, &node), digest(&good));
    }
    let words = format!("{} is not used, steps go on with {}", digest(&bad), digest(&good));
    assert_eq!(times(&node, &words), 1, "{}", node.said());
    // A node that starts now has no last good one.
    node.terminate();
    let node = project.serve();
    let view = project.wait_end(&node.start_run("use"));
    assert_eq!(view["state"], "failed", "{view:#}");
    put(&project, "mine", &good);
    assert_eq!(used(&project, &node), digest(&good));
}

#[test]
fn a_component_that_the_policy_refuses_keeps_the_last_good_one() {
    let project = project("mine", "[plugins]\nkeys = [\"ops.pub\"]\nrequire_signature = true\n");
    project.run(&["plugin", "keygen", "ops"]).ok();
    let (signed, unsigned) = (variant("signed"), variant("unsigned"));
    put(&project, "mine", &signed);
    project.run(&["plugin", "sign", "plugins/mine.wasm", "--key", "ops.key"]).ok();
    let node = project.serve();
    assert_eq!(used(&project, &node), digest(&signed));
    put(&project, "mine", &unsigned);
    assert_eq!(used(&project, &node), digest(&signed));
    let words = format!("{} is not used, steps go on with {}", digest(&unsigned), digest(&signed));
    assert_eq!(times(&node, &words), 1, "{}", node.said());
    assert_eq!(times(&node, "TS-0605"), 1, "{}", node.said());
    // With its signature it is let in: the signature's file is looked at too.
    project.run(&["plugin", "sign", "plugins/mine.wasm", "--key", "ops.key"]).ok();
    assert_eq!(used(&project, &node), digest(&unsigned));
}

#[test]
fn what_the_plugin_commands_change_takes_effect_at_the_next_step() {
    let project = project("mine", "");
    let (one, two) = (variant("one"), variant("two"));
    project.write("mine.wasm", &one);
    project.run(&["plugin", "add", "mine.wasm"]).ok();
    let node = project.serve();
    assert_eq!(used(&project, &node), digest(&one));
    project.write("mine.wasm", &two);
    project.run(&["plugin", "add", "mine.wasm"]).ok();
    assert_eq!(used(&project, &node), digest(&two));
    project.run(&["plugin", "rollback", "mine"]).ok();
    assert_eq!(used(&project, &node), digest(&one));
    // Removed is removed: what nobody wants any more is not a last good one.
    project.run(&["plugin", "remove", "mine"]).ok();
    let view = project.wait_end(&node.start_run("use"));
    assert_eq!(view["state"], "failed", "{view:#}");
    assert!(view.to_string().contains("TS-0601"), "{view:#}");
    project.run(&["plugin", "add", "mine.wasm"]).ok();
    assert_eq!(used(&project, &node), digest(&two));
}

#[test]
fn a_lock_file_that_names_what_is_not_here_yet_keeps_the_last_good_one() {
    let project = project("mine", "");
    let (one, two) = (variant("one"), variant("two"));
    project.write("mine.wasm", &one);
    project.run(&["plugin", "add", "mine.wasm"]).ok();
    let node = project.serve();
    assert_eq!(used(&project, &node), digest(&one));
    // As after a `git pull`: another digest, and the component comes later.
    project.write("mine.wasm", &two);
    let lock = project.read("workflow.lock").replace(&digest(&one), &digest(&two));
    let lock = lock.replace(&format!("size = {}", one.len()), &format!("size = {}", two.len()));
    project.drop_file("workflow.lock", lock);
    assert_eq!(used(&project, &node), digest(&one));
    assert_eq!(times(&node, "TS-0603"), 1, "{}", node.said());
    project.drop_file("workflow.lock", "<<<<<<< ours\n");
    assert_eq!(used(&project, &node), digest(&one));
    fs::remove_file(project.path("workflow.lock")).unwrap();
    let view = project.wait_end(&node.start_run("use"));
    assert_eq!(view["state"], "failed", "without the lock file the name means nothing: {view:#}");
}

#[test]
fn a_node_that_swaps_often_does_not_grow() {
    let project = project("mine", "");
    put(&project, "mine", &marked("testing/misbehave.wasm", "first"));
    project.workflow("use", "steps:\n  a: { plugin: mine, with: { mode: succeed } }\n");
    let node = project.serve();
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let code = || {
        let maps = fs::read_to_string(format!("/proc/{}/maps", node.pid())).unwrap();
        maps.lines().filter(|line| line.contains("r-xp")).count()
    };
    let mut swap = |number: u32| {
        let bytes = marked("testing/misbehave.wasm", &format!("n{number}"));
        put(&project, "mine", &bytes);
        assert_eq!(used(&project, &node), digest(&bytes));
    };
    (0..5).for_each(&mut swap);
    let (mapped, data) = (code(), resident());
    (5..30).for_each(&mut swap);
    // Each component has code of its own: what no step uses is unmapped.
    assert!(code() <= mapped + 2, "{} executable mappings, {mapped} before", code());
    assert!(resident() <= data + 8_192, "{} kB of data, {data} kB before", resident());
}

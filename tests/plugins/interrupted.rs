//! A command that is killed at any of its steps leaves the old state or the new one.

use std::process::{Command, Stdio};

use crate::{
    component::{components, project, variant},
    support::{Project, command::BINARY, optional::not_run},
};

/// What a command does to the disk and to others, in system calls.
const STEPS: &str = "trace=fsync,rename,renameat,renameat2,unlink,unlinkat,connect,execve,linkat";
/// More steps than any command has.
const MOST: usize = 200;

/// Runs a command that the kernel kills at its step of this number; says whether it lived to its end.
fn killed_at(project: &Project, step: usize, arguments: &[&str]) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", STEPS]);
    // The first is the start of the program itself.
    command.arg("-e").arg(format!("inject={}:signal=KILL:when={}", STEPS.trim_start_matches("trace="), step + 1));
    command.arg(BINARY).args(arguments).current_dir(project.root());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// Whether calls can be watched here at all.
fn can_watch() -> bool {
    let ran = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// The digest that the lock file has for `mine`, and that the plugin can be used.
#[track_caller]
fn state(project: &Project) -> Option<String> {
    if !project.path("workflow.lock").exists() {
        return None;
    }
    let lock = project.read("workflow.lock");
    if !lock.contains("[plugins.mine]") {
        return None;
    }
    let inspected = project.run(&["plugin", "inspect", "mine", "--json"]).ok().json();
    let digest = inspected["digest"].as_str().unwrap().to_owned();
    assert!(lock.contains(&digest), "{lock}");
    Some(digest)
}

/// Kills `arguments` at each step on a project that `prepare` makes. Each time the state must be `before` or `after`, and the
/// next command must leave no leftovers.
#[track_caller]
fn at_every_step(prepare: impl Fn() -> Project, arguments: &[&str], before: Option<&str>, after: Option<&str>) {
    let mut seen = (false, false);
    for step in 1..MOST {
        let project = prepare();
        let lived = killed_at(&project, step, arguments);
        let found = state(&project);
        assert!(found.as_deref() == before || found.as_deref() == after, "step {step}: {found:?}");
        assert!(!lived || found.as_deref() == after, "step {step}: it lived and did nothing");
        seen.0 |= found.as_deref() == before;
        seen.1 |= found.as_deref() == after && !lived;
        // The next command clears up: a file for each digest that is named, and no other.
        project.write("last.wasm", variant("last"));
        project.run(&["plugin", "add", "last.wasm"]).ok();
        let digests: std::collections::BTreeSet<String> = project
            .read("workflow.lock")
            .split('"')
            .filter_map(|word| word.strip_prefix("sha256:").map(str::to_owned))
            .collect();
        let named: Vec<String> = digests.iter().map(|hex| format!("{hex}.wasm")).collect();
        assert_eq!(components(&project), named, "step {step}");
        let strange = |names: Vec<String>| names.into_iter().filter(|name| name.contains("-new-")).count();
        assert_eq!(strange(project.names(".")) + strange(project.names(".trackside/plugins")), 0, "step {step}");
        if lived {
            assert!(seen.0 && seen.1, "of {step} steps, none was before or none after the change");
            return;
        }
    }
    panic!("it never came to its end");
}

fn digest(mark: &str) -> String {
    let project = project("mine", "");
    project.write("mine.wasm", variant(mark));
    let added = project.run(&["plugin", "add", "mine.wasm", "--json"]).ok().json();
    added["digest"].as_str().unwrap().to_owned()
}

fn with_one() -> Project {
    let project = project("mine", "");
    project.write("mine.wasm", variant("one"));
    project.run(&["plugin", "add", "mine.wasm"]).ok();
    project.write("mine.wasm", variant("two"));
    project
}

#[test]
fn an_update_that_is_killed_at_any_step_leaves_the_old_version_or_the_new_one() {
    if !can_watch() {
        return not_run("strace", "killing at every step", "strace does not work here");
    }
    let (one, two) = (digest("one"), digest("two"));
    at_every_step(with_one, &["plugin", "add", "mine.wasm"], Some(&one), Some(&two));
}

#[test]
fn a_rollback_or_removal_that_is_killed_at_any_step_is_done_or_not_begun() {
    if !can_watch() {
        return not_run("strace", "killing at every step", "strace does not work here");
    }
    let (one, two) = (digest("one"), digest("two"));
    let with_two = || {
        let project = with_one();
        project.run(&["plugin", "add", "mine.wasm"]).ok();
        project
    };
    at_every_step(with_two, &["plugin", "rollback", "mine"], Some(&two), Some(&one));
    at_every_step(with_one, &["plugin", "remove", "mine"], Some(&one), None);
}

#[test]
fn two_commands_do_not_change_the_plugins_at_the_same_time() {
    let project = with_one();
    let held = std::fs::File::open(project.path(".trackside/plugins/.busy")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    project.run(&["plugin", "add", "mine.wasm"]).exits(3).says(&["TS-0653"]);
    drop(held);
    project.run(&["plugin", "add", "mine.wasm"]).ok();
}

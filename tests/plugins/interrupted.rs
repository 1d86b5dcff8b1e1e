//! A command that is killed at any moment leaves the old state or the new one.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use crate::{
    component::{components, project, variant},
    support::{Project, command::BINARY, optional::not_run},
};

/// What a command does to the disk and to other processes, in system calls; the names differ between processors.
const CALLS: [&str; 4] = ["fsync", "?rename,?renameat,?renameat2", "?unlink,?unlinkat", "?execve"];
/// More calls of a kind than any command makes.
const MOST: usize = 50;

/// Runs a command that the kernel kills at its call of this kind and number, before the call does anything; says whether it
/// lived to its end.
fn killed_at(project: &Project, call: &str, number: usize, arguments: &[&str]) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.arg("-e").arg(format!("inject={call}:signal=KILL:when={number}"));
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

/// Kills `arguments` at each call on a project that `prepare` makes. Each time the state must be `before` or `after`, and the
/// next command must leave no leftovers.
#[track_caller]
fn at_every_call(prepare: impl Fn() -> Project, arguments: &[&str], before: Option<&str>, after: Option<&str>) {
    let mut seen = (false, false);
    for call in CALLS {
        // The first execve starts the command itself.
        let first = if call == "?execve" { 2 } else { 1 };
        let lived = (first..MOST).any(|number| {
            let at = format!("killed at {call} {number}");
            let project = prepare();
            let lived = killed_at(&project, call, number, arguments);
            let found = state(&project);
            assert!(found.as_deref() == before || found.as_deref() == after, "{at}: {found:?}");
            assert!(!lived || found.as_deref() == after, "{at}: it lived and did nothing");
            seen.0 |= found.as_deref() == before;
            seen.1 |= found.as_deref() == after && !lived;
            clears_up(&project, &at);
            lived
        });
        assert!(lived, "it never came to its end");
    }
    assert!(seen.0 && seen.1, "it was not killed on both sides of the change: {seen:?}");
}

/// The next command clears up: there is a file for each digest that the lock file names, and no other.
#[track_caller]
fn clears_up(project: &Project, at: &str) {
    project.write("last.wasm", variant("last"));
    project.run(&["plugin", "add", "last.wasm"]).ok();
    let lock = project.read("workflow.lock");
    let digests: BTreeSet<&str> = lock.split('"').filter_map(|word| word.strip_prefix("sha256:")).collect();
    let named: Vec<String> = digests.iter().map(|hex| format!("{hex}.wasm")).collect();
    assert_eq!(components(project), named, "{at}");
    let unfinished = |names: Vec<String>| names.into_iter().filter(|name| name.contains("-new-")).count();
    assert_eq!(unfinished(project.names(".")) + unfinished(project.names(".trackside/plugins")), 0, "{at}");
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
fn an_update_that_is_killed_at_any_call_leaves_the_old_version_or_the_new_one() {
    if !can_watch() {
        return not_run("strace", "killing at every call", "strace does not work here");
    }
    let (one, two) = (digest("one"), digest("two"));
    at_every_call(with_one, &["plugin", "add", "mine.wasm"], Some(&one), Some(&two));
}

#[test]
fn a_rollback_or_removal_that_is_killed_at_any_call_is_done_or_not_begun() {
    if !can_watch() {
        return not_run("strace", "killing at every call", "strace does not work here");
    }
    let (one, two) = (digest("one"), digest("two"));
    let with_two = || {
        let project = with_one();
        project.run(&["plugin", "add", "mine.wasm"]).ok();
        project
    };
    at_every_call(with_two, &["plugin", "rollback", "mine"], Some(&two), Some(&one));
    at_every_call(with_one, &["plugin", "remove", "mine"], Some(&one), None);
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

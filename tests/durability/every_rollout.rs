//! kill -9 at every call with which rollouts write: a rollout, the alias that it moves and what the journal says of both are there
//! together or not at all, and a promoted definition comes into its file as a whole.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use trackside_facts::{Subject, SubjectEvent};
use trackside_store::{Committer, Durability, Reader};

use crate::{
    every_commit::{MOST, WORKERS, can_watch, copy_of},
    support::{Project, command::binary, optional::not_run, repository, wait_until},
};

/// Calls that change a file or have it on disk.
const CALLS: [&str; 5] = ["?fsync", "?fdatasync", "pwrite64", "?rename", "?renameat"];

const OLD: &str = "version: 1\nname: judge\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n";
const NEW: &str = "version: 1\nname: judge\nsteps:\n  a: { plugin: echo, with: { value: 2 } }\n";

/// A model with two versions, and a workflow with another definition beside it.
fn template() -> Project {
    let project = Project::new();
    project.write("trackside.toml", "[engine]\nprefer = \"rten\"\n");
    let model = std::fs::read(repository::example("pump-watch").join("models/pump-anomaly.onnx")).unwrap();
    for name in ["one", "two"] {
        project.write(&format!("{name}/model.onnx"), &model);
        project.write(&format!("{name}/notes/about.txt"), name);
        project.run(&["model", "add", "pump", name]).ok();
    }
    project.write("workflows/judge.yaml", OLD);
    project.write("next.yaml", NEW);
    project
}

/// What is on disk of rollouts: how each stands, where the champion is, and what the journal says.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    rollouts: Vec<(String, String, bool)>,
    champion: Option<u32>,
    told: BTreeMap<String, Vec<String>>,
}

fn found(project: &Project) -> Found {
    let data = project.path(".trackside");
    drop(Committer::open(&data, Durability::Full).unwrap());
    let reader = Reader::open(&data).unwrap();
    let rollouts = reader.rollouts(10).unwrap();
    let mut told = BTreeMap::new();
    for subject in [Subject::Model("pump".to_owned()), Subject::Workflow("judge".to_owned())] {
        let entries = reader.subject(&subject, 100).unwrap();
        let facts = entries.iter().rev().flat_map(|entry| entry.facts().unwrap());
        let words = facts.filter_map(|fact| match fact {
            SubjectEvent::Rollout { change, .. } => Some(change),
            SubjectEvent::ModelAliasMoved { to, .. } => Some(format!("champion {to:?}")),
            _ => None,
        });
        told.insert(subject.to_string(), words.collect());
    }
    let model = reader.model("pump").unwrap().unwrap();
    Found {
        rollouts: rollouts.into_iter().map(|row| (row.subject, row.status, row.ended_ms.is_some())).collect(),
        champion: model.aliases.iter().find(|row| row.alias == "champion").map(|row| row.version),
        told,
    }
}

/// Runs a command, killed at this call; says whether it lived to its end.
fn lives(project: &Project, arguments: &[&str], call: &str, number: usize) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-o"]).arg(project.path("trace"));
    command.args(["-e", &format!("inject={call}:signal=KILL:when={number}")]);
    command.arg(binary().get_program()).args(arguments).current_dir(project.root());
    command.stdin(Stdio::null()).output().unwrap().status.success()
}

/// Does something with a copy of the template for each call at which something is killed, until nothing is.
fn at_every_call(template: &Project, scene: impl Fn(&Project, &str, usize) -> bool + Sync) -> usize {
    let mut kills = 0;
    for call in CALLS {
        let (next, lived) = (AtomicUsize::new(1), AtomicUsize::new(MOST));
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= lived.load(Ordering::Relaxed) {
                            return;
                        }
                        if scene(&copy_of(template), call, number) {
                            lived.fetch_min(number, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let calls = lived.load(Ordering::Relaxed);
        assert!(calls < MOST, "it never came to its end");
        kills += calls - 1;
    }
    kills
}

fn either_or(template: &Project, arguments: &[&str]) {
    let before = found(template);
    let after = {
        let project = copy_of(template);
        project.run(arguments).ok();
        found(&project)
    };
    assert_ne!(before, after, "{arguments:?} changes nothing");
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let kills = at_every_call(template, |project, call, number| {
        let at = format!("{arguments:?}, killed at {call} {number}");
        let lived = lives(project, arguments, call, number);
        let now = found(project);
        if lived {
            assert_eq!(now, after, "{at}: it said that it was done");
        } else {
            assert!(now == before || now == after, "{at}: something in between: {now:#?}");
            seen.lock().unwrap().insert(now == after);
        }
        lived
    });
    let seen = seen.into_inner().unwrap();
    println!("{arguments:?}: killed at {kills} calls; before and after: {seen:?}");
    assert!(kills > 3 && seen.len() == 2, "{kills} kills, {seen:?}: both sides of the commit are to be seen");
}

#[test]
fn a_command_that_is_killed_at_any_call_leaves_a_rollout_as_it_was_or_as_it_is_to_be() {
    if !can_watch() {
        return not_run("strace", "killing at every call of a rollout", "strace does not work here");
    }
    let template = template();
    either_or(&template, &["rollout", "start", "pump", "--candidate", "2"]);
    template.run(&["rollout", "start", "pump", "--candidate", "2"]).ok();
    either_or(&template, &["rollout", "hold", "pump"]);
    either_or(&template, &["rollout", "promote", "pump"]);
    either_or(&template, &["rollout", "abort", "pump"]);
}

#[test]
fn a_node_that_is_killed_at_any_call_puts_a_promoted_definition_in_place_in_the_end() {
    if !can_watch() {
        return not_run("strace", "killing a node at every call of a promotion", "strace does not work here");
    }
    let template = template();
    template.run(&["rollout", "start", "--workflow", "judge", "--candidate", "next.yaml"]).ok();
    template.run(&["rollout", "promote", "workflow/judge"]).ok();
    let is_over = |project: &Project| {
        let reader = Reader::open(&project.path(".trackside")).ok();
        reader.is_some_and(|reader| reader.rollouts(1).is_ok_and(|rows| rows[0].ended_ms.is_some()))
    };
    let files = Mutex::new(std::collections::BTreeSet::new());
    let kills = at_every_call(&template, |project, call, number| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-o"]).arg(project.path("trace"));
        command.args(["-e", &format!("inject={call}:signal=KILL:when={number}")]);
        let pid = project.path("pid");
        command.args(["sh", "-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(&pid);
        command.arg(binary().get_program()).args(["serve", "--project"]).arg(project.root());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut strace = command.spawn().unwrap();
        let lived = wait_until("a kill, or the end of the rollout", || match strace.try_wait().unwrap() {
            Some(_) => Some(false),
            None => is_over(project).then_some(true),
        });
        if lived {
            let pid: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
            let process = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
            strace.wait().unwrap();
        }
        let at = format!("killed at {call} {number}");
        let file = project.read("workflows/judge.yaml");
        assert!(file == OLD || file == NEW, "{at}: half a file: {file:?}");
        files.lock().unwrap().insert(file == NEW);
        // The next one does what is left to do.
        let node = project.serve();
        wait_until("it is in place", || is_over(project).then_some(()));
        assert_eq!(project.read("workflows/judge.yaml"), NEW, "{at}");
        drop(node);
        let now = found(project);
        assert_eq!(now.rollouts, [("workflow/judge".to_owned(), "promoted".to_owned(), true)], "{at}");
        assert_eq!(now.told["workflow/judge"], ["started", "promoted", "in-place"], "{at}");
        lived
    });
    println!("a node killed at {kills} calls while a definition is put in place");
    assert!(kills > 5 && files.into_inner().unwrap().len() == 2, "{kills} kills");
}

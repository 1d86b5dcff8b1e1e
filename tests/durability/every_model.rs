//! kill -9 at every call with which the registry of models writes: a version, an alias, a removal is there whole or not at all, no
//! folder without its row, no row without its folder, and the journal says what the tables say.
//!
//! strace kills the command at its call number K of a kind, before the call does anything; K goes from 1 until the command lives.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use trackside_models::package::Shelf;
use trackside_store::{Committer, Durability, Reader};

use crate::{
    at_call::{FLUSH, WRITE, Watched},
    every_commit::{MOST, WORKERS, can_watch, copy_of},
    support::{Project, command::binary, optional::not_run, repository},
};

/// Every kind of call that changes a file or has it on disk. strace counts each call for itself: of two that were named together the
/// second would be reached only behind all of the first.
const CALLS: [&str; 13] = [
    "?fsync",
    "?fdatasync",
    "pwrite64",
    "?rename",
    "?renameat",
    "?renameat2",
    "?mkdir",
    "?mkdirat",
    "?unlink",
    "?unlinkat",
    "?rmdir",
    "?fchmod",
    "?chmod",
];

/// Two versions, of which the second has no alias, and another name for the first.
fn template() -> Project {
    let project = Project::new();
    project.write("trackside.toml", "[engine]\nprefer = \"rten\"\n");
    let model = std::fs::read(repository::example("pump-watch").join("models/pump-anomaly.onnx")).unwrap();
    project.write("one/model.onnx", &model);
    for name in ["two", "three"] {
        project.write(&format!("{name}/model.onnx"), &model);
        project.write(&format!("{name}/notes/about.txt"), name);
    }
    project.run(&["model", "add", "pump", "one"]).ok();
    project.run(&["model", "add", "pump", "two"]).ok();
    project.run(&["model", "add", "fan", "one"]).ok();
    project
}

/// All that the registry is: versions and aliases of each model.
type Registry = BTreeMap<String, (Vec<u32>, BTreeMap<String, u32>)>;

/// Opens the data folder as the next process does, checks what must hold of any registry, and tells what it is.
fn registry(project: &Project, at: &str) -> Registry {
    let data = project.path(".trackside");
    drop(Committer::open(&data, Durability::Full).unwrap());
    let reader = Reader::open(&data).unwrap();
    let (mut registry, mut folders) = (Registry::new(), BTreeSet::new());
    for model in reader.models().unwrap() {
        assert!(model.damaged.is_empty(), "{at}: {model:?}");
        for version in &model.versions {
            let shelf = Shelf::of(&data);
            let kept = shelf.open(&version.digest).unwrap_or_else(|error| panic!("{at}: {error}"));
            kept.verify().unwrap_or_else(|error| panic!("{at}: {error}"));
            assert_eq!(kept.manifest.bytes(), version.bytes, "{at}");
            assert!(version.tested.is_some(), "{at}: a version without its test");
            folders.insert(kept.folder.file_name().unwrap().to_str().unwrap().to_owned());
        }
        let versions: Vec<u32> = model.versions.iter().map(|version| version.version).collect();
        let aliases: BTreeMap<String, u32> = model.aliases.iter().map(|row| (row.alias.clone(), row.version)).collect();
        let told = reader.model_at(&model.name, i64::MAX).unwrap().unwrap();
        assert_eq!(told.versions.into_iter().collect::<Vec<_>>(), versions, "{at}: the journal says otherwise");
        let told: BTreeMap<String, u32> = told.aliases.into_iter().map(|(alias, at)| (alias, at.version)).collect();
        assert_eq!(told, aliases, "{at}: the journal says otherwise");
        registry.insert(model.name, (versions, aliases));
    }
    let there: BTreeSet<String> = project.names(".trackside/models").into_iter().collect();
    assert_eq!(there, folders, "{at}: folders and rows");
    registry
}

/// Runs a command, killed at this call; says whether it lived to its end.
fn lives(project: &Project, arguments: &[&str], call: &str, number: usize) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-o"]).arg(project.path("trace"));
    command.args(["-e", &format!("inject={call}:signal=KILL:when={number}")]);
    command.arg(binary().get_program()).args(arguments).current_dir(project.root());
    command.stdin(Stdio::null()).output().unwrap().status.success()
}

/// Kills a command at every call; what is left must be the registry of before or the one of after.
fn either_or(template: &Project, arguments: &[&str]) {
    let before = registry(template, "before");
    let after = {
        let project = copy_of(template);
        project.run(arguments).ok();
        registry(&project, "after")
    };
    assert_ne!(before, after, "{arguments:?} changes nothing");
    let (mut kills, seen) = (0, Mutex::new(BTreeSet::new()));
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
                        let project = copy_of(template);
                        let at = format!("{arguments:?}, killed at {call} {number}");
                        if lives(&project, arguments, call, number) {
                            lived.fetch_min(number, Ordering::Relaxed);
                            assert_eq!(registry(&project, &at), after, "{at}: it said that it was done");
                            continue;
                        }
                        let found = registry(&project, &at);
                        assert!(found == before || found == after, "{at}: something in between: {found:#?}");
                        seen.lock().unwrap().insert(found == after);
                        // And it can be done again.
                        project.run(arguments);
                        let again = registry(&project, &at);
                        assert_eq!(again, after, "{at}: the second time");
                    }
                });
            }
        });
        let calls = lived.load(Ordering::Relaxed);
        assert!(calls < MOST, "it never came to its end");
        kills += calls - 1;
    }
    let seen = seen.into_inner().unwrap();
    println!("{arguments:?}: killed at {kills} calls; before and after: {seen:?}");
    assert!(kills > 5 && seen.len() == 2, "{kills} kills, {seen:?}: both sides of the commit are to be seen");
}

#[test]
fn a_command_that_is_killed_at_any_call_leaves_the_registry_of_before_or_of_after() {
    if !can_watch() {
        return not_run("strace", "killing at every call of the registry", "strace does not work here");
    }
    let template = template();
    either_or(&template, &["model", "add", "pump", "three", "--alias", "candidate"]);
    either_or(&template, &["model", "alias", "pump", "champion", "2"]);
    either_or(&template, &["model", "remove", "pump@2"]);
}

#[test]
fn a_node_that_is_killed_at_any_commit_has_said_nothing_that_is_not_so() {
    if !can_watch() {
        return not_run("strace", "killing a node at every commit of the registry", "strace does not work here");
    }
    let template = template();
    let steps: [&[&str]; 4] = [
        &["model", "add", "pump", "three", "--alias", "candidate"],
        &["model", "alias", "pump", "champion", "3"],
        &["model", "rollback", "pump"],
        &["model", "remove", "pump@2"],
    ];
    // What the registry is after so many of them.
    let mut states = vec![registry(&template, "before")];
    let project = copy_of(&template);
    for step in steps {
        project.run(step).ok();
        states.push(registry(&project, "step by step"));
    }
    for call in [WRITE, FLUSH] {
        let mut seen = BTreeSet::new();
        for number in 1.. {
            assert!(number < MOST, "it never came to its end");
            let project = copy_of(&template);
            let node = Watched::killed_at(&project, (call, number));
            let socket = project.path(".trackside/trackside.sock");
            let mut done = 0;
            let lived = node.lived(|| {
                if !socket.exists() {
                    return false;
                }
                done += steps[done..].iter().take_while(|step| project.run(step).code() == 0).count();
                done == steps.len()
            });
            let at = format!("killed at {call} {number}, {done} done");
            let found = registry(&project, &at);
            // What was said is so; what was asked for and not answered may be so.
            let which = (done..=done + 1).find(|which| states.get(*which) == Some(&found));
            let which = which.unwrap_or_else(|| panic!("{at}: that is not what was said: {found:#?}"));
            seen.insert(which);
            if lived {
                break;
            }
        }
        println!("a node killed at {call}: {seen:?}");
        assert!(seen.len() > 2, "{seen:?}");
    }
}

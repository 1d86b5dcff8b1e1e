//! kill -9 at every commit of a node that removes what is not kept: what is under way and what is newest stays with its
//! artifacts, nothing is counted twice or not at all, and in the end what is kept is what the rules say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
};

use serde_json::{Value, json};
use trackside_engine::Event;
use trackside_spec::Digest;
use trackside_store::{LARGEST_SMALL, Reader, RunFilter};

use crate::{
    at_call::{Call, Watched, at_each, telling},
    every_commit::{WORKERS, can_watch, copy_of, journals},
    support::{Project, node::ask, optional::not_run, wait_until},
};

/// Runs of each workflow before the scene. Nobody has removed anything yet.
const BEFORE: usize = 4;
/// How many of each are kept in the end: of one workflow by number, of the other by bytes, which leave the newest.
const KEPT: [(&str, usize); 2] = [("some", 2), ("large", 1)];
/// What the run that is under way has made, in bytes.
const UNDER_WAY: usize = 9;

fn template() -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    project.write("trackside.toml", "[node]\nname = \"test\"\nmax_steps = 1\n[retention]\nruns = 2\n");
    let make = "params: { n: { type: integer, default: 0 } }\nsteps:\n  make: { plugin: misbehave, with: { mode: write, n: \
                \"${params.n}\" } }\n";
    project.workflow("some", make);
    project.workflow("large", &format!("retention: {{ bytes: 1B }}\n{make}"));
    project.workflow("asks", &format!("{make}  go: {{ needs: [make], approval: {{ message: \"go?\" }} }}\n"));
    for number in 0..BEFORE {
        for (workflow, _) in KEPT {
            project.run(&["run", workflow, "-p", &format!("n={}", size(workflow, number)), "--quiet"]).ok();
        }
    }
    let node = project.serve();
    let body = json!({ "workflow": "asks", "params": { "n": UNDER_WAY } }).to_string();
    assert_eq!(node.ask("POST", "/v1/runs", &body).0, 202);
    wait_until("a run that waits for a decision", || {
        project.run(&["runs", "list", "--waiting"]).ok().stdout.contains("asks").then_some(())
    });
    node.kill();
    project
}

/// Every run makes an artifact of a size of its own: of one workflow they stand in the database, of the other they are files.
fn size(workflow: &str, number: usize) -> usize {
    number + if workflow == "some" { 100 } else { LARGEST_SMALL + 1 }
}

/// Runs on disk by workflow, oldest first, each with the size of what it makes.
fn on_disk(reader: &Reader) -> BTreeMap<String, Vec<usize>> {
    let mut all: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in reader.runs(&RunFilter { limit: 100, ..RunFilter::default() }).unwrap().into_iter().rev() {
        let journal = reader.journal(row.run).unwrap();
        let first: Vec<Event> = journal[0].events().unwrap();
        let Some(Event::Started { params, .. }) = first.into_iter().next() else {
            panic!("a run begins with its start")
        };
        all.entry(row.workflow).or_default().push(usize::try_from(params["n"].as_u64().unwrap()).unwrap());
    }
    all
}

/// The digits of what runs make.
fn made(sizes: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    sizes.into_iter().map(|size| Digest::of(&vec![b'x'; size]).hex().to_string()).collect()
}

/// Another run of each workflow, and after each a removal, until the node is gone. Gives the runs that it has accepted.
fn go_on(project: &Project) -> Vec<(&'static str, usize)> {
    let mut accepted = Vec::new();
    let reader = Reader::open(&project.path(".trackside")).unwrap();
    let asked = |path: &str, body: &str| ask(project.root(), "POST", path, body).is_ok_and(|(status, _)| status < 300);
    for (workflow, _) in KEPT {
        let number = size(workflow, BEFORE);
        let body = json!({ "workflow": workflow, "params": { "n": number } }).to_string();
        if !asked("/v1/runs", &body) {
            break;
        }
        accepted.push((workflow, number));
        let is_there = || project.path("gone").exists() || journals(&reader).1 + 1 == journals(&reader).0.len();
        wait_until("the end of a run, or of the node", || is_there().then_some(()));
        if !asked("/v1/prune", "") {
            break;
        }
    }
    accepted
}

/// The scene. Gives whether the node lived to its end, and what it has accepted.
fn play(project: &Project, start: impl FnOnce(&Project) -> Watched) -> (bool, Vec<(&'static str, usize)>) {
    let socket = project.path(".trackside/trackside.sock");
    let _ = fs::remove_file(&socket);
    let node = start(project);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            wait_until("a node, or its end", || (socket.exists() || project.path("gone").exists()).then_some(()));
            go_on(project)
        });
        let lived = node.lived(|| client.is_finished());
        project.write("gone", "");
        (lived, client.join().unwrap())
    })
}

/// Plays it, killed at this call, and lets a node go on. Gives what was on disk.
fn killed_at(template: &Project, call: Call) -> BTreeMap<String, Vec<usize>> {
    let project = copy_of(template);
    let (_, accepted) = play(&project, |project| Watched::killed_at(project, call));
    let at = format!("killed at {call:?}");
    let before = on_disk(&Reader::open(&project.path(".trackside")).unwrap());
    assert_eq!(before["asks"], [UNDER_WAY], "{at}: a run that is under way was removed");
    for (workflow, number) in &accepted {
        assert!(before[*workflow].contains(number), "{at}: an accepted run of `{workflow}` is not there: {before:?}");
    }
    let all = |workflow: &str| -> Vec<usize> {
        let came = before[workflow].contains(&size(workflow, BEFORE));
        (0..BEFORE + usize::from(came)).map(|number| size(workflow, number)).collect()
    };
    for (workflow, least) in KEPT {
        let (all, kept) = (all(workflow), &before[workflow]);
        assert!(
            all.ends_with(kept) && kept.len() >= least,
            "{at}: not the oldest of `{workflow}` went: {kept:?} of {all:?}"
        );
    }
    let missing: Vec<_> = made(ended(&before)).difference(&project.artifacts()).cloned().collect();
    assert!(missing.is_empty(), "{at}: runs are kept whose artifacts went: {missing:?} of {before:?}");

    let node = project.serve();
    let reader = Reader::open(&project.path(".trackside")).unwrap();
    wait_until(&format!("{at}: only one run is under way"), || {
        let (runs, ended) = journals(&reader);
        (ended + 1 == runs.len()).then_some(())
    });
    assert_eq!(node.ask("POST", "/v1/prune", "").0, 200, "{at}");
    let after = on_disk(&reader);
    let mut kept = BTreeMap::from([("asks".to_owned(), vec![UNDER_WAY])]);
    for (workflow, number) in KEPT {
        let all = all(workflow);
        kept.insert(workflow.to_owned(), all[all.len() - number..].to_vec());
    }
    assert_eq!(after, kept, "{at}: what is kept is not what the rules say");
    // A file is flushed before the commit of what names it: of a run that came to nothing it stays for an hour.
    let mut left = project.artifacts();
    if !before["large"].contains(&size("large", BEFORE)) {
        left.retain(|file| !made([size("large", BEFORE)]).contains(file));
    }
    assert_eq!(left, made(kept.into_values().flatten()), "{at}: artifacts of the runs that are kept");
    let preview = project.run(&["prune", "--dry-run", "--json"]).ok().json();
    assert_eq!(preview["would_go"], json!([]), "{at}: {preview}");
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
    check_usage(&project, &all, &at);
    // What is under way goes on to its end.
    let waiting = project.run(&["runs", "list", "--waiting", "--json"]).ok().json();
    let run = waiting[0]["run"].as_str().unwrap();
    project.run(&["approve", run, "go"]).ok();
    assert_eq!(project.wait_end(run)["state"], "succeeded", "{at}");
    node.kill();
    before
}

/// Those of which nobody has to make an artifact any more.
fn ended(runs: &BTreeMap<String, Vec<usize>>) -> impl Iterator<Item = usize> {
    let new = KEPT.map(|(workflow, _)| size(workflow, BEFORE));
    runs.values().flatten().copied().filter(move |size| !new.contains(size))
}

/// Every run that there ever was counts once, also those that are gone.
fn check_usage(project: &Project, all: &dyn Fn(&str) -> Vec<usize>, at: &str) {
    let usage = project.run(&["usage", "--json"]).ok().json();
    let of = |list: &str, workflow: &str, key: &str| -> u64 {
        let rows = usage[list].as_array().unwrap().iter().filter(|row| row["workflow"] == workflow);
        rows.filter_map(|row: &Value| row[key].as_u64()).sum()
    };
    for (workflow, kept) in KEPT {
        let runs = all(workflow).len() as u64;
        let counted = ["runs", "succeeded"].map(|key| of("days", workflow, key));
        assert_eq!(counted, [runs; 2], "{at}: usage of `{workflow}`: {usage:#}");
        assert_eq!(of("held", workflow, "runs"), kept as u64, "{at}: {usage:#}");
    }
}

#[test]
fn nothing_newest_or_under_way_is_removed_and_all_is_counted_wherever_the_node_is_killed() {
    if !can_watch() {
        return not_run("strace", "killing at every commit of a node that removes", "strace does not work here");
    }
    let template = template();
    let noted = copy_of(&template);
    assert!(play(&noted, Watched::noted).0, "nothing is killed there");
    let calls = telling(&noted);
    let kills = calls.len();
    let stages: Vec<&Project> = [&template; WORKERS].into();
    let levels = at_each(&stages, calls, |stage, call| killed_at(stage, call));
    println!("killed at {kills} calls; runs on disk: {levels:?}");
    // Before anything was removed, in between, and after all of it.
    let left: BTreeSet<usize> =
        levels.iter().map(|runs| KEPT.iter().map(|(workflow, _)| runs[*workflow].len()).sum()).collect();
    assert!(left.contains(&(2 * BEFORE)) && left.contains(&3) && left.len() > 2, "{levels:?}");
}

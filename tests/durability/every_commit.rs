//! kill -9 at every commit: before it, in the middle of it, and after it, before anybody has heard of it.
//!
//! strace counts what the writer thread does to SQLite's log and kills the process at its call number K, before the call does
//! anything. A commit is some writes to the log and one flush. Killed at a write, the commit is not there, or a part of it
//! is, which is the same to SQLite; at the first one everything of the commit before has happened, told and carried out. Killed
//! at the flush, all is written: what a killed process has written stays, and no thread has been told. (That what was flushed
//! stays when the power goes is the disk's part.) K goes from 1 until the process lives.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Output, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use trackside_engine::{Event, RunId};
use trackside_store::{Reader, RunFilter};

use crate::support::{Project, command::binary, optional::not_run, wait_until, web::Web};

/// More calls of a kind than the scene makes.
pub const MOST: usize = 400;
/// Scenes at the same time.
pub const WORKERS: usize = 3;

/// Everything whose parts must stay together: items, another run, state, a call, a delivery.
fn scene(web: &Web) -> Project {
    let project = Project::new();
    let origin = web.origin();
    // One attempt at a time: as few things as possible share a commit.
    project.write("trackside.toml", "[node]\nname = \"test\"\nmax_steps = 1\n");
    project.misbehave("misbehave");
    project.workflow(
        "leaf",
        "params: { n: { type: integer, default: 0 } }\noutputs: { n: \"${params.n}\" }\n\
         steps:\n  work: { plugin: echo, with: { value: \"${params.n}\" } }\n",
    );
    project.workflow(
        "scene",
        &format!(
            "steps:\n  first: {{ plugin: echo, with: {{ value: 1 }} }}\n  \
             each: {{ needs: [first], foreach: [1, 2, 3], plugin: echo, with: {{ value: \"${{item}}\" }} }}\n  \
             child: {{ needs: [each], workflow: leaf, params: {{ n: 7 }} }}\n  \
             count: {{ needs: [child], plugin: misbehave, with: {{ mode: count }}, allow: {{ state: true }} }}\n  \
             call:\n    needs: [count]\n    plugin: http-request\n    with: {{ url: \"{origin}/call\", method: POST, body: {{ n: 1 }} }}\n    \
             allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n  \
             keep:\n    needs: [call]\n    plugin: deliver-file\n    with: {{ json: \"${{steps.count}}\", to: \"out/${{run.id}}.json\" }}\n    \
             allow: {{ deliver: [out] }}\n  \
             last: {{ needs: [keep], plugin: misbehave, with: {{ mode: count }}, allow: {{ state: true }} }}\n"
        ),
    );
    project
}

/// A scene that has been played once: the store is there, everything is compiled, and the counter stands at two.
pub fn template(web: &Web) -> Project {
    let project = scene(web);
    project.run(&["run", "scene", "--quiet"]).ok();
    project
}

pub fn copy_of(template: &Project) -> Project {
    let project = Project::new();
    let copied = Command::new("cp").arg("-aT").arg(template.root()).arg(project.root()).status().unwrap();
    assert!(copied.success());
    project
}

/// Plays the scene. Something happens at calls of this kind to SQLite's log: what, and at which of them, in strace's words. The
/// calls are noted in the file `trace`.
pub fn play(project: &Project, call: &str, happens: &str) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={call}"), "-o"]).arg(project.path("trace"));
    command.arg("-P").arg(project.path(".trackside/trackside.db-wal"));
    command.arg("-e").arg(format!("inject={call}:{happens}"));
    command.arg(binary().get_program()).args(["run", "scene", "--quiet"]).current_dir(project.root());
    command.stdin(Stdio::null()).output().unwrap()
}

/// Plays the scene, killed at this call; says whether it lived to its end.
fn killed_at(project: &Project, call: &str, number: usize) -> bool {
    play(project, call, &format!("signal=KILL:when={number}")).status.success()
}

pub fn can_watch() -> bool {
    let ran = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

pub type Journals = BTreeMap<RunId, Vec<Event>>;

/// What is on disk of all runs, and how many of them have ended.
pub fn journals(reader: &Reader) -> (Journals, usize) {
    let rows = reader.runs(&RunFilter { limit: 100, ..RunFilter::default() }).unwrap();
    let ended = rows.iter().filter(|row| row.ended_ms.is_some()).count();
    let journal = |run| {
        let rows = reader.journal(run).unwrap();
        rows.iter().flat_map(|row| row.events().unwrap()).collect()
    };
    (rows.iter().map(|row| (row.run, journal(row.run))).collect(), ended)
}

/// A step or one of its items that ends with this event.
fn end_of(event: &Event) -> Option<(u16, Option<u32>)> {
    match event {
        Event::StepSucceeded { step, item, .. } => Some((step.0, *item)),
        Event::StepCollected { step, .. } => Some((step.0, None)),
        Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepCancelled { .. }
        | Event::StepBlocked { .. } => {
            panic!("nothing fails in this scene: {event:?}")
        }
        _ => None,
    }
}

/// Lets a node go on with what the kill left and checks the promise. Gives how many events were on disk.
pub fn goes_on(project: &Project, old: &Journals, at: &str) -> usize {
    let reader = Reader::open(&project.path(".trackside")).unwrap();
    let (before, _) = journals(&reader);
    let new_before: usize =
        before.iter().filter(|(run, _)| !old.contains_key(run)).map(|(_, events)| events.len()).sum();
    let node = project.serve();
    wait_until(&format!("{at}: everything has ended"), || {
        let (runs, ended) = journals(&reader);
        // In this order: what is staged comes before the end, and what is carried out after it.
        (ended == runs.len() && reader.outbox(0, 1).unwrap().is_empty()).then_some(())
    });
    let (after, _) = journals(&reader);
    node.kill();
    // A run that is on disk goes on, one that is not was never accepted. The child has its run, once.
    let roots = after.iter().filter(|(run, _)| before.contains_key(run) || old.contains_key(run)).count();
    let scenes = after.values().filter(|events| has_parent(events) == Some(false)).count();
    let children = after.values().filter(|events| has_parent(events) == Some(true)).count();
    assert_eq!(scenes, children, "{at}: each scene has one child: {after:#?}");
    assert!(roots >= before.len(), "{at}: a run was lost");
    for (run, events) in &before {
        assert!(after[run].starts_with(events), "{at}: what was on disk is not there any more: {run}");
    }
    for (run, events) in &after {
        let kept = before.get(run).map_or(0, Vec::len);
        let finished: BTreeSet<_> = events[..kept].iter().filter_map(end_of).collect();
        for event in &events[kept..] {
            if let Event::StepStarted { step, item, .. } = event {
                assert!(!finished.contains(&(step.0, *item)), "{at}: a finished step is run again: {run} {event:?}");
            }
        }
        let ends: Vec<_> = events.iter().filter_map(end_of).collect();
        let once: BTreeSet<_> = ends.iter().collect();
        assert_eq!(ends.len(), once.len(), "{at}: a result is there twice: {run} {events:#?}");
    }
    check_effects(project, &after, at);
    new_before
}

/// Whether this is the journal of a child.
fn has_parent(events: &[Event]) -> Option<bool> {
    match events.first() {
        Some(Event::Started { parent, .. }) => Some(parent.is_some()),
        _ => None,
    }
}

/// State counts each scene twice; every scene has delivered its file, whole, and nothing else lies there.
fn check_effects(project: &Project, after: &Journals, at: &str) {
    let (mut counts, mut files) = (Vec::new(), BTreeSet::new());
    for (run, events) in after.iter().filter(|(_, events)| has_parent(events) == Some(false)) {
        let own: Vec<u64> = events
            .iter()
            .filter_map(|event| match event {
                Event::StepSucceeded { output, .. } => output["count"].as_u64(),
                _ => None,
            })
            .collect();
        let file = format!("{run}.json");
        let text = project.read(&format!("out/{file}"));
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(kept["count"].as_u64(), own.first().copied(), "{at}: what was delivered is not the step's output");
        files.insert(file);
        counts.extend(own);
        let delivered = events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
        assert_eq!(delivered, 1, "{at}: {events:#?}");
    }
    counts.sort_unstable();
    let expected: Vec<u64> = (1..=files.len() as u64 * 2).collect();
    assert_eq!(counts, expected, "{at}: state was lost or kept twice");
    assert_eq!(project.names("out").into_iter().collect::<BTreeSet<_>>(), files, "{at}: deliveries");
    project.run(&["artifact", "verify"]).ok();
}

#[test]
fn a_run_that_is_killed_before_in_or_after_any_commit_goes_on_from_its_last_finished_step() {
    if !can_watch() {
        return not_run("strace", "killing at every commit", "strace does not work here");
    }
    let web = Web::start();
    let template = template(&web);
    let (old, _) = journals(&Reader::open(&template.path(".trackside")).unwrap());
    let whole: usize = {
        let project = copy_of(&template);
        assert!(killed_at(&project, "?fsync,?fdatasync", MOST), "nothing is killed there");
        goes_on(&project, &old, "not killed")
    };
    for call in ["?fsync,?fdatasync", "pwrite64"] {
        let (next, levels, lived) = (AtomicUsize::new(1), Mutex::new(BTreeSet::new()), AtomicUsize::new(MOST));
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= lived.load(Ordering::Relaxed) {
                            return;
                        }
                        let project = copy_of(&template);
                        if killed_at(&project, call, number) {
                            lived.fetch_min(number, Ordering::Relaxed);
                        }
                        let level = goes_on(&project, &old, &format!("killed at {call} {number}"));
                        levels.lock().unwrap().insert(level);
                    }
                });
            }
        });
        let (calls, levels) = (lived.load(Ordering::Relaxed) - 1, levels.into_inner().unwrap());
        assert!(calls < MOST - 1, "it never came to its end");
        println!("killed at {calls} calls of {call}; events on disk: {levels:?} of {whole}");
        // From before the first commit to after the last one, and at most of those in between.
        assert!(levels.contains(&whole) && levels.len() > 3, "{levels:?} of {whole}");
        assert!(call != "pwrite64" || levels.contains(&0), "it was never killed before its first commit: {levels:?}");
    }
    let mut requests: BTreeMap<String, usize> = BTreeMap::new();
    for request in web.requests("/call") {
        *requests.entry(request.key.expect("an effect has a key")).or_default() += 1;
    }
    assert!(requests.values().all(|times| *times <= 2), "an effect was repeated that was not in flight: {requests:?}");
}

//! kill -9 at every commit of a node that polls: what has changed at the server starts its run, once, and what the trigger
//! remembers is on disk together with that run.

use std::path::Path;

use serde_json::{Value, json};
use trackside_facts::PollState;
use trackside_store::Reader;

use crate::{
    at_call::{Call, Watched, at_each, telling},
    every_commit::{WORKERS, can_watch, copy_of, journals},
    support::{
        Project,
        optional::not_run,
        polled::{Answer, Polled},
        wait_until,
    },
};

const TRIGGER: &str = "watch/poll-0";

/// What the server gives: with a name for each version, or only the bytes.
fn version(n: u32, named: bool) -> Answer {
    let answer = Answer::ok(&n.to_string());
    if named { answer.with("ETag", &format!("\"v{n}\"")) } else { answer }
}

/// A server, and a project that has had a run for its first version.
struct Stage {
    server: Polled,
    named: bool,
    template: Project,
}

impl Stage {
    fn new(named: bool) -> Self {
        let server = Polled::start(version(1, named));
        let template = Project::new();
        template.misbehave("misbehave");
        // The last step starts when all before it is on disk: there is a commit with the run under way, however few there are.
        template.workflow(
            "watch",
            &format!(
                "triggers:\n  - poll: {{ url: \"{}/state\", every: 1s, private: true }}\nsteps:\n  look: {{ plugin: echo, with: \
                 {{ value: [\"${{trigger.payload}}\", \"${{trigger.previous}}\"] }} }}\n  count: {{ plugin: misbehave, needs: [look], \
                 with: {{ mode: count }}, allow: {{ state: true }} }}\n",
                server.origin()
            ),
        );
        let node = template.serve();
        template.wait_runs(1);
        node.kill();
        Self { server, named, template }
    }

    /// A node finds the second version and lives until that has had its run, or is killed before.
    fn play(&self, start: impl FnOnce(&Project) -> Watched) -> Project {
        let project = copy_of(&self.template);
        let reader = Reader::open(&project.path(".trackside")).unwrap();
        self.server.set(version(2, self.named));
        start(&project).lived(|| ended(&reader) == 2);
        project
    }
}

fn ended(reader: &Reader) -> usize {
    journals(reader).1
}

/// What a trigger remembers on disk.
fn remembered(data: &Path) -> PollState {
    let text = Reader::open(data).unwrap().trigger_state(TRIGGER, PollState::KEY).unwrap();
    text.and_then(|text| PollState::read(&text)).expect("the first version is remembered")
}

/// What the runs were given, oldest first: the payload, and the version before it.
fn given(project: &Project, runs: usize) -> Vec<(Value, Value)> {
    let runs = project.wait_runs(runs);
    let of = |run: &Value| project.show(run["run"].as_str().unwrap())["outputs"]["look"]["value"].clone();
    runs.iter().map(of).map(|value| (value[0].clone(), value[1].clone())).collect()
}

/// Plays it, killed at this call, and lets a node go on. Gives how many runs were on disk and how many had ended.
fn killed_at(stage: &Stage, call: Call) -> (usize, usize) {
    let project = stage.play(|project| Watched::killed_at(project, call));
    let at = format!("killed at {call:?}");
    let data = project.path(".trackside");
    let (before, had_ended) = journals(&Reader::open(&data).unwrap());
    let known = remembered(&data);
    assert_eq!(known.changes, before.len() as u64, "{at}: what is remembered is on disk with its run: {known:?}");
    let asked = stage.server.asked().len();
    let node = project.serve();
    given(&project, 2);
    // The first thing that is asked is whether it still is what is remembered.
    let condition = format!("if-none-match: \"v{}\"", before.len());
    let first = wait_until(&format!("{at}: a look"), || stage.server.asked().get(asked).cloned());
    assert_eq!(first.contains(&condition), stage.named, "{at}: {condition}: {first}");
    stage.server.set(version(3, stage.named));
    let given = given(&project, 3);
    node.kill();
    let state = remembered(&data);
    assert_eq!((state.changes, state.etag.as_deref()), (3, stage.named.then_some("\"v3\"")), "{at}: {state:?}");
    assert_eq!(given.iter().map(|(payload, _)| payload.clone()).collect::<Vec<_>>(), [1, 2, 3], "{at}");
    assert_eq!(given.iter().filter(|(_, previous)| previous.is_null()).count(), 1, "{at}: {given:?}");
    assert_ne!(given[1].1, given[2].1, "{at}: each names the version before it: {given:?}");
    let told = project.run(&["explain", TRIGGER, "--json"]).ok().json();
    let decisions = told["triggers"][0]["decisions"].as_array().unwrap();
    let decided: Vec<&Value> = decisions.iter().map(|row| &row["decision"]).collect();
    assert_eq!(decided, [&json!("started"); 3], "{at}: {told:#}");
    (before.len(), had_ended)
}

#[test]
fn a_polled_change_has_its_run_once_wherever_the_node_is_killed() {
    if !can_watch() {
        return not_run("strace", "killing at every commit of a node that polls", "strace does not work here");
    }
    for named in [true, false] {
        let stages: Vec<Stage> = (0..WORKERS).map(|_| Stage::new(named)).collect();
        let calls = telling(&stages[0].play(Watched::noted));
        let kills = calls.len();
        let levels = at_each(&stages, calls, killed_at);
        println!("killed at {kills} calls; runs on disk, and ended: {levels:?}");
        // Before the change is known, when its run is on disk, and when that has ended.
        for level in [(1, 1), (2, 1), (2, 2)] {
            assert!(levels.contains(&level), "no kill came at {level:?}: {levels:?}");
        }
    }
}

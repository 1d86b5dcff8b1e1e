//! kill -9 at moments that nobody chose, with a witness outside.
//!
//! `TRACKSIDE_TEST_KILLS=N` kills N times (30 when it is not set), in lanes of at most 200 on a project of their own;
//! `TRACKSIDE_TEST_SEED` repeats a failure as far as timing allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::{
    journal::times,
    support::{Node, Project, wait::let_pass, wait_until, web::Web},
};

const KILLS: usize = 30;
/// Kills before everything is looked at.
const LANE: usize = 200;
/// Files dropped for each kill.
const FILES: usize = 3;
/// The latest moment of a kill, in microseconds after the start.
const LATEST: u64 = 500_000;

/// Random numbers after Marsaglia (xorshift64).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = env::var("TRACKSIDE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        let seed = given.unwrap_or(u64::from(now) | 1);
        eprintln!("TRACKSIDE_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Every file is told to the witness three times (once by a step, once for each of two items), counts one up in the
/// workflow's state, and is delivered under its own name.
fn project(web: &Web) -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    let origin = web.origin();
    let call = |path: &str| {
        format!(
            "plugin: http-request\n    with: {{ url: \"{origin}/${{trigger.file.name}}{path}\", method: POST, body: {{ n: 1 }} }}\n    \
             allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n"
        )
    };
    project.workflow(
        "intake",
        &format!(
            "triggers:\n  - file: {{ path: inbox, glob: \"*.txt\", settle: 100ms }}\n\
             steps:\n  look: {{ plugin: echo, with: {{ value: \"${{trigger.file.name}}\" }} }}\n  \
             tell:\n    needs: [look]\n    {}  each:\n    needs: [tell]\n    foreach: [1, 2]\n    {}  \
             count: {{ needs: [each], plugin: misbehave, with: {{ mode: count }}, allow: {{ state: true }} }}\n  \
             keep:\n    needs: [count]\n    plugin: deliver-file\n    with: {{ file: \"${{trigger.file}}\", to: \"out/${{steps.look.value}}\" }}\n    \
             allow: {{ deliver: [out] }}\n",
            call(""),
            call("/${item}"),
        ),
    );
    project
}

/// What a lane has seen.
#[derive(Default)]
struct Seen {
    runs: usize,
    interrupted: usize,
    repeated: usize,
}

fn lane(kills: usize, random: &mut Random) -> Seen {
    let web = Web::start();
    let project = project(&web);
    let mut dropped = BTreeSet::new();
    let mut drop_one = || {
        let name = format!("f{:04}.txt", dropped.len());
        project.drop_file(&format!("inbox/{name}"), format!("content of {name}\n"));
        dropped.insert(name);
    };
    // Compiled code is in the cache from here on: kills hit runs, not the compiler.
    drop_one();
    let node = project.serve();
    project.wait_runs(1);
    node.kill();
    for _ in 0..kills {
        let late = random.below(FILES as u64 + 1) as usize;
        (late..FILES).for_each(|_| drop_one());
        let node = Node::launch(project.root(), &[]);
        let mut left = random.below(LATEST);
        // The others come while it starts, recovers and works.
        for _ in 0..late {
            let wait = random.below(left.max(1));
            let_pass(Duration::from_micros(wait));
            left -= wait;
            drop_one();
        }
        let_pass(Duration::from_micros(left));
        node.kill();
    }
    let node = project.serve();
    let runs = project.wait_runs(dropped.len());
    assert!(runs.iter().all(|run| run["state"] == "succeeded" && run["trigger"] == "file"), "{runs:#?}");
    wait_until("the folder is empty", || project.names("inbox").is_empty().then_some(()));
    let mut seen = Seen { runs: runs.len(), ..Seen::default() };
    let (mut counts, mut names) = (Vec::new(), BTreeSet::new());
    for run in &runs {
        let events = node.events(run["run"].as_str().unwrap());
        let name = check_results(&events);
        counts.push(output_of(&events, "count")["count"].as_u64().unwrap());
        seen.interrupted += events.iter().filter(|event| event["event"] == "step-interrupted").count();
        seen.repeated += check_witness(&web, &name, &events);
        assert!(names.insert(name), "two runs for one file: {run:#}");
    }
    assert_eq!(names, dropped, "files without a run");
    // Nothing else lies there either: no part of a file, no second copy.
    assert_eq!(project.names("out").into_iter().collect::<BTreeSet<_>>(), dropped, "deliveries");
    for name in &dropped {
        assert_eq!(project.read(&format!("out/{name}")), format!("content of {name}\n"));
    }
    counts.sort_unstable();
    let expected: Vec<u64> = (1..=dropped.len() as u64).collect();
    assert_eq!(counts, expected, "state was lost or kept twice");
    project.run(&["artifact", "verify"]).ok();
    seen
}

fn output_of<'e>(events: &'e [Value], step: &str) -> &'e Value {
    let end = events.iter().find(|event| event["step_id"] == step && event["event"] == "step-succeeded");
    &end.unwrap_or_else(|| panic!("{step} has no result: {events:#?}"))["output"]
}

/// One result for each step and item, one delivery. Gives the file's name.
fn check_results(events: &[Value]) -> String {
    for step in ["look", "tell", "count", "keep"] {
        assert_eq!(times(events, step, "step-succeeded"), 1, "results of {step}: {events:#?}");
    }
    assert_eq!(times(events, "each", "step-succeeded"), 2, "one result for each item: {events:#?}");
    assert_eq!(times(events, "each", "step-collected"), 1, "{events:#?}");
    assert_eq!(times(events, "keep", "delivered"), 1, "{events:#?}");
    output_of(events, "look")["value"].as_str().unwrap().to_owned()
}

/// The witness has heard of each effect, under one key, and again only when an attempt was lost in a crash. Gives how many
/// repeats there were.
fn check_witness(web: &Web, name: &str, events: &[Value]) -> usize {
    let mut repeats = 0;
    let mut keys = BTreeMap::new();
    for (path, step, item) in [
        (format!("/{name}"), "tell", None),
        (format!("/{name}/1"), "each", Some(0)),
        (format!("/{name}/2"), "each", Some(1)),
    ] {
        let requests = web.requests(&path);
        let of_it = |event: &&Value| event["step_id"] == step && event["item"].as_u64() == item;
        let count = |what: &str| events.iter().filter(of_it).filter(|event| event["event"] == what).count();
        let (starts, lost) = (count("step-started"), count("step-interrupted"));
        assert!(!requests.is_empty(), "{path}: an effect was lost");
        assert_eq!(starts, lost + 1, "{path}: an attempt was repeated that was not in flight: {events:#?}");
        assert!(requests.len() <= starts, "{path}: {} effects of {starts} attempts", requests.len());
        let own: BTreeSet<_> = requests.iter().map(|request| request.key.clone().expect("a key")).collect();
        assert_eq!(own.len(), 1, "{path}: a repeat has another key: {own:?}");
        assert_eq!(keys.insert(own, path), None, "two steps or items share a key");
        repeats += requests.len() - 1;
    }
    repeats
}

#[test]
fn kills_at_random_moments_lose_no_file_double_no_result_and_repeat_only_what_was_in_flight() {
    let kills = env::var("TRACKSIDE_TEST_KILLS").ok().map_or(KILLS, |kills| kills.parse().expect("a number of kills"));
    let mut random = Random::new();
    let (mut left, mut all) = (kills, Seen::default());
    while left > 0 {
        let now = left.min(LANE);
        let seen = lane(now, &mut random);
        left -= now;
        all.runs += seen.runs;
        all.interrupted += seen.interrupted;
        all.repeated += seen.repeated;
        println!(
            "{} of {kills} kills: {} runs, 0 lost, 0 results doubled; {} attempts lost in flight, {} effects repeated",
            kills - left,
            all.runs,
            all.interrupted,
            all.repeated
        );
    }
    // With so many kills none in a step would mean that they hit nothing.
    assert!(kills < KILLS || all.interrupted > 0, "no kill interrupted anything");
}

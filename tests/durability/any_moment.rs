//! kill -9 at moments that nobody chose.

use std::{
    collections::BTreeSet,
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::support::{Node, Project, wait::let_pass, wait_until};

const KILLS: usize = 30;
/// Files dropped before each kill.
const FILES: usize = 4;

/// Random numbers after Marsaglia (xorshift64); `TRACKSIDE_TEST_SEED` repeats a failure as far as timing allows.
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

/// Every file counts one up in the workflow's state and is delivered under its own name.
fn project() -> Project {
    let project = Project::new();
    project.misbehave("misbehave");
    project.workflow(
        "intake",
        "triggers:\n  - file: { path: inbox, glob: \"*.txt\", settle: 100ms }\n\
         steps:\n  look: { plugin: echo, with: { value: \"${trigger.file.name}\" } }\n  \
         count: { needs: [look], plugin: misbehave, with: { mode: count }, allow: { state: true } }\n  \
         keep:\n    needs: [count]\n    plugin: deliver-file\n    with: { file: \"${trigger.file}\", to: \"out/${steps.look.value}\" }\n    \
         allow: { deliver: [out] }\n",
    );
    project
}

#[test]
fn thirty_kills_at_random_moments_lose_no_file_and_double_nothing() {
    let (project, mut random) = (project(), Random::new());
    let mut dropped = BTreeSet::new();
    let mut drop_one = || {
        let name = format!("f{:03}.txt", dropped.len());
        project.drop_file(&format!("inbox/{name}"), format!("content of {name}\n"));
        dropped.insert(name);
    };
    // Compiled code is in the cache from here on: kills hit runs, not the compiler.
    drop_one();
    let node = project.serve();
    project.wait_runs(1);
    node.kill();
    for _ in 0..KILLS {
        let late = random.below(FILES as u64 + 1) as usize;
        (late..FILES).for_each(|_| drop_one());
        let node = Node::launch(project.root(), &[]);
        // Half of them are killed while they start and recover, half while they work.
        if random.below(2) == 0 {
            node.ready();
        }
        (0..late).for_each(|_| drop_one());
        let_pass(Duration::from_micros(random.below(60_000)));
        node.kill();
    }
    let _node = project.serve();
    let runs = project.wait_runs(dropped.len());
    assert!(runs.iter().all(|run| run["state"] == "succeeded" && run["trigger"] == "file"), "{runs:#?}");
    wait_until("the folder is empty", || project.names("inbox").is_empty().then_some(()));
    let mut counts = Vec::new();
    for run in &runs {
        let view = project.wait_end(run["run"].as_str().unwrap());
        counts.push(view["outputs"]["count"]["count"].as_u64().unwrap());
        assert_eq!(view["deliveries"].as_array().unwrap().len(), 1, "{view:#}");
    }
    // Nothing else lies there either: no part of a file, no second copy.
    assert_eq!(project.names("out").into_iter().collect::<BTreeSet<_>>(), dropped, "deliveries");
    for name in &dropped {
        assert_eq!(project.read(&format!("out/{name}")), format!("content of {name}\n"));
    }
    counts.sort_unstable();
    let expected: Vec<u64> = (1..=dropped.len() as u64).collect();
    assert_eq!(counts, expected, "state was lost or kept twice");
    project.run(&["artifact", "verify"]).ok();
}

//! A store with a past: runs that ended long ago, and runs that a node was working on when it went down.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::json;
use trackside_engine::{Command, Effect, Event, Outcome, RunEnd, RunId, RunState};
use trackside_facts::{Entry, TriggerDocument};
use trackside_spec::{Plan, load_workflow};
use trackside_store::{Committer, Durability, Ended, NewRun, Txn, Write};

/// A chain of echo steps `s0` to `s4`, each with the output of the one before it.
pub const CHAIN: &str = "version: 1\nname: chain\nsteps:\n  s0: { plugin: echo, with: { value: 0 } }\n  \
    s1: { plugin: echo, needs: [s0], with: { value: \"${steps.s0.value}\" } }\n  \
    s2: { plugin: echo, needs: [s1], with: { value: \"${steps.s1.value}\" } }\n  \
    s3: { plugin: echo, needs: [s2], with: { value: \"${steps.s2.value}\" } }\n  \
    s4: { plugin: echo, needs: [s3], with: { value: \"${steps.s3.value}\" } }\n";

/// How many steps the chain has.
pub const STEPS: usize = 5;

/// When everything in the store happened, milliseconds since 1970.
const THEN_MS: i64 = 1_780_000_000_000;
/// Runs in one transaction.
const AT_ONCE: usize = 500;

/// Fills a data folder with so many runs of [`CHAIN`]. The live ones come last and go down one after the other after no, one,
/// two, ... finished steps, with the next step under way. Gives them, and how many steps of each had ended.
pub fn fill(data_dir: &Path, finished: usize, live: usize) -> BTreeMap<RunId, usize> {
    std::fs::create_dir_all(data_dir).expect("a data folder");
    let mut committer = Committer::open(data_dir, Durability::Relaxed).expect("a store");
    let plan = Arc::new(load_workflow("workflows/chain.yaml", CHAIN).expect("the workflow is right"));
    let mut last = None;
    let mut begun = BTreeMap::new();
    let runs: Vec<Option<usize>> =
        (0..finished).map(|_| None).chain((0..live).map(|number| Some(number % STEPS))).collect();
    for part in runs.chunks(AT_ONCE) {
        let txns: Vec<Txn> = part
            .iter()
            .map(|done| {
                let run = RunId::next(last, THEN_MS, 7);
                last = Some(run);
                if let Some(done) = done {
                    begun.insert(run, *done);
                }
                Txn::of(rows(&plan, run, done.unwrap_or(STEPS)))
            })
            .collect();
        committer.commit(&txns).expect("a commit");
    }
    begun
}

/// The rows of a run that so many steps of have ended.
fn rows(plan: &Arc<Plan>, run: RunId, done: usize) -> Vec<Write> {
    let mut state = RunState::new(plan.clone(), run);
    let trigger = TriggerDocument::from_json(json!({ "kind": "manual", "id": "chain/manual" }));
    let start = Command::Start { params: json!({}), trigger, logical_time_ms: THEN_MS, parent: None };
    let mut decision = state.handle(start, THEN_MS);
    let new = NewRun { run, plan: plan.clone(), trigger: "manual".to_owned(), started_ms: THEN_MS };
    let mut rows = vec![Write::Run(new), entry(run, &decision.events)];
    for _ in 0..done {
        let Some(Effect::Execute { step, item, attempt }) = decision.effects.pop() else { break };
        let (outcome, report) = (Outcome::Succeeded(json!({ "value": 0 })), None);
        decision = state.handle(Command::Finished { step, item, attempt, outcome, chance: 0, report }, THEN_MS);
        rows.push(entry(run, &decision.events));
    }
    rows
}

fn entry(run: RunId, events: &[Event]) -> Write {
    let over = events.iter().any(|event| matches!(event, Event::Ended { .. }));
    let ended = over.then_some(Ended { end: RunEnd::Succeeded, error: None });
    Write::Journal {
        run,
        at_ms: THEN_MS,
        entry: Entry::Json(serde_json::to_string(events).expect("events are JSON")),
        ended,
    }
}

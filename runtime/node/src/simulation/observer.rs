//! The consumers of the journal and retention, between everything else that happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use trackside_engine::{RunEnd, RunId};
use trackside_observe::{Pace, Rules, Scene, Turns, usage_since};
use trackside_spec::{ArtifactRef, RetentionConfig};
use trackside_store::{LARGEST_SMALL, Prune, RunFilter, Txn, Write};

use crate::{core::Input, rounds::consumers};

use super::{machine::Machine, witness::Witness, world::World};

/// What a crash destroys.
pub struct Observer {
    turns: Turns,
    rules: Rules,
    /// Set when the last transaction is on disk.
    done: Arc<AtomicBool>,
}

impl Observer {
    /// In every second world runs go.
    pub fn new(world: &World) -> Self {
        let config = RetentionConfig { runs: world.keeps, ..RetentionConfig::default() };
        Self {
            turns: Turns::new(consumers(), Pace { batches: 1, removals: 1, worth: 2 }),
            rules: Rules { config, workflows: BTreeMap::new() },
            done: Arc::new(AtomicBool::new(true)),
        }
    }
}

impl World {
    /// The observer goes on, unless it waits for the disk. Says whether it found something to do.
    pub fn observe(&mut self, machine: &mut Machine) -> bool {
        if !machine.observer.done.load(Ordering::Relaxed) {
            return true;
        }
        let Observer { turns, rules, .. } = &mut machine.observer;
        let folder_of = |_: &str| None;
        let scene = Scene {
            reader: &machine.reader,
            artifacts: machine.committer.artifacts(),
            folder_of: &folder_of,
            now_ms: self.now(),
            lacks: 0,
        };
        let Some(txn) = turns.next(Some(rules), &scene).unwrap() else {
            turns.begin_round();
            return false;
        };
        let done = machine.observer.done.clone();
        done.store(false, Ordering::Relaxed);
        let tell = Box::new(move || done.store(true, Ordering::Relaxed));
        machine.give(Input::Keep(txn, tell), self.now());
        true
    }
}

impl Witness {
    /// What retention removed.
    pub fn pruned(&mut self, txn: &Txn) {
        for write in &txn.writes {
            match write {
                Write::Prune(Prune::Runs(runs)) => runs.iter().for_each(|run| {
                    let facts = &self.runs[run];
                    assert!(facts.ended.is_some(), "a run that is under way stays: {run}");
                    let parent = facts.child_of.map(|parent| &self.runs[&parent]);
                    assert!(parent.is_none_or(|parent| parent.ended.is_some()), "a parent may ask how it ended: {run}");
                    let waits = self.staged.keys().any(|key| key.0.0 == *run && !self.carried.contains_key(key));
                    assert!(!waits, "a run whose effects wait stays: {run}");
                    self.gone.insert(*run);
                    self.saw("runs that retention removed");
                }),
                Write::Prune(Prune::Files(_)) => self.saw("artifacts that retention removed"),
                Write::Usage(_) => self.saw("batches of usage"),
                _ => {}
            }
        }
    }
}

/// Everything is counted exactly once, and what was not removed is whole.
pub fn check(world: &mut World, machine: &mut Machine) {
    // The first round may have begun before the last of what happened.
    for _ in 0..2 {
        machine.commit(usize::MAX, true, world.now());
        while world.observe(machine) {
            machine.commit(usize::MAX, true, world.now());
        }
    }
    usage_is_exact(machine);
    holdings_are_exact(machine);
    artifacts_of_runs_are_there(machine);
}

fn usage_is_exact(machine: &Machine) {
    let witness = machine.witness();
    let mut expected: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for facts in witness.runs.values() {
        let counts = expected.entry(facts.plan.name.clone()).or_default();
        counts[0] += 1;
        match facts.ended {
            Some(RunEnd::Succeeded) => counts[1] += 1,
            Some(RunEnd::Failed) => counts[2] += 1,
            Some(RunEnd::Cancelled) => counts[3] += 1,
            None => {}
        }
    }
    let mut found: BTreeMap<String, [u64; 4]> = BTreeMap::new();
    for row in usage_since(&machine.reader, i64::MIN).unwrap() {
        let counts = found.entry(row.workflow).or_default();
        for (sum, more) in
            counts.iter_mut().zip([row.used.runs, row.used.succeeded, row.used.failed, row.used.cancelled])
        {
            *sum += more;
        }
    }
    found.retain(|_, counts| *counts != [0; 4]);
    // Days that are too old are dropped when a clock jumps about; none of these jumps is so far.
    assert_eq!(found, expected, "every run and every end counts exactly once");
}

fn holdings_are_exact(machine: &Machine) {
    let reader = &machine.reader;
    let rows = reader.runs(&RunFilter { limit: u32::MAX, ..RunFilter::default() }).unwrap();
    let ended: BTreeSet<RunId> = rows.iter().filter(|row| row.ended_ms.is_some()).map(|row| row.run).collect();
    let (mut held, mut after) = (BTreeMap::new(), RunId::from_i64(-1));
    loop {
        let page = reader.all_ended_runs(after, 100).unwrap();
        let Some(last) = page.last() else { break };
        after = last.run;
        held.extend(page.into_iter().map(|run| (run.run, run)));
    }
    assert_eq!(held.keys().copied().collect::<BTreeSet<_>>(), ended, "every run that has ended is held, and no other");
    for (run, held) in &held {
        let bytes: usize = reader.journal(*run).unwrap().iter().map(|entry| entry.stored).sum();
        assert_eq!(held.row_bytes, bytes as u64, "a run holds the bytes of its entries: {run}");
    }
    for holding in reader.holdings().unwrap() {
        let own: Vec<_> = held.values().filter(|run| run.holding == holding.id).collect();
        let sum: u64 = own.iter().map(|run| run.bytes()).sum();
        assert_eq!((holding.runs, holding.bytes), (own.len() as u64, sum), "sums are exact: {}", holding.workflow);
    }
}

/// Files and small ones, whatever has happened. Gives how often small ones are named.
pub fn artifacts_of_runs_are_there(machine: &Machine) -> usize {
    let mut small = 0;
    let rows = machine.reader.runs(&RunFilter { limit: u32::MAX, ..RunFilter::default() }).unwrap();
    for row in rows {
        for entry in machine.reader.journal(row.run).unwrap() {
            let mut left: Vec<serde_json::Value> = vec![entry.entry.read().unwrap()];
            while let Some(value) = left.pop() {
                if let Some(artifact) = ArtifactRef::from_json(&value) {
                    let found = machine.committer.artifacts().verify(&artifact.digest).unwrap();
                    assert_eq!(found, None, "what a run names is there: {} {artifact:?}", row.run);
                    small += usize::from(artifact.size <= LARGEST_SMALL as u64);
                }
                match value {
                    serde_json::Value::Array(items) => left.extend(items),
                    serde_json::Value::Object(members) => left.extend(members.into_iter().map(|(_, member)| member)),
                    _ => {}
                }
            }
        }
    }
    small
}

//! What must hold when all is over.

use std::collections::{BTreeMap, BTreeSet};

use trackside_engine::Phase;
use trackside_facts::Effect;
use trackside_spec::ArtifactRef;
use trackside_store::{RunFilter, Write};

use crate::node::fold;

use super::{attempts::key_of, machine::Machine, observer, registered, world::World};

pub fn check(world: &mut World, mut machine: Machine) {
    // The outbox forgets what it carried out once its rows are gone.
    machine.rounds.let_time_pass();
    machine.carry_out(true, world.now());
    nothing_is_left(&machine);
    every_run_is_on_disk_and_has_ended(&machine);
    everything_staged_was_carried_out(world, &machine);
    deliveries_are_there_and_nothing_else(world, &machine);
    state_counts_exactly(&machine);
    a_batch_has_its_files(&machine);
    pauses_are_on_disk(&machine);
    observer::check(world, &mut machine);
    drop(machine);
    world.witness.lock().unwrap().crashed();
    // A start finds nothing to go on with: what is live begins now, by a schedule.
    let machine = Machine::boot(world);
    registered::check(world, &machine);
    let is_run = |write: &&Write| matches!(write, Write::Run(_));
    let new = machine.pending.iter().flat_map(|txn| &txn.writes).filter(is_run).count();
    assert_eq!(machine.core.live_runs(), new, "a start finds nothing to go on with");
}

fn nothing_is_left(machine: &Machine) {
    let left: Vec<_> = machine.core.left_over().into_iter().filter(|(_, size)| *size > 0).collect();
    assert!(left.is_empty(), "nothing is left in the core when all is over: {left:?}");
    assert_eq!(machine.rounds.left_over(), 0, "nothing is left in the outbox's memory");
    assert_eq!(machine.waits.len(), 0, "who waits for the end of a run is told");
}

fn every_run_is_on_disk_and_has_ended(machine: &Machine) {
    let witness = machine.witness();
    let rows = machine.reader.runs(&RunFilter { limit: u32::MAX, ..RunFilter::default() }).unwrap();
    let found: BTreeSet<_> = rows.iter().map(|row| row.run).collect();
    let known: BTreeSet<_> = witness.runs.keys().filter(|run| !witness.gone.contains(run)).copied().collect();
    assert_eq!(found, known, "every run that was committed is on disk, and no other");
    for row in rows {
        let facts = &witness.runs[&row.run];
        let state = fold(&machine.reader, row.run, facts.plan.clone()).unwrap().state;
        let Phase::Ended(end, _) = state.phase() else { panic!("every run ends: {} {:?}", row.run, state.steps()) };
        assert_eq!(
            (Some(*end), row.ended_ms),
            (facts.ended, state.ended_ms()),
            "a run's row says what its journal says"
        );
    }
    for trigger in ["tick/cron-0", "tick-queue/cron-0", "tick-skip/cron-0", "tick-cancel/cron-0"] {
        let waiting = machine.reader.cron_queue(trigger).unwrap();
        assert!(waiting.is_empty(), "no time waits for a run that is over: {trigger} {waiting:?}");
    }
}

fn everything_staged_was_carried_out(world: &World, machine: &Machine) {
    let witness = machine.witness();
    assert!(machine.reader.outbox(0, 1).unwrap().is_empty(), "the outbox is empty when all is over");
    for ((slot, entry), body) in &witness.staged {
        let done = witness.carried.get(&(*slot, *entry));
        assert!(done.is_some(), "an effect of a result is carried out: {slot:?} {entry}");
        if done == Some(&true) && matches!(Effect::read(&body.to_string()), Ok(Effect::Publish(_))) {
            let times = world.broker.times(&key_of(slot.0, slot.1, slot.2, *entry));
            assert!(times > 0, "a message that was published came: {slot:?} {entry}");
        }
    }
}

fn deliveries_are_there_and_nothing_else(world: &World, machine: &Machine) {
    let witness = machine.witness();
    let is_delivery = |body: &serde_json::Value| body["path"].is_string();
    let expected: BTreeMap<String, String> = witness
        .staged
        .iter()
        .filter(|(_, body)| is_delivery(body))
        .map(|(((run, ..), _), body)| (body["path"].as_str().unwrap().to_owned(), run.to_string()))
        .collect();
    let entries = std::fs::read_dir(world.folder.path().join("out")).into_iter().flatten();
    let found: BTreeMap<String, String> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(found, expected, "what steps with results delivered is there, once, and nothing else");
}

fn state_counts_exactly(machine: &Machine) {
    for workflow in ["count", "fan"] {
        let state = machine.reader.state(workflow, "", "n", 0).unwrap();
        let value: u64 = state.map_or(0, |row| String::from_utf8(row.value).unwrap().parse().unwrap());
        let counted = machine.witness().counted.get(workflow).copied().unwrap_or(0);
        assert_eq!(value, counted, "state commits exactly with the steps that wrote it: {workflow}");
    }
}

fn a_batch_has_its_files(machine: &Machine) {
    let witness = machine.witness();
    let mut files: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for ((trigger, identity), run) in &witness.ledger {
        if trigger.ends_with("/file-0") {
            files.entry(*run).or_default().insert(identity);
        }
    }
    for (run, facts) in witness.runs.iter().filter(|(_, facts)| facts.kind == "file") {
        let named: Vec<ArtifactRef> = match facts.trigger.as_json()["files"].as_array() {
            Some(files) => files.iter().filter_map(ArtifactRef::from_json).collect(),
            None => ArtifactRef::from_json(&facts.trigger.as_json()["file"]).into_iter().collect(),
        };
        let named: BTreeSet<&str> = named.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(files.get(run), Some(&named), "a run has the files that the ledger names: {run}");
    }
}

fn pauses_are_on_disk(machine: &Machine) {
    let on_disk: BTreeSet<String> = machine.reader.paused().unwrap().into_iter().map(|row| row.trigger).collect();
    assert_eq!(on_disk, machine.witness().paused, "pauses are as they were committed");
}

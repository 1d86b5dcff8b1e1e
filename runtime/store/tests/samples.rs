//! Entries that are written as what they have not in common with others of their workflow.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use trackside_engine::{RunEnd, RunId};
use trackside_facts::Entry;
use trackside_spec::Digest;
use trackside_store::{Committer, Ended, Prune, Reader, Txn, Write};

use crate::promises::{open, plan, run};

/// The events of a step, as many have them.
fn events(number: i64, plugin: &str) -> Vec<Value> {
    let report = json!({
        "plugin": "echo", "version": "0.1.0", "digest": Digest::of(plugin.as_bytes()),
        "began_us": 1_796_000_000_000_000_i64 + number * 1_234_567, "wall_us": 90 + number % 37, "cpu_us": 80, "deterministic": true,
    });
    vec![json!({ "event": "step-succeeded", "step": number % 9, "output": { "value": number }, "report": report })]
}

/// A run of one entry.
fn whole(id: i64, workflow: &str, events: &[Value]) -> Txn {
    let ended = Some(Ended { end: RunEnd::Succeeded, error: None });
    let entry = Write::Journal { run: RunId::from_i64(id), at_ms: id, entry: Entry::of(events), ended };
    Txn::of(vec![run(id, &plan(workflow)), entry])
}

fn commit(committer: &mut Committer, runs: std::ops::Range<i64>, plugin: &str) {
    let batch: Vec<Txn> = runs.map(|id| whole(id, "w", &events(id, plugin))).collect();
    committer.commit(&batch).unwrap();
}

fn number_of(folder: &Path, query: &str) -> i64 {
    let database = Connection::open(folder.join("trackside.db")).unwrap();
    database.query_row(query, [], |row| row.get(0)).unwrap()
}

fn read(reader: &Reader, run: i64) -> Value {
    reader.journal(RunId::from_i64(run)).unwrap()[0].entry.read().unwrap()
}

#[test]
fn entries_that_are_alike_take_half_and_are_read_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    commit(&mut committer, 1..31, "a");
    commit(&mut committer, 31..400, "a");
    // Another process, and a node that has been started again.
    let reader = Reader::open(folder.path()).unwrap();
    drop(committer);
    let mut committer = open(folder.path());
    commit(&mut committer, 400..500, "a");
    for id in 1..500 {
        assert_eq!(read(&reader, id), Value::from(events(id, "a")), "{id}");
    }
    let all = reader.journal_batch(0, i64::MAX).unwrap();
    assert_eq!(all.len(), 499);
    let (plain, stored): (usize, usize) =
        all[100..].iter().fold((0, 0), |(plain, stored), row| (plain + row.entry.bytes(), stored + row.stored));
    assert!(2 * stored < plain, "{stored} of {plain}");
    let on_disk = number_of(folder.path(), "SELECT sum(length(packed)) FROM journal WHERE seq > 100");
    assert_eq!(on_disk, stored as i64, "what is told is what lies there");
    assert_eq!(number_of(folder.path(), "SELECT count(*) FROM samples"), 1);
}

#[test]
fn another_sample_is_made_when_entries_change_and_there_are_few_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    for generation in 0..12 {
        // Nothing of it is as it was: each plugin has a report of its own.
        let text = format!("{generation}");
        let strange = |id: i64| -> Vec<Value> {
            let words: Vec<String> =
                (0..20).map(|word| Digest::of(format!("{text} {word}").as_bytes()).to_string()).collect();
            vec![json!({ "words": words, "number": id })]
        };
        let batch: Vec<Txn> = (0..1_200).map(|at| whole(generation * 1_200 + at + 1, "w", &strange(at))).collect();
        committer.commit(&batch).unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        for at in [0, 30, 700, 1_199] {
            assert_eq!(read(&reader, generation * 1_200 + at + 1), Value::from(strange(at)), "{generation}, {at}");
        }
        let samples = number_of(folder.path(), "SELECT count(*) FROM samples");
        assert_eq!(samples, (generation + 1).min(8));
    }
}

#[test]
fn a_sample_is_gone_with_what_failed_and_goes_with_its_definition() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let mut batch: Vec<Txn> = (1..60).map(|id| whole(id, "w", &events(id, "a"))).collect();
    // An entry of a run that is not there: nothing of the batch is written.
    let lost = Write::Journal { run: RunId::from_i64(999), at_ms: 1, entry: Entry::of(&events(1, "a")), ended: None };
    batch.push(Txn::of(vec![lost]));
    committer.commit(&batch).unwrap_err();
    assert_eq!(number_of(folder.path(), "SELECT count(*) FROM samples"), 0);
    batch.pop();
    committer.commit(&batch).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(read(&reader, 59), Value::from(events(59, "a")));
    assert_eq!(number_of(folder.path(), "SELECT count(*) FROM samples"), 1);
    // A definition in use since the start stays, and its sample with it.
    let runs = (1..59).map(RunId::from_i64).collect();
    committer.commit(&[Txn::of(vec![Write::Prune(Prune::Runs(runs))])]).unwrap();
    committer.commit(&[whole(60, "other", &events(60, "a"))]).unwrap();
    committer.commit(&[Txn::of(vec![Write::Prune(Prune::Runs(vec![RunId::from_i64(59)]))])]).unwrap();
    let unused = reader.unused_definitions().unwrap();
    assert_eq!(unused.len(), 1);
    drop(committer);
    let mut committer = open(folder.path());
    committer.commit(&[Txn::of(vec![Write::Prune(Prune::Definitions(unused))])]).unwrap();
    assert_eq!(number_of(folder.path(), "SELECT count(*) FROM samples"), 0);
    // The next definition may get the same number; its entries are its own.
    commit(&mut committer, 61..200, "b");
    assert_eq!(read(&reader, 199), Value::from(events(199, "b")));
}

#[test]
fn an_entry_whose_sample_is_lost_or_another_is_told_as_damaged() {
    for damage in [
        "DELETE FROM samples",
        "UPDATE samples SET bytes = CAST(bytes || x'00' AS BLOB)",
        "UPDATE samples SET bytes = zeroblob(length(bytes))",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut committer = open(folder.path());
        commit(&mut committer, 1..100, "a");
        let database = Connection::open(folder.path().join("trackside.db")).unwrap();
        database.execute(damage, []).unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        let rows = reader.journal_batch(0, i64::MAX).unwrap();
        assert_eq!(rows.len(), 99, "the others are read");
        assert!(rows[0].entry.to_json().is_ok() && rows[98].entry.to_json().is_err(), "{damage}");
        assert!(rows[98].events().unwrap_err().is_damage());
        // The next node goes on without it.
        drop(committer);
        let mut committer = open(folder.path());
        commit(&mut committer, 100..200, "a");
        assert_eq!(read(&Reader::open(folder.path()).unwrap(), 199), Value::from(events(199, "a")), "{damage}");
    }
}

//! The write-ahead log keeps its length, and the database is whole without it.

use std::{fs, path::Path, sync::mpsc};

use trackside_store::{CommitReport, Committer, Durability, PausedRow, Reader, Store, Txn, Write};

const LOG: &str = "trackside.db-wal";
/// What it has when it begins anew: 4,000 pages of 1 KiB, and more.
const BYTES: u64 = 4 << 20;

fn paused(trigger: &str) -> Txn {
    Txn::of(vec![Write::Paused(PausedRow { trigger: trigger.into(), at_ms: 1, by: "ana".into() })])
}

/// A store at work that has committed this.
fn store(folder: &Path, trigger: &str) -> Store {
    let committer = Committer::open(folder, Durability::Full).unwrap();
    let (tell, told) = mpsc::channel();
    let store = Store::start(committer, Box::new(move |report| drop(tell.send(report)))).unwrap();
    store.submit(vec![paused(trigger)]).unwrap();
    assert!(matches!(told.recv().unwrap(), CommitReport::Committed(1)));
    store
}

fn triggers(folder: &Path) -> Vec<String> {
    let rows = Reader::open(folder).unwrap().paused().unwrap();
    rows.into_iter().map(|row| row.trigger).collect()
}

#[test]
fn the_log_has_its_length_from_the_first_commit_on_and_keeps_it_over_stops_and_starts() {
    let folder = tempfile::tempdir().unwrap();
    let length = || fs::metadata(folder.path().join(LOG)).unwrap().len();
    let at_work = store(folder.path(), "a");
    let first = length();
    assert!((BYTES..2 * BYTES).contains(&first), "{first}");
    drop(at_work);
    assert_eq!(length(), first, "stopped");
    let at_work = store(folder.path(), "b");
    assert_eq!(length(), first, "a commit lies in it");
    assert_eq!(triggers(folder.path()), ["a", "b"]);
    drop(at_work);
}

#[test]
fn the_database_of_a_store_that_was_stopped_is_whole_without_its_log() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(folder.path(), "a"));
    drop(store(folder.path(), "b"));
    for name in [LOG, "trackside.db-shm"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(triggers(folder.path()), ["a", "b"]);
}

#[test]
fn what_was_committed_is_found_in_a_log_that_ends_in_zeros_wherever_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let at_work = store(folder.path(), "a");
    // As after a power cut: the files of a store that was not stopped. Some of the zeros never reached the disk.
    for length in [100_000, 100_001, 1_000_000, BYTES] {
        let copy = tempfile::tempdir().unwrap();
        for name in ["trackside.db", LOG] {
            fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        fs::OpenOptions::new().write(true).open(copy.path().join(LOG)).unwrap().set_len(length).unwrap();
        drop(store(copy.path(), "b"));
        assert_eq!(triggers(copy.path()), ["a", "b"], "{length}");
    }
    drop(at_work);
}

//! The write-ahead log gets its length, and what was committed is found whatever of that length is on disk.

use std::{fs, path::Path, sync::mpsc};

use trackside_store::{CommitReport, Committer, Durability, PausedRow, Reader, Store, Txn, Write};

const LOG: &str = "trackside.db-wal";
/// What it has when it begins anew: 4,000 pages of 1 KiB, and more.
const BYTES: u64 = 4 << 20;
/// After so many it has it, one after the other.
const COMMITS: usize = 70;

fn paused(trigger: &str) -> Txn {
    Txn::of(vec![Write::Paused(PausedRow { trigger: trigger.into(), at_ms: 1, by: "ana".into() })])
}

/// A store at work that has committed these, each by itself.
fn store(folder: &Path, triggers: &[String]) -> Store {
    let committer = Committer::open(folder, Durability::Full).unwrap();
    let (tell, told) = mpsc::channel();
    let store = Store::start(committer, Box::new(move |report| drop(tell.send(report)))).unwrap();
    for (number, trigger) in (1..).zip(triggers) {
        store.submit(vec![paused(trigger)]).unwrap();
        assert!(matches!(told.recv().unwrap(), CommitReport::Committed(done) if done == number));
    }
    store
}

fn names(letter: char, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{letter}{number:03}")).collect()
}

fn committed(folder: &Path) -> Vec<String> {
    let rows = Reader::open(folder).unwrap().paused().unwrap();
    rows.into_iter().map(|row| row.trigger).collect()
}

#[test]
fn a_log_that_is_used_gets_its_length_and_one_that_is_not_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let length = || fs::metadata(folder.path().join(LOG)).unwrap().len();
    let at_work = store(folder.path(), &names('a', 3));
    assert!(length() < BYTES / 4, "{}", length());
    drop(at_work);
    let at_work = store(folder.path(), &names('b', COMMITS));
    assert!((BYTES..2 * BYTES).contains(&length()), "{}", length());
    drop(at_work);
    // One that stayed would be taken for that of a database that somebody puts back from a copy.
    assert!(!folder.path().join(LOG).exists(), "a store that was stopped leaves its log");
    assert_eq!(committed(folder.path()).len(), 3 + COMMITS);
}

#[test]
fn what_was_committed_is_found_in_a_log_that_ends_in_zeros_wherever_they_end() {
    let folder = tempfile::tempdir().unwrap();
    let at_work = store(folder.path(), &names('a', COMMITS));
    let log = fs::read(folder.path().join(LOG)).unwrap();
    let used = log.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
    assert!(used < BYTES / 2, "{used}");
    // As after a power cut: the files of a store that was not stopped. Some of the zeros never reached the disk.
    for more in [0, 1, 30, 1047, 1048, 1_000_000, 1_000_001] {
        let copy = tempfile::tempdir().unwrap();
        for name in ["trackside.db", LOG] {
            fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        // The last page may end in zeros of its own.
        let length = used.next_multiple_of(1024) + 1024 + more;
        fs::OpenOptions::new().write(true).open(copy.path().join(LOG)).unwrap().set_len(length).unwrap();
        drop(store(copy.path(), &names('b', 1)));
        assert_eq!(committed(copy.path()), [names('a', COMMITS), names('b', 1)].concat(), "{length}");
    }
    drop(at_work);
}

//! Results that are kept for the next time.

use std::path::Path;

use trackside_engine::RunId;
use trackside_spec::Digest;
use trackside_store::{
    Committer, Durability, LARGEST_RESULT, RESULT_BYTES_KEPT, RESULTS_KEPT, Reader, ResultRow, Txn, Write,
};

fn open(folder: &Path) -> Committer {
    Committer::open(folder, Durability::Relaxed).unwrap()
}

fn key(number: i64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

fn keep(number: i64, output: String) -> Write {
    let result = ResultRow { run: RunId::from_i64(number), output, artifacts: vec![key(1), key(2)] };
    Write::Kept { key: key(number), result }
}

fn commit(committer: &mut Committer, writes: Vec<Write>) {
    committer.commit(&[Txn::of(writes)]).unwrap();
}

#[test]
fn the_result_that_was_used_longest_ago_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let reader = Reader::open(folder.path()).unwrap();
    commit(&mut committer, (0..RESULTS_KEPT).map(|number| keep(number, "{}".to_owned())).collect());
    let row = reader.kept_result(&key(0)).unwrap().expect("nothing had to go yet");
    assert_eq!((row.run, row.artifacts), (RunId::from_i64(0), vec![key(1), key(2)]));
    commit(&mut committer, vec![Write::KeptUsed { key: key(0) }, keep(RESULTS_KEPT, "{}".to_owned())]);
    let there = |number| reader.kept_result(&key(number)).unwrap().is_some();
    assert!(there(0) && !there(1) && there(2) && there(RESULTS_KEPT));
}

#[test]
fn outputs_take_a_bounded_room_and_a_large_one_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let reader = Reader::open(folder.path()).unwrap();
    let there = |number| reader.kept_result(&key(number)).unwrap().is_some();
    commit(&mut committer, vec![keep(100, "x".repeat(LARGEST_RESULT + 1))]);
    assert!(!there(100));
    let room = RESULT_BYTES_KEPT / i64::try_from(LARGEST_RESULT).unwrap();
    for number in 0..=room {
        commit(&mut committer, vec![keep(number, "x".repeat(LARGEST_RESULT))]);
    }
    assert!(!there(0) && there(1) && there(room));
}

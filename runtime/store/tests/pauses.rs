//! Triggers that are paused, and what people may ask about a trigger's past.

use trackside_engine::RunId;
use trackside_store::{Committer, Durability, PausedRow, Reader, Txn, Write};

fn txn(writes: Vec<Write>) -> Txn {
    Txn::of(writes)
}

fn paused(at_ms: i64, by: &str) -> Write {
    Write::Paused(PausedRow { trigger: "w/cron-0".into(), at_ms, by: by.into() })
}

#[test]
fn a_pause_outlives_the_process_and_the_first_one_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = Committer::open(folder.path(), Durability::Full).unwrap();
    committer.commit(&[txn(vec![paused(1, "ana"), paused(2, "bo")])]).unwrap();
    drop(committer);
    let mut committer = Committer::open(folder.path(), Durability::Full).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let row = PausedRow { trigger: "w/cron-0".into(), at_ms: 1, by: "ana".into() };
    assert_eq!(reader.paused().unwrap(), [row]);
    committer.commit(&[txn(vec![Write::Resumed { trigger: "w/cron-0".into(), at_ms: 9, by: "bo".into() }])]).unwrap();
    assert!(reader.paused().unwrap().is_empty());
}

#[test]
fn what_a_trigger_accepted_is_found_under_its_id_whatever_its_schedule_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = Committer::open(folder.path(), Durability::Full).unwrap();
    let entry = |trigger: &str, at_ms: i64| Write::Ledger {
        trigger: trigger.into(),
        identity: format!("at:{at_ms}"),
        run: Some(RunId::from_i64(at_ms)),
        path: format!("{at_ms}"),
        stat: String::new(),
        at_ms,
    };
    let writes = vec![
        entry("w/cron-1 @hourly UTC", 1),
        entry("w/cron-1 @daily UTC", 2),
        entry("w/cron-1", 3),
        entry("w/cron-10 @hourly UTC", 4),
    ];
    committer.commit(&[txn(writes)]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let accepted = reader.accepted("w/cron-1", None, 9).unwrap();
    assert_eq!(accepted.iter().map(|row| row.at_ms).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(reader.accepted("w/cron-1", Some("2"), 9).unwrap().len(), 1);
    let by_run = reader.accepted_by("w/cron-1", RunId::from_i64(2)).unwrap();
    assert_eq!(by_run.iter().map(|row| row.trigger.as_str()).collect::<Vec<_>>(), ["w/cron-1 @daily UTC"]);
}

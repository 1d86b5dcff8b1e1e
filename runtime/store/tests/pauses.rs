//! Triggers that are paused, and what people may ask about a trigger's past.

use trackside_engine::{RunEnd, RunId};
use trackside_store::{Committer, Durability, NewRun, PausedRow, Prune, Reader, Txn, Write};

use crate::promises::{entry, plan};

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

#[test]
fn a_request_that_can_not_come_again_is_remembered_as_long_as_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = Committer::open(folder.path(), Durability::Full).unwrap();
    let plan = plan("w");
    let asked = |id: i64, trigger: &str, path: &str| {
        let run = RunId::from_i64(id);
        let new = NewRun { run, plan: plan.clone(), trigger: "webhook".into(), started_ms: 10 * id };
        let request = Write::Request { trigger: trigger.into(), path: path.into(), run };
        txn(vec![Write::Run(new), request, entry(id, "[1]", Some(RunEnd::Succeeded))])
    };
    let before = Write::Ledger {
        trigger: "w/webhook-0".into(),
        identity: "r:1".into(),
        run: Some(RunId::from_i64(9)),
        path: "/hooks/a".into(),
        stat: String::new(),
        at_ms: 25,
    };
    let batch = [
        asked(1, "w/webhook-0", "/hooks/a"),
        asked(2, "w/webhook-0", "/hooks/a"),
        asked(3, "w/webhook-0", "/hooks/b"),
        asked(4, "w/webhook-1", "/hooks/c"),
        // As programs of before remembered it, and as those with an identity still are.
        txn(vec![before]),
        asked(5, "w/webhook-1", "/hooks/c"),
    ];
    committer.commit(&batch).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let accepted = |path, limit| -> Vec<(i64, String, bool)> {
        let rows = reader.accepted("w/webhook-0", path, limit).unwrap();
        rows.into_iter().map(|row| (row.at_ms, row.path, row.is_kept)).collect()
    };
    let row = |at_ms, path: &str, is_kept| (at_ms, path.to_owned(), is_kept);
    let all =
        [row(30, "/hooks/b", true), row(25, "/hooks/a", false), row(20, "/hooks/a", true), row(10, "/hooks/a", true)];
    assert_eq!(accepted(None, 9), all);
    assert_eq!(accepted(None, 2), all[..2]);
    assert_eq!(accepted(Some("/hooks/a"), 9), all[1..]);
    let of = |trigger, run| reader.accepted_by(trigger, RunId::from_i64(run)).unwrap();
    assert_eq!(of("w/webhook-0", 3).iter().map(|row| row.path.as_str()).collect::<Vec<_>>(), ["/hooks/b"]);
    assert_eq!((of("w/webhook-0", 9).len(), of("w/webhook-0", 4).len(), of("w/webhook-1", 4).len()), (1, 0, 1));
    committer.commit(&[txn(vec![Write::Prune(Prune::Runs([1, 3, 4].map(RunId::from_i64).into()))])]).unwrap();
    assert_eq!(accepted(None, 9), all[1..3]);
    let database = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    let left: i64 = database.query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 2);
}

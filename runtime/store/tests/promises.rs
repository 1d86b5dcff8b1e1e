//! What the store promises to the node: all or nothing, in order, one writer, artifacts that can be trusted.

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc::channel},
};

use trackside_engine::{RunEnd, RunId};
use trackside_facts::{DecisionKind, DecisionSubject, Entry};
use trackside_spec::{Plan, load_workflow};
use trackside_store::{
    CommitReport, Committer, DECISIONS_KEPT, DecisionRow, Durability, Ended, NewRun, Reader, RunFilter, Store,
    StoreError, Txn, Write,
};

pub(super) fn plan(name: &str) -> Arc<Plan> {
    let text = format!("version: 1\nname: {name}\nsteps:\n  a: {{ plugin: echo }}\n");
    Arc::new(load_workflow("w.yaml", &text).unwrap())
}

pub(super) fn open(folder: &Path) -> Committer {
    Committer::open(folder, Durability::Full).unwrap()
}

pub(super) fn run(id: i64, plan: &Arc<Plan>) -> Write {
    Write::Run(NewRun { run: RunId::from_i64(id), plan: plan.clone(), trigger: "manual".into(), started_ms: id })
}

pub(super) fn entry(id: i64, events: &str, ended: Option<RunEnd>) -> Write {
    let ended = ended.map(|end| Ended { end, error: None });
    Write::Journal { run: RunId::from_i64(id), at_ms: id, entry: Entry::Json(events.into()), ended }
}

fn txn(writes: Vec<Write>) -> Txn {
    Txn::of(writes)
}

#[test]
fn the_journal_of_a_run_comes_back_in_order_from_between_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let plan = plan("w");
    let batch = [
        txn(vec![run(1, &plan), entry(1, "[1]", None)]),
        txn(vec![run(2, &plan), entry(2, "[10]", None)]),
        txn(vec![entry(1, "[2]", None)]),
        txn(vec![entry(2, "[20]", Some(RunEnd::Succeeded))]),
        txn(vec![entry(1, "[3]", None)]),
    ];
    committer.commit(&batch).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let events = |id| -> Vec<String> {
        reader.journal(RunId::from_i64(id)).unwrap().into_iter().map(|row| row.entry.to_json().unwrap()).collect()
    };
    assert_eq!(events(1), ["[1]", "[2]", "[3]"]);
    assert_eq!(events(2), ["[10]", "[20]"]);
    assert_eq!(events(3), Vec::<String>::new());
    let all: Vec<i64> = reader.journal_after(0, 99).unwrap().iter().map(|row| row.run().unwrap().as_i64()).collect();
    assert_eq!(all, [1, 2, 1, 2, 1]);
    let live: Vec<i64> = reader.open_runs().unwrap().iter().map(|live| live.run.as_i64()).collect();
    assert_eq!(live, [1]);
    assert_eq!(reader.latest_run().unwrap(), Some(RunId::from_i64(2)));
}

#[test]
fn a_transaction_that_fails_leaves_nothing_and_can_be_committed_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let plan = plan("w");
    committer.commit(&[txn(vec![run(1, &plan), entry(1, "[1]", None)])]).unwrap();
    // The second run has the first one's id: the whole batch is refused.
    let other = self::plan("other");
    let batch = [txn(vec![run(2, &other), entry(2, "[1]", None)]), txn(vec![run(1, &other)])];
    assert!(matches!(committer.commit(&batch), Err(StoreError::Sqlite { .. })));
    let reader = Reader::open(folder.path()).unwrap();
    assert!(reader.run(RunId::from_i64(2)).unwrap().is_none());
    committer.commit(&batch[..1]).unwrap();
    assert_eq!(reader.run(RunId::from_i64(2)).unwrap().unwrap().workflow, "other");
}

#[test]
fn runs_are_listed_newest_first_and_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let (one, two) = (plan("one"), plan("two"));
    for id in 1..=6 {
        let ended = (id < 6).then_some(if id == 3 { RunEnd::Failed } else { RunEnd::Succeeded });
        let plan = if id % 2 == 0 { &one } else { &two };
        committer.commit(&[txn(vec![run(id, plan), entry(id, "[]", ended)])]).unwrap();
    }
    let reader = Reader::open(folder.path()).unwrap();
    let ids =
        |filter: RunFilter| -> Vec<i64> { reader.runs(&filter).unwrap().iter().map(|row| row.run.as_i64()).collect() };
    let all = RunFilter { limit: 99, ..RunFilter::default() };
    assert_eq!(ids(all.clone()), [6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(RunFilter { limit: 2, before: Some(RunId::from_i64(5)), ..all.clone() }), [4, 3]);
    assert_eq!(ids(RunFilter { workflow: Some("one".into()), ..all.clone() }), [6, 4, 2]);
    assert_eq!(ids(RunFilter { state: Some("failed".into()), ..all.clone() }), [3]);
    assert_eq!(ids(RunFilter { state: Some("running".into()), ..all }), [6]);
}

#[test]
fn live_runs_are_found_from_the_watermark_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let plan = plan("w");
    for id in 1..=4 {
        let ended = (id != 3).then_some(RunEnd::Succeeded);
        committer.commit(&[txn(vec![run(id, &plan), entry(id, "[]", ended)])]).unwrap();
    }
    committer.commit(&[txn(vec![Write::LiveFrom { run: RunId::from_i64(3) }])]).unwrap();
    let live = Reader::open(folder.path()).unwrap().open_runs().unwrap();
    assert_eq!(live.iter().map(|live| live.run.as_i64()).collect::<Vec<_>>(), [3]);
}

#[test]
fn state_has_versions_scopes_and_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let set = |scope: &str, key: &str, value: Option<&[u8]>, expires_ms| Write::State {
        workflow: "w".into(),
        scope: scope.into(),
        key: key.into(),
        value: value.map(<[u8]>::to_vec),
        expires_ms,
    };
    committer
        .commit(&[txn(vec![
            set("", "a", Some(b"1"), None),
            set("", "a", Some(b"2"), None),
            set("step", "a", Some(b"own"), None),
            set("", "b%_x", Some(b"3"), Some(100)),
            set("", "c", Some(b"4"), None),
            set("", "c", None, None),
        ])])
        .unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let row = reader.state("w", "", "a", 0).unwrap().unwrap();
    assert_eq!((row.value.as_slice(), row.version), (b"2".as_slice(), 2));
    assert_eq!(reader.state("w", "step", "a", 0).unwrap().unwrap().value, b"own");
    assert!(reader.state("w", "", "b%_x", 99).unwrap().is_some());
    assert!(reader.state("w", "", "b%_x", 100).unwrap().is_none());
    assert!(reader.state("other", "", "a", 0).unwrap().is_none());
    let keys = |prefix, after, now| reader.state_keys("w", "", prefix, after, 99, now).unwrap();
    assert_eq!(keys("", None, 0), ["a", "b%_x"]);
    assert_eq!(keys("b%", None, 0), ["b%_x"]);
    assert_eq!(keys("", Some("a"), 0), ["b%_x"]);
    assert_eq!(keys("", None, 100), ["a"]);
}

#[test]
fn one_process_writes_and_the_next_is_told_who() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let Err(StoreError::Locked { holder, .. }) = Committer::open(folder.path(), Durability::Full) else {
        panic!("two writers");
    };
    assert_eq!(holder, format!("process {}", std::process::id()));
    drop(first);
    open(folder.path());
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let database = folder.path().join("trackside.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA user_version = 9999").unwrap();
    drop(connection);
    let before = fs::read(&database).unwrap();
    let refused = Committer::open(folder.path(), Durability::Full);
    assert!(matches!(refused, Err(StoreError::Newer { found: 9999, .. })));
    drop(refused);
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[test]
fn submissions_are_reported_in_order_and_the_rest_is_committed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (reports, reported) = channel();
    let report = Box::new(move |report| {
        let CommitReport::Committed(upto) = report else { panic!("{report:?}") };
        reports.send(upto).unwrap();
    });
    let store = Store::start(open(folder.path()), report).unwrap();
    let plan = plan("w");
    for id in 1..=200 {
        assert_eq!(store.submit(vec![txn(vec![run(id, &plan), entry(id, "[]", None)])]).unwrap(), id.unsigned_abs());
    }
    drop(store);
    let seen: Vec<u64> = reported.iter().collect();
    assert!(seen.is_sorted() && seen.last() == Some(&200), "{seen:?}");
    assert_eq!(Reader::open(folder.path()).unwrap().open_runs().unwrap().len(), 200);
}

#[test]
fn a_store_whose_commits_fail_says_so_and_can_be_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (reports, reported) = channel();
    let store = Store::start(open(folder.path()), Box::new(move |report| reports.send(report).unwrap())).unwrap();
    let plan = plan("w");
    store.submit(vec![txn(vec![run(1, &plan)])]).unwrap();
    assert!(matches!(reported.recv(), Ok(CommitReport::Committed(1))));
    // The same run once more: no commit can hold it.
    store.submit(vec![txn(vec![run(1, &plan)])]).unwrap();
    assert!(matches!(reported.recv(), Ok(CommitReport::Trouble(StoreError::Sqlite { .. }))));
    drop(store);
    assert_eq!(Reader::open(folder.path()).unwrap().open_runs().unwrap().len(), 1);
}

#[test]
fn nothing_is_written_to_a_database_that_is_not_where_it_was() {
    for name in ["trackside.db", "trackside.db-wal"] {
        let folder = tempfile::tempdir().unwrap();
        let mut committer = open(folder.path());
        let plan = plan("w");
        committer.commit(&[txn(vec![run(1, &plan)])]).unwrap();
        let (file, away) = (folder.path().join(name), folder.path().join("away"));
        let mut refused = |words: &str| {
            let error = committer.commit(&[txn(vec![run(2, &plan)])]).unwrap_err();
            assert!(matches!(error, StoreError::Moved { .. }), "{error:?}");
            let told = error.to_string();
            assert!(told.starts_with("[TS-0209]") && told.contains(words) && told.contains(name), "{told}");
        };
        fs::rename(&file, &away).unwrap();
        refused("it is not there any more");
        // A copy with the same bytes is another file all the same.
        fs::copy(&away, &file).unwrap();
        refused("another file lies there");
        fs::rename(&away, &file).unwrap();
        committer.commit(&[txn(vec![run(2, &plan)])]).unwrap();
        assert_eq!(Reader::open(folder.path()).unwrap().open_runs().unwrap().len(), 2, "{name}");
    }
}

#[test]
fn decisions_are_a_ring_for_each_trigger_and_can_be_asked_by_subject() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let decide = |trigger: &str, subject: String, at_ms| {
        let (subject, decision) = (DecisionSubject::from(subject), DecisionKind::Deduped.into());
        let detail = "x".repeat(2000);
        Write::Decision(DecisionRow { trigger: trigger.to_owned(), subject, at_ms, decision, detail })
    };
    let many = (0..DECISIONS_KEPT + 10).map(|number| decide("w/file-0", format!("f{number}"), number));
    committer.commit(&[txn(many.collect()), txn(vec![decide("w/file-1", "f0".into(), 7)])]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let all = reader.decisions("w/file-0", None, u32::MAX).unwrap();
    assert_eq!(i64::try_from(all.len()).unwrap(), DECISIONS_KEPT);
    assert_eq!((&*all[0].subject.text(), all[0].detail.len()), (format!("f{}", DECISIONS_KEPT + 9).as_str(), 1000));
    assert!(reader.decisions("w/file-0", Some("f0"), 10).unwrap().is_empty());
    assert_eq!(reader.decisions("w/file-0", Some("f11"), 10).unwrap()[0].at_ms, 11);
    assert_eq!(reader.decisions("w/file-1", None, 10).unwrap().len(), 1);
}

#[test]
fn times_wait_in_order_and_leave_with_their_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let queued = |logical_ms, missed| Write::CronQueued { trigger: "w/cron-0".into(), logical_ms, missed };
    committer.commit(&[txn(vec![queued(30, 0), queued(20, 4), queued(20, 9)])]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.cron_queue("w/cron-0").unwrap(), [(20, 4), (30, 0)]);
    let plan = plan("w");
    let leave = Write::CronDequeued { trigger: "w/cron-0".into(), logical_ms: 20 };
    committer.commit(&[txn(vec![run(1, &plan), entry(1, "[1]", None), leave])]).unwrap();
    assert_eq!(reader.cron_queue("w/cron-0").unwrap(), [(30, 0)]);
    assert_eq!(reader.newest_start().unwrap(), Some(1));
}

#[test]
fn an_older_database_gets_its_tables_and_a_name_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    // As the first version left it.
    let old = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    old.execute_batch(include_str!("../src/schema/0001.sql")).unwrap();
    old.execute_batch("INSERT INTO triggers VALUES ('w/cron-0 @daily UTC', 5); PRAGMA user_version = 1;").unwrap();
    drop(old);
    drop(open(folder.path()));
    let reader = Reader::open(folder.path()).unwrap();
    let name = reader.box_id().unwrap();
    assert_eq!((name.len(), reader.position("w/cron-0 @daily UTC").unwrap()), (32, Some(5)));
    drop(open(folder.path()));
    assert_eq!(reader.box_id().unwrap(), name);
    let other = tempfile::tempdir().unwrap();
    drop(open(other.path()));
    assert_ne!(Reader::open(other.path()).unwrap().box_id().unwrap(), name);
}

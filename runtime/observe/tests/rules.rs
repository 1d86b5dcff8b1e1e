//! Which runs go, when and why; what a damaged journal and a lost cursor do.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde_json::json;
use trackside_engine::{RunEnd, RunId};
use trackside_facts::{Entry, Subject};
use trackside_observe::{
    Batch, Consumer, Consumers, Pace, Pruner, Removed, Retention as RetentionConsumer, Rules, Scene, Turns, Usage,
    dry_run, usage_since,
};
use trackside_spec::{Plan, Retention, RetentionConfig, Share, load_workflow};
use trackside_store::{
    Committer, DecisionRow, Durability, Ended, Hold, NewRun, PausedRow, Reader, RunFilter, StoreError, Txn, Write,
};

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_800_000_000_000;

struct Case {
    folder: tempfile::TempDir,
    committer: Committer,
    reader: Reader,
    turns: Turns,
    last: Option<RunId>,
}

fn plan(name: &str) -> Arc<Plan> {
    let text = format!("version: 1\nname: {name}\nsteps:\n  a: {{ plugin: echo }}\n");
    Arc::new(load_workflow("w.yaml", &text).unwrap())
}

fn both() -> Consumers {
    Consumers::new(vec![Box::new(RetentionConsumer::new()), Box::new(Usage)])
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let committer = Committer::open(folder.path(), Durability::Relaxed).unwrap();
        let reader = Reader::open(folder.path()).unwrap();
        let turns = Turns::new(both(), Pace::default());
        Self { folder, committer, reader, turns, last: None }
    }

    fn commit(&mut self, writes: Vec<Write>) {
        self.committer.commit(&[Txn::of(writes)]).unwrap();
    }

    fn begin(&mut self, workflow: &str, at_ms: i64, parent: Option<RunId>) -> RunId {
        let run = RunId::next(self.last, at_ms, 0);
        self.last = Some(run);
        let mut started =
            json!({ "event": "started", "params": {}, "trigger": { "kind": "manual" }, "logical_time_ms": at_ms });
        if let Some(parent) = parent {
            started["parent"] = json!({ "run": parent, "step": 0, "attempt": 1, "depth": 1 });
        }
        let new = NewRun { run, plan: plan(workflow), trigger: "manual".into(), started_ms: at_ms };
        let entry = Entry::of(&[started]);
        self.commit(vec![Write::Run(new), Write::Journal { run, at_ms, entry, ended: None }]);
        run
    }

    fn end(&mut self, run: RunId, at_ms: i64) {
        let entry = Entry::of(&[json!({ "event": "ended", "end": "succeeded" })]);
        let ended = Some(Ended { end: RunEnd::Succeeded, error: None });
        self.commit(vec![Write::Journal { run, at_ms, entry, ended }]);
    }

    fn over(&mut self, workflow: &str, at_ms: i64) -> RunId {
        let run = self.begin(workflow, at_ms, None);
        self.end(run, at_ms + 1);
        run
    }

    fn observe(&mut self) {
        self.round(None).unwrap();
    }

    /// A round; gives how many transactions it made.
    fn round(&mut self, rules: Option<&Rules>) -> Result<usize, StoreError> {
        let artifacts = self.committer.artifacts().clone();
        self.turns.begin_round();
        for made in 0..10_000 {
            let scene =
                Scene { reader: &self.reader, artifacts: &artifacts, folder_of: &|_| None, now_ms: NOW, lacks: 0 };
            let Some(txn) = self.turns.next(rules, &scene)? else { return Ok(made) };
            self.committer.commit(&[txn]).unwrap();
        }
        panic!("it does not come to an end");
    }

    /// Everything that goes by these rules.
    fn prune(&mut self, rules: &Rules, now_ms: i64, folders: &BTreeMap<&str, PathBuf>) -> Removed {
        self.observe();
        let mut pruner = Pruner::new();
        let awaited = both().awaited();
        let artifacts = self.committer.artifacts().clone();
        for _ in 0..1000 {
            let folder_of = |trigger: &str| folders.get(trigger).cloned();
            let scene = Scene { reader: &self.reader, artifacts: &artifacts, folder_of: &folder_of, now_ms, lacks: 0 };
            let Some(txn) = pruner.next(rules, &scene, &awaited).unwrap() else { return pruner.removed() };
            self.committer.commit(&[txn]).unwrap();
        }
        panic!("it does not come to an end");
    }

    fn left(&self) -> Vec<RunId> {
        let rows = self.reader.runs(&RunFilter { limit: 1000, ..RunFilter::default() }).unwrap();
        let mut left: Vec<RunId> = rows.iter().map(|row| row.run).collect();
        left.reverse();
        left
    }
}

fn keep(retention: &str) -> Rules {
    let retention: Retention = serde_json::from_str(retention).unwrap();
    let config = RetentionConfig {
        age: retention.age,
        runs: retention.runs,
        logs: retention.logs,
        ..RetentionConfig::default()
    };
    let workflows = BTreeMap::from([("own".to_owned(), Retention { age: None, runs: None, logs: None, ..retention })]);
    Rules { config, workflows }
}

#[test]
fn runs_that_are_too_old_go_and_the_newest_of_each_workflow_stays() {
    let mut one = Case::new();
    let old = one.over("w", NOW - 9 * DAY);
    let late = one.begin("w", NOW - 8 * DAY, None);
    let last = one.over("other", NOW - 7 * DAY);
    one.end(late, NOW - DAY);
    let new = one.over("w", NOW - 1000);
    let removed = one.prune(&keep(r#"{ "age": "5d" }"#), NOW, &BTreeMap::new());
    assert_eq!((removed.runs, one.left()), (1, vec![late, last, new]), "{old} alone is too old");
    // An age counts from the end: one that ran for long is young.
    one.prune(&keep(r#"{ "age": "5d" }"#), NOW + 6 * DAY, &BTreeMap::new());
    assert_eq!(one.left(), [last, new]);
}

#[test]
fn a_run_under_way_and_what_it_waits_for_stay() {
    let mut one = Case::new();
    let parent = one.begin("w", NOW - 9 * DAY, None);
    let child = one.begin("leaf", NOW - 9 * DAY, Some(parent));
    one.end(child, NOW - 9 * DAY);
    one.over("leaf", NOW - 8 * DAY);
    one.over("leaf", NOW - 8 * DAY);
    let waits = one.over("w", NOW - 7 * DAY);
    let row = Write::Outbox { run: waits, step: 0, item: None, entry: 0, body: "{}".into() };
    one.commit(vec![row]);
    one.over("w", NOW - 1000);
    let rules = keep(r#"{ "runs": 1 }"#);
    one.prune(&rules, NOW, &BTreeMap::new());
    let left = one.left();
    assert!(left.contains(&parent) && left.contains(&child) && left.contains(&waits), "{left:?}");
    assert_eq!(left.len(), 5, "one of `leaf` and nothing else could go: {left:?}");
    one.end(parent, NOW);
    one.commit(vec![Write::OutboxDone { id: one.reader.outbox(0, 1).unwrap()[0].id }]);
    one.over("leaf", NOW);
    one.prune(&rules, NOW, &BTreeMap::new());
    assert_eq!(one.left().len(), 2, "the newest of each: {:?}", one.left());
}

#[test]
fn logs_go_before_their_run() {
    let mut one = Case::new();
    let run = one.over("w", NOW - 9 * DAY);
    one.commit(vec![Write::Log { run, step: 0, item: None, attempt: 1, lines: "x".repeat(1000) }]);
    one.over("w", NOW);
    let before = {
        one.observe();
        one.reader.holdings().unwrap()[0].bytes
    };
    one.prune(&keep(r#"{ "logs": "1d" }"#), NOW, &BTreeMap::new());
    assert!(one.reader.logs(run).unwrap().is_empty() && one.left().contains(&run));
    assert_eq!(one.reader.holdings().unwrap()[0].bytes, before - 1000);
}

#[test]
fn what_a_trigger_has_seen_is_forgotten_unless_it_lies_there_still() {
    let mut one = Case::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there.csv"), "x").unwrap();
    let row = |trigger: &str, path: &str, at_ms: i64| Write::Ledger {
        trigger: trigger.into(),
        identity: format!("id of {path}"),
        run: None,
        path: path.into(),
        stat: "1:1:1".into(),
        at_ms,
    };
    let decision = DecisionRow {
        trigger: "w/file-0".into(),
        subject: trackside_facts::DecisionSubject::Named("x".into()),
        at_ms: NOW - 40 * DAY,
        decision: trackside_facts::DecisionKind::Blocked.into(),
        detail: String::new(),
    };
    one.commit(vec![
        row("w/file-0", "there.csv", NOW - 40 * DAY),
        row("w/file-0", "gone.csv", NOW - 40 * DAY),
        row("w/file-0", "young.csv", NOW - DAY),
        row("away/file-0", "gone.csv", NOW - 40 * DAY),
        row("w/mqtt-0", "packet 7", NOW - 40 * DAY),
        Write::Decision(decision),
        Write::State {
            workflow: "w".into(),
            scope: String::new(),
            key: "lapsed".into(),
            value: Some(vec![1]),
            expires_ms: Some(NOW - 1),
        },
    ]);
    let month = Some("30d".parse().unwrap());
    let config = RetentionConfig { ledger: month, decisions: month, ..RetentionConfig::default() };
    let rules = Rules { config, workflows: BTreeMap::new() };
    let folders =
        BTreeMap::from([("w/file-0", folder.path().to_owned()), ("away/file-0", folder.path().join("not mounted"))]);
    one.prune(&rules, NOW, &folders);
    let known = |trigger: &str, path: &str| one.reader.ledger(trigger, &format!("id of {path}")).unwrap().is_some();
    assert!(known("w/file-0", "there.csv"), "a file that lies there is never forgotten");
    assert!(known("away/file-0", "gone.csv"), "nor one in a folder that is not there");
    assert!(known("w/file-0", "young.csv"));
    assert!(!known("w/file-0", "gone.csv") && !known("w/mqtt-0", "packet 7"));
    assert!(one.reader.decisions("w/file-0", None, 9).unwrap().is_empty());
    assert!(!one.reader.has_lapsed_state(NOW).unwrap());
}

#[test]
fn the_box_s_bytes_take_the_oldest_of_all_and_give_the_file_back() {
    let mut one = Case::new();
    for number in 0..400 {
        let run = one.over(["a", "b"][number % 2], NOW - 1_000_000 + number as i64 * 10);
        one.commit(vec![Write::Log { run, step: 0, item: None, attempt: 1, lines: "x".repeat(30_000) }]);
    }
    let before = one.reader.space().unwrap();
    assert!(before.used() > 11 << 20, "{before:?}");
    let bytes = Share::Size("2MiB".parse().unwrap());
    let config = RetentionConfig { bytes, ..RetentionConfig::default() };
    let rules = Rules { config, workflows: BTreeMap::new() };
    let all = one.left();
    let removed = one.prune(&rules, NOW, &BTreeMap::new());
    let after = one.reader.space().unwrap();
    assert!(after.used() <= 2 << 20, "{after:?}");
    assert!(after.file() <= (2 << 20) + (5 << 20), "what is free is given back: {after:?}");
    let left = one.left();
    assert_eq!(left, all[all.len() - left.len()..], "the oldest go");
    assert!(
        left.len() > 30 && removed.runs as usize == all.len() - left.len(),
        "not more than is needed: {}",
        left.len()
    );
}

#[test]
fn a_kept_result_and_a_hold_keep_a_file_that_no_run_names() {
    let mut one = Case::new();
    let hold = Hold::new(one.committer.artifacts());
    let made = |content: &str| hold.store(&mut content.as_bytes(), "x", "text/plain").unwrap();
    // In the database, and as files.
    let (kept, held, gone) = (made("kept"), made("held"), made("gone"));
    let large = |content: &str| made(&content.repeat(10_000));
    let (kept_file, held_file, gone_file) = (large("kept"), large("held"), large("gone"));
    let run = one.over("w", NOW - DAY);
    let names = Entry::of(&[json!({ "event": "x", "all": [
        kept.to_json(), held.to_json(), gone.to_json(), kept_file.to_json(), held_file.to_json(), gone_file.to_json(),
    ] })]);
    let all = [&kept, &held, &gone, &kept_file, &held_file, &gone_file];
    let digests = all.map(|one| one.digest);
    let writes = vec![
        Write::Counted { run, artifacts: names.artifacts() },
        Write::Kept {
            key: kept.digest,
            result: trackside_store::ResultRow {
                run,
                output: "1".into(),
                artifacts: vec![kept.digest, kept_file.digest],
            },
        },
    ];
    one.committer.commit(&[Txn { artifacts: digests.to_vec(), holds: vec![hold], ..Txn::of(writes) }]).unwrap();
    one.over("w", NOW);
    let holds = Hold::new(one.committer.artifacts());
    holds.keep(&held.digest);
    holds.keep(&held_file.digest);
    assert!([held.digest, held_file.digest].iter().all(|digest| one.committer.artifacts().has(digest)));
    let there = |one: &Case| all.map(|artifact| one.committer.artifacts().size_of(&artifact.digest).is_some());
    one.prune(&keep(r#"{ "runs": 1 }"#), NOW, &BTreeMap::new());
    assert_eq!(there(&one), [true, true, false, true, true, false]);
    drop(holds);
    one.prune(&keep(r#"{ "runs": 1 }"#), NOW, &BTreeMap::new());
    assert_eq!(there(&one), [true, false, false, true, false, false]);
}

#[test]
fn a_damaged_entry_is_left_out_and_holds_up_nothing() {
    let mut one = Case::new();
    let run = one.begin("w", NOW - DAY, None);
    one.commit(vec![Write::Journal { run, at_ms: NOW - DAY, entry: Entry::Packed(vec![1, 9, 10]), ended: None }]);
    one.end(run, NOW - DAY);
    one.over("w", NOW);
    one.observe();
    let usage = usage_since(&one.reader, 0).unwrap();
    assert_eq!(
        usage.iter().map(|row| (row.used.runs, row.used.succeeded)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (2, 2)
    );
    let removed = one.prune(&keep(r#"{ "runs": 1 }"#), NOW, &BTreeMap::new());
    assert_eq!((removed.runs, one.left().len()), (1, 1));
}

#[test]
fn a_cursor_beyond_the_end_goes_back_to_the_end() {
    let mut one = Case::new();
    one.over("w", NOW);
    one.observe();
    one.commit(vec![Write::Cursor { consumer: "usage", seq: 1_000_000 }]);
    one.observe();
    assert_eq!(one.reader.cursor("usage").unwrap(), one.reader.newest_entry().unwrap());
    one.over("w", NOW + 1);
    one.observe();
    let runs: u64 = usage_since(&one.reader, 0).unwrap().iter().map(|row| row.used.runs).sum();
    assert_eq!(runs, 2, "what comes after counts");
}

/// One that fails at every entry.
struct Broken;

impl Consumer for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn take(&mut self, _: Batch<'_>, _: &Reader) -> Result<Vec<Write>, StoreError> {
        Err(Reader::open(std::path::Path::new("/proc/none")).err().unwrap())
    }
}

#[test]
fn a_consumer_that_fails_holds_up_no_other_and_retention_no_longer_than_its_backlog() {
    let mut one = Case::new();
    let first = one.over("w", NOW - DAY);
    let events = Entry::of(&[json!({ "event": "x", "text": "y".repeat(200) })]);
    let entry = || Write::Journal { run: first, at_ms: NOW, entry: events.clone(), ended: None };
    one.commit((0..4200).map(|_| entry()).collect());
    let last = one.over("w", NOW);
    let all = Consumers::new(vec![Box::new(Broken), Box::new(RetentionConsumer::new()), Box::new(Usage)]);
    one.turns = Turns::new(all, Pace::default());
    let rules = |backlog: &str| Rules {
        config: RetentionConfig { runs: Some(1), backlog: backlog.parse().unwrap(), ..RetentionConfig::default() },
        workflows: BTreeMap::new(),
    };
    assert!(one.round(Some(&rules("64MiB"))).is_err(), "its error is told when the others are through");
    let newest = one.reader.newest_entry().unwrap();
    assert_eq!(["broken", "retention", "usage"].map(|name| one.reader.cursor(name).unwrap()), [0, newest, newest]);
    assert_eq!(one.left(), [first, last], "it is waited for");
    assert!(one.round(Some(&rules("100kB"))).is_err());
    assert_eq!(one.left(), [last], "it has had its time");
}

/// Counts what it is given.
struct Counts(&'static str, Arc<std::sync::Mutex<Vec<i64>>>);

impl Consumer for Counts {
    fn name(&self) -> &'static str {
        self.0
    }

    fn take(&mut self, batch: Batch<'_>, _: &Reader) -> Result<Vec<Write>, StoreError> {
        self.1.lock().unwrap().extend(batch.entries.iter().map(|entry| entry.seq));
        Ok(Vec::new())
    }
}

#[test]
fn consumers_that_stand_apart_meet_and_each_is_given_each_entry_once() {
    let mut one = Case::new();
    for at in 0..1500 {
        one.over("w", NOW - DAY + at);
    }
    one.commit(vec![Write::Cursor { consumer: "b", seq: 700 }, Write::Cursor { consumer: "c", seq: 2600 }]);
    let seen = ["a", "b", "c"].map(|name| (name, Arc::<std::sync::Mutex<Vec<i64>>>::default()));
    let consumers = seen.iter().map(|(name, seen)| -> Box<dyn Consumer> { Box::new(Counts(name, seen.clone())) });
    one.turns = Turns::new(Consumers::new(consumers.collect()), Pace::default());
    let made = one.round(None).unwrap();
    let newest = one.reader.newest_entry().unwrap();
    for ((name, seen), first) in seen.iter().zip([1, 701, 2601]) {
        assert_eq!(*seen.lock().unwrap(), (first..=newest).collect::<Vec<_>>(), "{name}");
    }
    assert_eq!(made, 4, "1 to 700, to 1,700, to 2,600, and then all three at once");
}

#[test]
fn under_a_load_that_does_not_ease_runs_go_while_others_come() {
    let mut one = Case::new();
    let rules = keep(r#"{ "runs": 20 }"#);
    one.turns = Turns::new(both(), Pace { batches: 1, removals: 1, worth: 0 });
    let artifacts = one.committer.artifacts().clone();
    one.turns.begin_round();
    let mut most = 0;
    for turn in 0..60 {
        // So many come between two transactions of the observer.
        for at in 0..60 {
            one.over("w", NOW - DAY + turn * 100 + at);
        }
        let scene = Scene { reader: &one.reader, artifacts: &artifacts, folder_of: &|_| None, now_ms: NOW, lacks: 0 };
        let txn = one.turns.next(Some(&rules), &scene).unwrap().expect("a round under load has no end");
        one.committer.commit(&[txn]).unwrap();
        most = most.max(one.left().len());
    }
    assert!(most < 260, "{most} runs were kept at one time");
    let usage: u64 = usage_since(&one.reader, 0).unwrap().iter().map(|row| row.used.runs).sum();
    assert_eq!(usage, 3600, "and none of them was removed before it was counted");
}

#[test]
fn what_comes_during_a_round_and_is_not_worth_a_commit_waits_for_the_next_one() {
    let mut one = Case::new();
    one.turns = Turns::new(both(), Pace { worth: 100, ..Pace::default() });
    let artifacts = one.committer.artifacts().clone();
    let read = |one: &mut Case| {
        let scene = Scene { reader: &one.reader, artifacts: &artifacts, folder_of: &|_| None, now_ms: NOW, lacks: 0 };
        let txn = one.turns.next(None, &scene).unwrap();
        if let Some(txn) = &txn {
            one.committer.commit(std::slice::from_ref(txn)).unwrap();
        }
        (txn.is_some(), one.reader.newest_entry().unwrap() - one.reader.cursor("usage").unwrap())
    };
    one.over("w", NOW);
    one.turns.begin_round();
    assert_eq!(read(&mut one), (true, 0), "what was there when it began is read, however little it is");
    for at in 0..49 {
        one.over("w", NOW + at);
    }
    assert_eq!(read(&mut one), (false, 98));
    one.turns.begin_round();
    assert_eq!(read(&mut one), (true, 0));
    for at in 0..50 {
        one.over("w", NOW + at);
    }
    assert_eq!(read(&mut one), (true, 0), "so many are");
}

#[test]
fn a_run_whose_row_is_gone_is_forgotten_and_not_tried_for_ever() {
    let mut one = Case::new();
    let run = one.over("w", NOW - 9 * DAY);
    one.commit(vec![Write::Log { run, step: 0, item: None, attempt: 1, lines: "x".into() }]);
    one.over("w", NOW);
    one.observe();
    let damage = rusqlite::Connection::open(one.folder.path().join("trackside.db")).unwrap();
    damage.execute("DELETE FROM runs WHERE id = ?1", [run.as_i64()]).unwrap();
    drop(damage);
    one.prune(&keep(r#"{ "logs": "1d" }"#), NOW, &BTreeMap::new());
    assert_eq!(one.reader.holdings().unwrap()[0].runs, 1);
}

#[test]
fn runs_that_a_consumer_has_not_seen_stay() {
    let mut one = Case::new();
    let first = one.over("w", NOW - 2 * DAY);
    one.over("w", NOW - DAY);
    one.observe();
    one.commit(vec![Write::Cursor { consumer: "usage", seq: 0 }]);
    let (rules, artifacts) = (keep(r#"{ "runs": 1 }"#), one.committer.artifacts().clone());
    let scene = Scene { reader: &one.reader, artifacts: &artifacts, folder_of: &|_| None, now_ms: NOW, lacks: 0 };
    assert!(dry_run(&rules, &scene, &both().awaited()).unwrap().candidates.is_empty(), "usage has not counted {first}");
    one.observe();
    assert_eq!(one.prune(&rules, NOW, &BTreeMap::new()).runs, 1);
}

#[test]
fn a_workflow_s_own_rules_come_before_the_node_s() {
    let mut one = Case::new();
    for at in 0..4 {
        one.over("own", NOW + at * 10);
        one.over("w", NOW + at * 10 + 5);
    }
    let config = RetentionConfig { runs: Some(1), ..RetentionConfig::default() };
    let own = Retention { runs: Some(3), ..Retention::default() };
    let rules = Rules { config, workflows: BTreeMap::from([("own".to_owned(), own)]) };
    assert_eq!(one.prune(&rules, NOW, &BTreeMap::new()).runs, 1 + 3);
    let held: Vec<_> = one.reader.holdings().unwrap().into_iter().map(|one| (one.workflow, one.runs)).collect();
    assert_eq!(held, [("own".to_owned(), 3), ("w".to_owned(), 1)]);
}

#[test]
fn pauses_and_definitions_that_newer_ones_replaced_go_as_old_decisions_do() {
    let mut one = Case::new();
    let paused = |at_ms: i64| Write::Paused(PausedRow { trigger: "w/cron-0".into(), at_ms, by: "ana".into() });
    let resumed = |at_ms: i64| Write::Resumed { trigger: "w/cron-0".into(), at_ms, by: "ana".into() };
    one.commit(vec![paused(NOW - 50 * DAY), resumed(NOW - 49 * DAY), paused(NOW - 48 * DAY), resumed(NOW - 2 * DAY)]);
    one.commit(vec![paused(NOW - DAY)]);
    one.over("w", NOW - DAY);
    let entries = |one: &Case| {
        let entries = one.reader.subject(&Subject::Trigger("w/cron-0".into()), 9).unwrap();
        entries.iter().map(|entry| (NOW - entry.at_ms) / DAY).collect::<Vec<_>>()
    };
    let rules = |decisions: Option<&str>| {
        let decisions = decisions.map(|age| age.parse().unwrap());
        Rules { config: RetentionConfig { decisions, ..RetentionConfig::default() }, workflows: BTreeMap::new() }
    };
    one.prune(&rules(None), NOW, &BTreeMap::new());
    assert_eq!(entries(&one), [1, 2, 48, 49, 50], "without an age all of it is kept");
    one.prune(&rules(Some("30d")), NOW, &BTreeMap::new());
    assert_eq!(entries(&one), [1, 2]);
    one.prune(&rules(Some("30d")), NOW + 400 * DAY, &BTreeMap::new());
    assert_eq!(entries(&one), [1], "the newest stays, however old it is");
}

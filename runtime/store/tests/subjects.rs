//! Entries of the journal that belong to no run.

use std::sync::Arc;

use trackside_facts::{Subject, SubjectEvent};
use trackside_spec::load_workflow;
use trackside_store::{About, Activation, Committer, Durability, PausedRow, Prune, Reader, Txn, Write};

const BEFORE: [&str; 6] = [
    include_str!("../src/schema/0001.sql"),
    include_str!("../src/schema/0002.sql"),
    include_str!("../src/schema/0003.sql"),
    include_str!("../src/schema/0004.sql"),
    include_str!("../src/schema/0005.sql"),
    include_str!("../src/schema/0006.sql"),
];

fn trigger() -> Subject {
    Subject::Trigger("w/cron-0".into())
}

fn facts(reader: &Reader, subject: &Subject) -> Vec<(i64, SubjectEvent)> {
    let entries = reader.subject(subject, 100).unwrap();
    assert!(entries.iter().all(|entry| entry.about == About::Subject(subject.to_string())));
    entries.iter().flat_map(|entry| entry.facts().unwrap().into_iter().map(|fact| (entry.at_ms, fact))).collect()
}

#[test]
fn a_pause_and_what_comes_into_use_stand_in_the_journal_in_the_order_of_commits() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = Committer::open(folder.path(), Durability::Full).unwrap();
    let plan = Arc::new(load_workflow("w.yaml", "version: 1\nname: w\nsteps:\n  a: { plugin: echo }\n").unwrap());
    let activated = |at_ms: i64| {
        let (file, by) = ("workflows/w.yaml".to_owned(), "the start".to_owned());
        Write::Activated(Activation { workflow: "w".into(), file, plan: Some(plan.clone()), at_ms, by })
    };
    let paused = |at_ms: i64| Write::Paused(PausedRow { trigger: "w/cron-0".into(), at_ms, by: "ana".into() });
    let resumed = |at_ms: i64| Write::Resumed { trigger: "w/cron-0".into(), at_ms, by: "bo".into() };
    committer
        .commit(&[Txn::of(vec![paused(1), activated(2)]), Txn::of(vec![paused(3), resumed(4), resumed(5)])])
        .unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let expected =
        [(4, SubjectEvent::TriggerResumed { by: "bo".into() }), (1, SubjectEvent::TriggerPaused { by: "ana".into() })];
    assert_eq!(facts(&reader, &trigger()), expected, "what changed nothing is no fact");
    let order: Vec<String> = reader.journal_after(0, 99).unwrap().iter().map(|entry| entry.about.to_string()).collect();
    assert_eq!(order, ["trigger/w/cron-0", "workflow/w", "trigger/w/cron-0"]);
    assert!(reader.paused().unwrap().is_empty(), "the table says what the last fact says");
}

#[test]
fn what_a_database_of_before_says_of_pauses_and_definitions_becomes_entries() {
    let folder = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    for script in BEFORE {
        old.execute_batch(script).unwrap();
    }
    let digest = trackside_spec::Digest::of(b"x");
    old.execute_batch(&format!(
        "PRAGMA user_version = 6;
         INSERT INTO definitions VALUES (1, '{digest}', 'w', 'version: 1');
         INSERT INTO runs VALUES (5, 1, 'manual', 5, 6, 'succeeded', NULL, 2);
         INSERT INTO journal VALUES (1, 5, 0, 5, '[]'), (2, 5, 1, 6, '[]');
         INSERT INTO paused VALUES ('w/cron-0', 7, 'ana');
         INSERT INTO activations VALUES ('w', 1, 3, 'w.yaml', 1, 'the start'), ('w', 2, 9, 'w.yaml', NULL, 'SIGHUP');"
    ))
    .unwrap();
    drop(old);
    // Before a node of this version has opened it.
    let reader = Reader::open(folder.path()).unwrap();
    assert!(reader.subject(&trigger(), 9).unwrap().is_empty());
    assert_eq!(reader.journal_after(0, 9).unwrap().len(), 2);
    assert!(reader.usage(0).unwrap().is_empty() && reader.holdings().unwrap().is_empty(), "nothing is counted yet");
    assert!(reader.free_artifacts(0, 9).unwrap().is_empty() && reader.named_artifacts().unwrap().is_empty());
    assert_eq!((reader.cursor("usage").unwrap(), reader.artifact_file_bytes().unwrap()), (0, 0));
    drop(reader);
    drop(Committer::open(folder.path(), Durability::Full).unwrap());
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(facts(&reader, &trigger()), [(7, SubjectEvent::TriggerPaused { by: "ana".into() })]);
    let file = || "w.yaml".to_owned();
    let expected = [
        (9, SubjectEvent::Activated { file: file(), definition: None, by: "SIGHUP".into() }),
        (3, SubjectEvent::Activated { file: file(), definition: Some(digest), by: "the start".into() }),
    ];
    assert_eq!(facts(&reader, &Subject::Workflow("w".into())), expected);
    assert_eq!(reader.journal(trackside_engine::RunId::from_i64(5)).unwrap().len(), 2, "runs are as they were");
    assert_eq!(reader.uncounted().unwrap(), 2, "artifacts that older entries name are counted by and by");
}

#[test]
fn what_a_newer_fact_has_superseded_can_go_and_what_is_left_is_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = Committer::open(folder.path(), Durability::Full).unwrap();
    let paused =
        |trigger: &str, at_ms: i64| Write::Paused(PausedRow { trigger: trigger.into(), at_ms, by: "a".into() });
    let resumed = |trigger: &str, at_ms: i64| Write::Resumed { trigger: trigger.into(), at_ms, by: "a".into() };
    // Entries 1 to 6; the clock is ahead at the second.
    let (one, other) = ("w/cron-0", "w/cron-1");
    let writes = vec![
        paused(one, 10),
        resumed(one, 99),
        paused(other, 30),
        paused(one, 40),
        resumed(one, 50),
        resumed(other, 60),
    ];
    committer.commit(&[Txn::of(writes)]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let superseded = |before: i64, seen: i64, limit: usize| reader.superseded(before, seen, limit).unwrap();
    assert_eq!(superseded(45, 9, 9), [1, 3], "what lies behind one that is young stays");
    assert_eq!(superseded(100, 9, 9), [1, 2, 4, 3], "the newest of each stays");
    assert_eq!(superseded(100, 9, 2), [1, 2], "the oldest go first");
    assert_eq!(superseded(100, 1, 9), [1], "what a consumer has not seen stays");
    assert_eq!(superseded(10, 9, 9), [] as [i64; 0]);
    let prune = |entries: &[i64]| Txn::of(vec![Write::Prune(Prune::Subjects(entries.to_vec()))]);
    // Whatever is asked for, the newest of each stays.
    committer.commit(&[prune(&[1, 2, 3, 6])]).unwrap();
    let left: Vec<i64> = reader.journal_after(0, 9).unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(left, [4, 5, 6]);
    let times: Vec<i64> = facts(&reader, &trigger()).iter().map(|(at_ms, _)| *at_ms).collect();
    assert_eq!(times, [50, 40]);
    // It goes on behind what is left.
    committer.commit(&[Txn::of(vec![paused(one, 70)]), prune(&superseded(100, 9, 9))]).unwrap();
    let times: Vec<i64> = facts(&reader, &trigger()).iter().map(|(at_ms, _)| *at_ms).collect();
    assert_eq!(times, [70, 50], "what was the newest when it was asked for");
}

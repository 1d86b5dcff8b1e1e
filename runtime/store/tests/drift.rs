//! What is watched for drift: rows, windows and entries together, bounded, and quick to ask.

use std::{path::Path, time::Instant};

use trackside_facts::{Subject, SubjectEvent};
use trackside_store::{Committer, DriftRow, DriftWindowRow, Durability, Reader, Txn, WINDOWS_KEPT, Write};

fn open(folder: &Path) -> (Committer, Reader) {
    let committer = Committer::open(folder, Durability::Full).unwrap();
    (committer, Reader::open(folder).unwrap())
}

fn row(name: &str, version: u32, windows: std::ops::Range<u64>, document: &str) -> DriftRow {
    let window = |number| DriftWindowRow {
        number,
        to_ms: 5,
        says: if number % 2 == 0 { "drift" } else { "calm" }.to_owned(),
        document: document.to_owned(),
    };
    DriftRow {
        subject: Subject::Model(name.to_owned()),
        version,
        content: "a".to_owned(),
        state: vec![7; 100],
        reference: None,
        drift: "none".to_owned(),
        at_ms: 9,
        windows: windows.map(window).collect(),
        events: Vec::new(),
    }
}

fn commit(committer: &mut Committer, row: DriftRow) {
    committer.commit(&[Txn::of(vec![Write::Drift(Box::new(row))])]).unwrap();
}

fn raised(window: u64) -> SubjectEvent {
    SubjectEvent::DriftAlarm { version: Some(1), window, columns: vec!["t".into()], words: "t: from 1 to 2".into() }
}

#[test]
fn an_alarm_and_its_entry_are_there_together_until_it_is_cleared_or_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    let first =
        DriftRow { reference: Some("{\"rows\":5}".into()), events: vec![(9, raised(3))], ..row("pump", 1, 1..4, "{}") };
    commit(&mut committer, DriftRow { drift: "alarm".into(), ..first });
    let found = reader.drift(None).unwrap();
    assert_eq!((found[0].subject.as_str(), found[0].version, found[0].drift.as_str()), ("model/pump", 1, "alarm"));
    assert!(found[0].alarm.as_ref().unwrap().contains("from 1 to 2"));
    let pump = Subject::Model("pump".into());
    assert_eq!(reader.subject(&pump, 10).unwrap()[0].facts().unwrap(), [raised(3)]);
    assert_eq!(reader.drift_state(&pump, 1).unwrap().unwrap(), ("a".into(), vec![7; 100], "alarm".into()));
    // A reference that is as it was stays.
    commit(&mut committer, row("pump", 1, 4..5, "{}"));
    let found = reader.drift(Some("model/pump")).unwrap();
    assert!(found[0].reference == "{\"rows\":5}" && found[0].alarm.is_some(), "{found:?}");
    let cleared = SubjectEvent::DriftCleared { version: Some(1), window: 5 };
    commit(&mut committer, DriftRow { events: vec![(9, cleared)], ..row("pump", 1, 5..6, "{}") });
    let found = reader.drift(None).unwrap();
    assert!(found[0].alarm.is_none());
    assert_eq!(reader.drift_says(found[0].id, 3).unwrap(), ["calm", "drift", "calm"]);
    // Another content under the same number has no windows yet.
    commit(&mut committer, DriftRow { content: "b".into(), ..row("pump", 1, 1..2, "{}") });
    assert_eq!(reader.drift_windows(found[0].id, 10).unwrap().len(), 1);
    let reset = Write::DriftReset { subject: pump.clone(), at_ms: 10, by: "ana".into() };
    committer.commit(&[Txn::of(vec![reset])]).unwrap();
    assert!(reader.drift(None).unwrap().is_empty() && reader.drift_windows(found[0].id, 10).unwrap().is_empty());
    let newest = reader.subject(&pump, 1).unwrap()[0].facts().unwrap();
    assert_eq!(newest, [SubjectEvent::DriftReset { by: "ana".into() }]);
}

#[test]
fn ten_thousand_windows_are_asked_within_fifty_milliseconds_and_more_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    // What a window of 20 columns takes.
    let document = "x".repeat(6_000);
    let kept = u64::try_from(WINDOWS_KEPT).unwrap();
    for version in 1..=10 {
        commit(&mut committer, row("pump", version, 1..kept + 51, &document));
    }
    let began = Instant::now();
    let found = reader.drift(None).unwrap();
    let mut windows = 0;
    for row in &found {
        windows += reader.drift_windows(row.id, 1).unwrap().len() + reader.drift_says(row.id, 30).unwrap().len();
    }
    let took = began.elapsed();
    println!("10,000 windows of 10 versions: {took:?}");
    assert_eq!((found.len(), windows), (10, 310));
    assert!(took.as_millis() < 50, "{took:?}");
    let all = reader.drift_windows(found[0].id, u32::MAX).unwrap();
    assert_eq!((all.len() as u64, all.last().unwrap().number), (kept, 51));
}

//! Predictions and their truth meet once, in whichever order they come, and nothing grows without end.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use trackside_facts::{Passed, Predicted, Subject, SubjectEvent};
use trackside_store::{
    AnswerCount, Committer, DrawnVerdicts, Durability, EARLY_LABELS_KEPT, PredictionBatch, PredictionKeep,
    PredictionRow, Reader, Told, TruthRow, Txn, Write,
};

const RUN: &str = "38hf4xyvart7g";

fn open(folder: &Path) -> (Committer, Reader) {
    let committer = Committer::open(folder, Durability::Full).unwrap();
    (committer, Reader::open(folder).unwrap())
}

fn commit(committer: &mut Committer, writes: Vec<Write>) {
    committer.commit(&[Txn::of(writes)]).unwrap();
}

/// A class that this version said.
fn said(model: &str, request: &str, version: u32, class: u32) -> PredictionRow {
    PredictionRow {
        model: model.to_owned(),
        request: request.to_owned(),
        shadow: false,
        version,
        at_ms: 10,
        answers: vec![Predicted { class: Some(class), confidence: Some(0.5), ..Predicted::default() }],
        tolerance: 0.0,
    }
}

fn batch(rows: Vec<PredictionRow>) -> Write {
    Write::Predictions(Box::new(PredictionBatch { rows, ..PredictionBatch::default() }))
}

fn truth(request: &str, truth: Value) -> TruthRow {
    let told = Arc::default();
    TruthRow { request: request.to_owned(), model: None, truth, at_ms: 20, by: "ana".to_owned(), told }
}

/// Tells it, and what became of it.
fn tell(committer: &mut Committer, row: TruthRow) -> Told {
    let told = row.told.clone();
    commit(committer, vec![Write::Truth(Box::new(row))]);
    told.lock().unwrap().take().unwrap()
}

/// Labelled and right, of a version.
fn counts(reader: &Reader, model: &str, version: u32) -> (u64, u64) {
    let rows = reader.accuracy(Some(model)).unwrap();
    rows.iter().find(|row| row.version == version).map_or((0, 0), |row| (row.labelled, row.correct))
}

#[test]
fn a_truth_and_its_prediction_meet_once_in_whichever_order_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    assert_eq!(tell(&mut committer, truth("early", json!(1))), Told::Early);
    commit(&mut committer, vec![batch(vec![said("m", "early", 1, 1), said("m", "late", 2, 1)])]);
    assert_eq!((counts(&reader, "m", 1), reader.early_labels().unwrap()), ((1, 1), 0));
    let taken = Told::Taken { model: "m".to_owned(), version: 2, right: (0, 1), was: None };
    assert_eq!(tell(&mut committer, truth("late", json!(3))), taken);
    assert_eq!(tell(&mut committer, truth("late", json!(3))), Told::Repeated { model: "m".to_owned(), version: 2 });
    let was = Some("3".to_owned());
    let corrected = Told::Taken { model: "m".to_owned(), version: 2, right: (1, 1), was: was.clone() };
    assert_eq!((tell(&mut committer, truth("late", json!(1))), counts(&reader, "m", 2)), (corrected, (1, 1)));
    assert!(matches!(tell(&mut committer, truth("late", json!("cat"))), Told::Unfit(_)));
    assert_eq!(counts(&reader, "m", 2), (1, 1));
    // What was told stands in the journal, each with what it corrects; what changed nothing does not.
    let entries = reader.subject(&Subject::Labels("m".to_owned()), 10).unwrap();
    let facts: Vec<SubjectEvent> = entries.iter().flat_map(|entry| entry.facts().unwrap()).collect();
    let labelled = |request: &str, version, truth: &str, was| SubjectEvent::Labelled {
        request: request.to_owned(),
        version,
        truth: truth.to_owned(),
        was,
        by: "ana".to_owned(),
    };
    assert_eq!(facts, [labelled("late", 2, "1", was), labelled("late", 2, "3", None), labelled("early", 1, "1", None)]);
    // Verdicts wait in their order until what follows is drawn, once.
    let verdicts = reader.verdicts(10).unwrap();
    let told: Vec<_> = verdicts.iter().map(|verdict| (verdict.version, verdict.correct, verdict.was)).collect();
    assert_eq!(told, [(1, true, None), (2, false, None), (2, true, Some(false))]);
    let drawn = DrawnVerdicts { up_to: verdicts[1].id, states: Vec::new(), at_ms: 30 };
    commit(&mut committer, vec![Write::VerdictsDrawn(drawn)]);
    assert_eq!(reader.verdicts(10).unwrap().len(), 1);
}

#[test]
fn a_candidates_answer_takes_the_label_of_the_request_that_it_shadows() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    let shadow = |request: &str, class| PredictionRow { shadow: true, ..said("m", request, 2, class) };
    commit(&mut committer, vec![batch(vec![said("m", "a", 1, 0), shadow("a", 1), said("m", "b", 1, 0)])]);
    tell(&mut committer, truth("a", json!(1)));
    let pair = |reader: &Reader| {
        let verdicts = reader.verdicts(10).unwrap();
        verdicts.iter().map(|one| (one.version, one.shadow, one.correct, one.was, one.beside)).collect::<Vec<_>>()
    };
    assert_eq!(pair(&reader), [(1, false, false, None, Some((2, true))), (2, true, true, None, None)]);
    // One that comes after the label: the pair is told, and the answer itself counts no second time.
    tell(&mut committer, truth("b", json!(0)));
    commit(&mut committer, vec![batch(vec![shadow("b", 1)])]);
    let late =
        [(1, false, true, None, None), (2, true, false, None, None), (1, false, true, Some(true), Some((2, false)))];
    assert_eq!(pair(&reader)[2..], late);
    assert_eq!((counts(&reader, "m", 1), counts(&reader, "m", 2)), ((2, 1), (2, 1)));
}

#[test]
fn a_run_is_known_by_its_id_alone_where_it_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    commit(&mut committer, vec![batch(vec![said("m", &format!("{RUN}/one"), 1, 0)])]);
    assert!(matches!(tell(&mut committer, truth(RUN, json!(0))), Told::Taken { right: (1, 1), .. }));
    commit(&mut committer, vec![batch(vec![said("m", &format!("{RUN}/two"), 1, 0)])]);
    let steps = [format!("{RUN}/one"), format!("{RUN}/two")];
    assert_eq!(tell(&mut committer, truth(RUN, json!(1))), Told::Steps(steps.to_vec()));
    commit(&mut committer, vec![batch(vec![said("other", &format!("{RUN}/one"), 1, 0)])]);
    let several = Told::Several(vec!["m".to_owned(), "other".to_owned()]);
    assert_eq!(tell(&mut committer, truth(&format!("{RUN}/one"), json!(1))), several);
    assert_eq!(counts(&reader, "m", 1), (1, 1));
}

#[test]
fn predictions_and_labels_of_nobody_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    let labels =
        (0..EARLY_LABELS_KEPT + 50).map(|number| Write::Truth(Box::new(truth(&format!("u{number}"), json!(1)))));
    commit(&mut committer, labels.collect());
    assert_eq!(reader.early_labels().unwrap(), u64::from(EARLY_LABELS_KEPT));
    let rows = (0..50).map(|number| PredictionRow { at_ms: number, ..said("m", &format!("r{number}"), 1, 0) });
    let keep = |most, from_ms| vec![PredictionKeep { model: "m".to_owned(), most, from_ms }];
    let passed = Passed { rate: 7, ..Passed::default() };
    let count = AnswerCount { model: "m".to_owned(), version: 1, answered: 57, passed };
    let first = PredictionBatch { rows: rows.collect(), counts: vec![count], keep: keep(20, 0), early_from_ms: 0 };
    commit(&mut committer, vec![Write::Predictions(Box::new(first))]);
    assert_eq!(reader.kept_predictions("m").unwrap().all, 20);
    let later = PredictionBatch { keep: keep(20, 45), early_from_ms: 21, ..PredictionBatch::default() };
    commit(&mut committer, vec![Write::Predictions(Box::new(later))]);
    assert_eq!((reader.kept_predictions("m").unwrap().all, reader.early_labels().unwrap()), (5, 0));
    let row = &reader.accuracy(None).unwrap()[0];
    assert_eq!((row.answered, row.recorded, row.passed.rate), (57, 50, 7), "what went was counted all the same");
    let all = PredictionBatch { keep: keep(20, 100), ..PredictionBatch::default() };
    commit(&mut committer, vec![Write::Predictions(Box::new(all))]);
    assert_eq!(reader.kept_predictions("m").unwrap().all, 0);
}

#[test]
fn a_request_of_the_same_name_takes_the_place_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    commit(&mut committer, vec![batch(vec![said("m", "1", 1, 0)])]);
    tell(&mut committer, truth("1", json!(0)));
    commit(&mut committer, vec![batch(vec![said("m", "1", 2, 0)])]);
    assert!(matches!(tell(&mut committer, truth("1", json!(0))), Told::Taken { version: 2, .. }));
    assert_eq!((counts(&reader, "m", 1), counts(&reader, "m", 2)), ((1, 1), (1, 1)));
    assert_eq!(reader.kept_predictions("m").unwrap().all, 1);
}

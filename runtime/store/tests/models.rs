//! The registry of models: rows and entries together, what is told of the past, what a crash leaves.

use std::{fs, path::Path};

use trackside_facts::{Subject, SubjectEvent};
use trackside_spec::{Digest, ModelRef, model_folder};
use trackside_store::{
    AddedModel, Committer, Durability, MovedAlias, PausedRow, Prune, Reader, StoreError, TestedModel, Txn, Unresolved,
    Write,
};

fn added(name: &str, version: u32, at_ms: i64) -> Write {
    let digest = Digest::of(format!("{name} {version}").as_bytes());
    Write::ModelAdded(AddedModel { name: name.into(), version, digest, bytes: 5, at_ms, by: "ana".into() })
}

fn moved(name: &str, alias: &str, to: Option<u32>, at_ms: i64, by: &str) -> Write {
    Write::ModelAliasMoved(MovedAlias { name: name.into(), alias: alias.into(), to, at_ms, by: by.into() })
}

fn removed(name: &str, version: u32, at_ms: i64) -> Write {
    Write::ModelRemoved { name: name.into(), version, at_ms, by: "bo".into() }
}

fn open(folder: &Path) -> (Committer, Reader) {
    let committer = Committer::open(folder, Durability::Full).unwrap();
    (committer, Reader::open(folder).unwrap())
}

fn commit(committer: &mut Committer, writes: Vec<Write>) {
    committer.commit(&[Txn::of(writes)]).unwrap();
}

fn facts(reader: &Reader, name: &str) -> Vec<SubjectEvent> {
    let entries = reader.model_history(name, 100).unwrap();
    entries.iter().flat_map(|entry| entry.facts().unwrap()).collect()
}

fn reference(text: &str) -> ModelRef {
    text.parse().unwrap()
}

#[test]
fn a_version_an_alias_and_their_entries_are_there_together() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    assert_eq!((reader.models().unwrap(), reader.models_changed().unwrap()), (vec![], 0));
    commit(&mut committer, vec![added("pump", 1, 10), moved("pump", "champion", Some(1), 10, "ana")]);
    let first = reader.models_changed().unwrap();
    commit(&mut committer, vec![added("pump", 2, 20), moved("pump", "b", Some(2), 20, "ana"), added("fan", 1, 21)]);
    assert!(reader.models_changed().unwrap() > first);
    let pump = reader.model("pump").unwrap().unwrap();
    assert_eq!(pump.versions.iter().map(|row| (row.version, row.added_ms)).collect::<Vec<_>>(), [(1, 10), (2, 20)]);
    assert_eq!(pump.aliases_of(2).collect::<Vec<_>>(), ["b"]);
    assert_eq!(reader.models().unwrap().iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["fan", "pump"]);
    let version = |text: &str| reader.resolve_model(&reference(text)).unwrap().map(|found| found.version.version);
    assert_eq!(
        [version("pump"), version("pump@b"), version("pump@2"), version("pump@1")].map(Result::unwrap),
        [1, 2, 2, 1]
    );
    let told = |text: &str| version(text).unwrap_err().to_string();
    assert!(told("pmp").starts_with("[TS-0551]") && told("pmp").contains("did you mean `pump`"), "{}", told("pmp"));
    assert!(told("x").contains("it has fan, pump"), "{}", told("x"));
    assert!(told("pump@champoin").contains("did you mean `pump@champion`"));
    assert!(told("fan@b").starts_with("[TS-0552]") && told("fan@b").contains("it has none"), "{}", told("fan@b"));
    assert!(told("pump@3").contains("the newest is 2"));
    // What changes nothing is no fact; what does not fit changes nothing.
    let before = reader.models_changed().unwrap();
    let misfits = vec![
        moved("pump", "b", Some(2), 30, "bo"),
        moved("pump", "c", Some(9), 30, "bo"),
        moved("nothing", "c", Some(1), 30, "bo"),
        moved("pump", "c", None, 30, "bo"),
        added("pump", 2, 30),
        added("pump", 7, 30),
        removed("pump", 2, 30),
        removed("pump", 9, 30),
    ];
    commit(&mut committer, misfits);
    assert_eq!(reader.models_changed().unwrap(), before);
    assert_eq!(reader.model("pump").unwrap().unwrap(), pump);
}

#[test]
fn a_number_is_never_given_again_and_the_past_is_told_when_all_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    commit(&mut committer, vec![added("pump", 1, 10), moved("pump", "champion", Some(1), 10, "ana")]);
    commit(&mut committer, vec![added("pump", 2, 20), moved("pump", "champion", Some(2), 30, "bo")]);
    // The clock is set back before the last moves.
    commit(
        &mut committer,
        vec![moved("pump", "champion", None, 25, "eve"), removed("pump", 2, 26), removed("pump", 1, 27)],
    );
    let row = reader.model("pump").unwrap().unwrap();
    assert_eq!((row.versions.len(), row.last_version), (0, 2));
    assert!(matches!(reader.resolve_model(&reference("pump")).unwrap(), Err(Unresolved::Model { .. })));
    let champion = |at: i64| {
        let state = reader.model_at("pump", at).unwrap()?;
        let alias = state.aliases.get("champion").map(|at| (at.version, at.since_ms, at.by.clone()));
        Some((state.versions.into_iter().collect::<Vec<_>>(), alias))
    };
    assert_eq!(champion(9), None);
    assert_eq!(champion(10), Some((vec![1], Some((1, 10, "ana".to_owned())))));
    assert_eq!(champion(24), Some((vec![1, 2], Some((1, 10, "ana".to_owned())))));
    assert_eq!(champion(25), Some((vec![1, 2], None)), "what was committed before it happened before it");
    assert_eq!(champion(99), Some((vec![], None)));
    commit(&mut committer, vec![added("pump", 3, 40)]);
    assert_eq!(reader.model("pump").unwrap().unwrap().versions[0].version, 3);
}

#[test]
fn retention_takes_nothing_of_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    let paused = |at_ms: i64| Write::Paused(PausedRow { trigger: "w/cron-0".into(), at_ms, by: "a".into() });
    let resumed = |at_ms: i64| Write::Resumed { trigger: "w/cron-0".into(), at_ms, by: "a".into() };
    commit(
        &mut committer,
        vec![added("pump", 1, 10), moved("pump", "champion", Some(1), 10, "ana"), paused(10), resumed(11)],
    );
    assert_eq!(reader.superseded(100, 100, 100).unwrap(), [3], "of the trigger, and not of the model");
    let all: Vec<i64> = reader.journal_after(0, 99).unwrap().iter().map(|entry| entry.seq).collect();
    commit(&mut committer, vec![Write::Prune(Prune::Subjects(all))]);
    assert_eq!(facts(&reader, "pump").len(), 2);
    assert_eq!(reader.subject(&Subject::Trigger("w/cron-0".into()), 9).unwrap().len(), 1);
}

#[test]
fn a_test_on_another_engine_is_a_fact_and_the_last_one_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    let tested = |version: u32, engine: &str, problem: Option<&str>, at_ms: i64| {
        let (name, how, by) = ("pump".to_owned(), "sample".to_owned(), "the node".to_owned());
        let problem = problem.map(str::to_owned);
        Write::ModelTested(TestedModel { name, version, engine: engine.into(), how, problem, at_ms, by })
    };
    commit(
        &mut committer,
        vec![added("pump", 1, 10), tested(1, "rten 0.27.0", None, 10), tested(9, "rten 0.27.0", None, 11)],
    );
    commit(&mut committer, vec![tested(1, "onnxruntime 1.32.0", Some("3 of 4 values differ"), 20)]);
    let row = reader.model("pump").unwrap().unwrap().versions.remove(0).tested.unwrap();
    assert_eq!(
        (row.engine.as_str(), row.problem.as_deref(), row.at_ms),
        ("onnxruntime 1.32.0", Some("3 of 4 values differ"), 20)
    );
    assert_eq!(facts(&reader, "pump").len(), 3, "a version that is gone was not tested");
}

#[test]
fn damaged_rows_are_told_and_take_no_others_away() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    commit(
        &mut committer,
        vec![added("pump", 1, 1), added("pump", 2, 1), moved("pump", "champion", Some(2), 1, "a"), added("fan", 1, 1)],
    );
    drop(committer);
    let database = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    database
        .execute_batch(
            "UPDATE model_versions SET digest = x'00' WHERE version = 2;
             INSERT INTO model_versions SELECT model, -4, x'00', 0, 0, '', NULL, NULL, NULL, NULL FROM model_versions LIMIT 1;
             INSERT INTO model_aliases SELECT id, 'b', 77, 0, '' FROM models WHERE name = 'pump';",
        )
        .unwrap();
    let pump = reader.models().unwrap().pop().unwrap();
    assert_eq!((pump.name.as_str(), pump.versions.len(), pump.aliases.len(), pump.damaged.len()), ("pump", 1, 0, 4));
    let resolve = |text: &str| reader.resolve_model(&reference(text));
    assert_eq!(resolve("pump@1").unwrap().unwrap().version.version, 1);
    for text in ["pump", "pump@2", "pump@b"] {
        assert!(matches!(resolve(text), Err(StoreError::Damaged { .. })), "{text}");
    }
    assert_eq!(resolve("fan@1").unwrap().unwrap().version.version, 1);
    // Several questions of one moment.
    let both = reader.at_one_moment(|reader| Ok((reader.models()?.len(), reader.model("fan")?.is_some()))).unwrap();
    assert_eq!(both, (2, true));
}

#[test]
fn a_database_of_before_has_no_models() {
    let folder = tempfile::tempdir().unwrap();
    let old = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    old.execute_batch(include_str!("../src/schema/0001.sql")).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(
        (reader.models().unwrap(), reader.model("pump").unwrap(), reader.models_changed().unwrap()),
        (vec![], None, 0)
    );
    assert!(matches!(reader.resolve_model(&reference("pump")).unwrap(), Err(Unresolved::Model { .. })));
    assert_eq!(reader.model_versions_with(&Digest::of(b"x")).unwrap(), 0);
    assert_eq!(reader.model_at("pump", 9).unwrap(), None);
}

#[test]
fn what_a_crash_left_among_the_folders_goes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (mut committer, reader) = open(folder.path());
    commit(&mut committer, vec![added("pump", 1, 10)]);
    let digest = reader.model("pump").unwrap().unwrap().versions[0].digest;
    drop((committer, reader));
    let models = folder.path().join("models");
    let names = [".incoming-1", ".removed-2", &model_folder(&digest), &model_folder(&Digest::of(b"orphan")), "notes"];
    for name in names {
        fs::create_dir_all(models.join(name).join("deep")).unwrap();
        fs::write(models.join(name).join("deep/file"), "x").unwrap();
    }
    let kept = || {
        let mut names: Vec<String> =
            fs::read_dir(&models).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    drop(open(folder.path()));
    assert_eq!(kept(), ["notes".to_owned(), model_folder(&digest)]);
    // The database is lost: what lies there is not that of a crash, and whoever puts the database back finds it again.
    for name in ["trackside.db", "trackside.db-wal", "trackside.db-shm"] {
        let _ = fs::rename(folder.path().join(name), folder.path().join(format!("{name}.away")));
    }
    let long_ago = fs::File::open(models.join(model_folder(&digest))).unwrap();
    long_ago.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).unwrap();
    drop(open(folder.path()));
    drop(open(folder.path()));
    assert_eq!(kept(), ["notes".to_owned(), model_folder(&digest)]);
}

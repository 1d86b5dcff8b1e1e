//! What the store promises of artifacts: files that can be trusted after a power cut, small ones in the transaction of what names
//! them, one copy of each.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use trackside_engine::RunId;
use trackside_facts::Entry;
use trackside_spec::{ArtifactRef, Digest};
use trackside_store::{ArtifactProblem, Artifacts, Committer, Content, Hold, LARGEST_SMALL, Prune, Reader, Txn, Write};

use crate::promises::{entry, open, plan, run};

/// The smallest that is a file, with these bytes in it.
fn large(bytes: &[u8]) -> Vec<u8> {
    let mut large = bytes.to_vec();
    large.resize(LARGEST_SMALL + 1, b'.');
    large
}

fn store(hold: &Hold, bytes: &[u8]) -> Digest {
    hold.store(&mut &*bytes, "name", "text/plain").unwrap().digest
}

/// An artifact that is a file, made and no longer held.
fn file(committer: &Committer, bytes: &[u8]) -> Digest {
    store(&Hold::new(committer.artifacts()), &large(bytes))
}

/// Where a file of this artifact lies, or would.
fn place(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join("artifacts").join(&digest.hex()[..2]).join(digest.hex())
}

fn read(artifacts: &Artifacts, digest: &Digest) -> String {
    std::io::read_to_string(artifacts.open_artifact(digest).unwrap()).unwrap()
}

fn names(digest: &Digest) -> String {
    format!(r#"[{{"event":"x","output":{{"artifact":"{digest}"}}}}]"#)
}

/// A run that names the artifact, with its hold.
fn named(id: i64, digest: Digest, hold: Hold) -> Txn {
    let writes = vec![run(id, &plan("w")), entry(id, &names(&digest), None)];
    Txn { artifacts: vec![digest], writes, holds: vec![hold] }
}

fn is_small(artifacts: &Artifacts, digest: &Digest) -> bool {
    matches!(artifacts.content(digest).unwrap(), Content::Small(_))
}

/// What can be seen of an artifact.
fn seen(artifacts: &Artifacts, digest: &Digest) -> (Option<u64>, bool, Vec<Digest>) {
    (artifacts.size_of(digest), artifacts.has(digest), artifacts.list().unwrap())
}

fn free_rows(reader: &Reader) -> Vec<i64> {
    reader.free_artifacts(0, 99).unwrap().iter().map(|one| one.id).collect()
}

#[test]
fn a_small_artifact_is_in_memory_until_its_transaction_has_it_and_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let hold = Hold::new(&artifacts);
    let digest = store(&hold, b"bytes");
    assert_eq!(digest, Digest::of(b"bytes"));
    // Whoever makes it can read it; nobody else sees it yet.
    assert_eq!((read(&artifacts, &digest).as_str(), artifacts.size_of(&digest)), ("bytes", Some(5)));
    let beside = Artifacts::read_only(folder.path());
    assert_eq!(seen(&beside, &digest), (None, false, vec![]));
    committer.commit(&[named(1, digest, hold)]).unwrap();
    for seen_by in [&*artifacts, &beside] {
        assert_eq!(seen(seen_by, &digest), (Some(5), true, vec![digest]));
        assert_eq!((read(seen_by, &digest).as_str(), seen_by.verify(&digest).unwrap()), ("bytes", None));
    }
    assert!(!place(folder.path(), &digest).exists());
    assert_eq!(fs::read_dir(folder.path().join("artifacts/tmp")).unwrap().count(), 0);
    // What it holds is among the database's own bytes.
    assert_eq!(Reader::open(folder.path()).unwrap().artifact_file_bytes().unwrap(), 0);
}

#[test]
fn the_largest_small_one_is_a_row_and_the_next_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    for (id, size, small) in [(1, 0, true), (2, 1, true), (3, LARGEST_SMALL, true), (4, LARGEST_SMALL + 1, false)] {
        let bytes = vec![b'x'; size];
        for pieces in [1_000, usize::MAX] {
            let hold = Hold::new(&artifacts);
            let mut writer = hold.create().unwrap();
            bytes.chunks(pieces).for_each(|piece| writer.write_all(piece).unwrap());
            let ArtifactRef { digest, size: told, .. } = writer.finish("name", "text/plain").unwrap();
            assert_eq!((digest, told), (Digest::of(&bytes), size as u64));
            committer.commit(&[named(id * 2 + i64::from(pieces > 1_000), digest, hold)]).unwrap();
            assert_eq!(is_small(&artifacts, &digest), small, "{size}");
            assert_eq!(place(folder.path(), &digest).exists(), !small, "{size}");
            assert_eq!(artifacts.verify(&digest).unwrap(), None);
        }
        let at_once = Hold::new(&artifacts).store_small(&bytes, "name", "text/plain").unwrap();
        assert_eq!(at_once.map(|kept| kept.digest), small.then(|| Digest::of(&bytes)), "{size}");
    }
}

#[test]
fn a_small_artifact_that_nobody_names_is_gone_with_its_hold_and_one_that_a_transaction_brings_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let (lost, kept) = (Hold::new(&artifacts), Hold::new(&artifacts));
    let (lost_digest, kept_digest) = (store(&lost, b"lost"), store(&kept, b"kept"));
    let other_hold = lost.clone();
    drop(lost);
    assert!(artifacts.has(&lost_digest), "one of two clones is left");
    drop(other_hold);
    assert!(!artifacts.has(&lost_digest));
    // As a kept result does it, which is no entry of the journal.
    committer.commit(&[Txn { artifacts: vec![kept_digest], holds: vec![kept], ..Txn::default() }]).unwrap();
    assert_eq!(read(&artifacts, &kept_digest), "kept");
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(free_rows(&reader).len(), 1, "retention finds it");
}

#[test]
fn the_same_content_is_one_copy_whether_it_is_a_row_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    // A store of before: every artifact is a file.
    let digest = Digest::of(b"bytes");
    let path = place(folder.path(), &digest);
    let mut committer = open(folder.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"bytes").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    committer.commit(&[Txn::of(vec![run(1, &plan("w")), entry(1, &names(&digest), None)])]).unwrap();
    let artifacts = committer.artifacts().clone();
    let again = |committer: &mut Committer, id| {
        let hold = Hold::new(&artifacts);
        store(&hold, b"bytes");
        committer.commit(&[named(id, digest, hold)]).unwrap();
    };
    again(&mut committer, 2);
    assert!(!is_small(&artifacts, &digest), "what is a file stays one");
    assert_eq!(artifacts.list().unwrap(), [digest]);
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.artifact_file_bytes().unwrap(), 5);
    // Somebody lost the file; made again, it is there again.
    fs::remove_file(&path).unwrap();
    assert_eq!(artifacts.verify(&digest).unwrap(), Some(ArtifactProblem::Missing));
    again(&mut committer, 3);
    again(&mut committer, 4);
    assert!(is_small(&artifacts, &digest) && artifacts.verify(&digest).unwrap().is_none());
    assert_eq!((artifacts.list().unwrap(), reader.artifact_file_bytes().unwrap()), (vec![digest], 0));
}

#[test]
fn what_a_crash_left_in_the_place_of_a_small_one_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let digest = Digest::of(b"bytes");
    let path = place(folder.path(), &digest);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Renamed there and never flushed, by a version that made files of all.
    fs::write(&path, b"").unwrap();
    let hold = Hold::new(committer.artifacts());
    store(&hold, b"bytes");
    committer.commit(&[named(1, digest, hold)]).unwrap();
    assert_eq!(read(committer.artifacts(), &digest), "bytes");
    assert!(!path.exists(), "nobody would look after it");
}

#[test]
fn a_small_artifact_goes_with_the_last_run_and_not_while_somebody_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let hold = Hold::new(&artifacts);
    let digest = store(&hold, b"bytes");
    let mut first = named(1, digest, hold);
    let end = Write::Journal {
        run: RunId::from_i64(1),
        at_ms: 1,
        entry: Entry::Json("[1]".into()),
        ended: Some(trackside_store::Ended { end: trackside_engine::RunEnd::Succeeded, error: None }),
    };
    first.writes.push(end);
    let second = vec![run(2, &plan("w")), entry(2, "[1]", None)];
    committer.commit(&[first, Txn::of(second)]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    let prune = |committer: &mut Committer, what| committer.commit(&[Txn::of(vec![Write::Prune(what)])]).unwrap();
    assert_eq!(free_rows(&reader), [0; 0]);
    prune(&mut committer, Prune::Artifacts(RunId::from_i64(1)));
    let rows = free_rows(&reader);
    assert_eq!(rows.len(), 1);
    let hold = Hold::new(&artifacts);
    hold.keep(&digest);
    assert!(artifacts.has(&digest));
    prune(&mut committer, Prune::Files(rows.clone()));
    assert!(artifacts.has(&digest), "somebody is about to refer to it");
    drop(hold);
    prune(&mut committer, Prune::Files(rows));
    assert!(!artifacts.has(&digest) && artifacts.list().unwrap().is_empty());
    // It is made anew when it comes again, also in the transaction in which its row would go.
    let hold = Hold::new(&artifacts);
    store(&hold, b"bytes");
    committer.commit(&[Txn { artifacts: vec![digest], holds: vec![hold], ..Txn::default() }]).unwrap();
    let rows = free_rows(&reader);
    let hold = Hold::new(&artifacts);
    store(&hold, b"bytes");
    let gone = Txn::of(vec![Write::Prune(Prune::Files(rows))]);
    committer.commit(&[gone, named(3, digest, hold)]).unwrap();
    assert_eq!(read(&artifacts, &digest), "bytes");
}

#[test]
fn a_transaction_that_fails_takes_no_small_artifact_with_it_and_the_next_try_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let taken = plan("w");
    committer.commit(&[Txn::of(vec![run(1, &taken), entry(1, "[1]", None)])]).unwrap();
    let hold = Hold::new(&artifacts);
    let digest = store(&hold, b"bytes");
    let mut batch = [named(2, digest, hold), Txn::of(vec![run(1, &taken), entry(1, "[1]", None)])];
    committer.commit(&batch).unwrap_err();
    assert_eq!(Artifacts::read_only(folder.path()).list().unwrap(), []);
    batch[1].writes.clear();
    committer.commit(&batch).unwrap();
    drop(batch);
    assert_eq!(read(&artifacts, &digest), "bytes");
}

#[test]
fn what_an_effect_would_deliver_is_named_by_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let hold = Hold::new(&artifacts);
    let all = [store(&hold, b"bytes"), store(&hold, &large(b"bytes"))];
    // Nothing in the run's entries says so: the step gave it to the outbox alone.
    let effect = |digest: &Digest| Write::Outbox {
        run: RunId::from_i64(1),
        step: 0,
        item: None,
        entry: 0,
        body: format!(r#"{{"effect":"deliver","artifact":{{"artifact":"{digest}","name":"x"}}}}"#),
    };
    let mut writes = vec![run(1, &plan("w")), entry(1, "[1]", None)];
    writes.extend(all.iter().map(effect));
    committer.commit(&[Txn { artifacts: all.to_vec(), writes, holds: vec![hold] }]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(free_rows(&reader), [0; 0], "neither goes");
    let is_named = |digest: &Digest| reader.named_in(digest.as_bytes()[0]).unwrap().contains(digest);
    assert!(all.iter().all(|digest| is_named(digest) && artifacts.verify(digest).unwrap().is_none()));
}

#[test]
fn more_than_is_held_in_memory_becomes_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let hold = Hold::new(&artifacts);
    let (mut made, mut number) = (Vec::new(), 0u32);
    // A guest that makes artifacts without an end.
    while artifacts.list().unwrap().len() < 3 {
        for _ in 0..512 {
            let mut bytes = vec![b'x'; LARGEST_SMALL];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            number += 1;
            made.push(store(&hold, &bytes));
        }
        assert!(number < 1 << 16, "memory has no end");
    }
    assert!(number > 1024, "{number}");
    committer.commit(&[Txn { artifacts: made.clone(), holds: vec![hold], ..Txn::default() }]).unwrap();
    assert_eq!(artifacts.list().unwrap().len(), made.len());
    assert!(made.iter().all(|digest| artifacts.verify(digest).unwrap().is_none()));
}

#[test]
fn damage_of_a_small_one_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let hold = Hold::new(committer.artifacts());
    let digest = store(&hold, b"bytes");
    committer.commit(&[named(1, digest, hold)]).unwrap();
    drop(committer);
    let database = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    database.execute("UPDATE artifacts SET content = ?1", [b"bites"]).unwrap();
    let artifacts = Artifacts::read_only(folder.path());
    let found = Digest::of(b"bites");
    assert_eq!(artifacts.verify(&digest).unwrap(), Some(ArtifactProblem::Changed { found }));
    assert_eq!(artifacts.verify(&found).unwrap(), Some(ArtifactProblem::Missing));
}

#[test]
fn artifacts_are_found_by_how_their_digits_begin_wherever_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let hold = Hold::new(&artifacts);
    let mut all: Vec<Digest> = (0..40).map(|number| store(&hold, format!("{number}").as_bytes())).collect();
    all.extend((0..10).map(|number| store(&hold, &large(format!("{number}").as_bytes()))));
    committer.commit(&[Txn { artifacts: all.clone(), holds: vec![hold], ..Txn::default() }]).unwrap();
    all.sort();
    assert_eq!(artifacts.list().unwrap(), all);
    for digits in [0, 1, 2, 3, 64] {
        for digest in &all {
            let beginning = &digest.hex()[..digits];
            let expected: Vec<Digest> = all.iter().filter(|one| one.hex().starts_with(beginning)).copied().collect();
            assert_eq!(artifacts.beginning_with(beginning).unwrap(), expected, "{beginning}");
        }
    }
}

/// A database as the node made it whose schema had this version.
fn database_of(version: u32, folder: &Path) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(folder.join("trackside.db")).unwrap();
    for script in 1..=version {
        let file = format!("{}/src/schema/{script:04}.sql", env!("CARGO_MANIFEST_DIR"));
        database.execute_batch(&fs::read_to_string(file).unwrap()).unwrap();
    }
    database.execute_batch(&format!("PRAGMA user_version = {version};")).unwrap();
    database
}

#[test]
fn a_database_of_before_has_its_files_and_no_small_ones() {
    let folder = tempfile::tempdir().unwrap();
    // Beside a node of the version before: nothing is brought up to date.
    let old = database_of(8, folder.path());
    let digest = Digest::of(b"bytes");
    old.execute("INSERT INTO artifacts (digest, bytes, refs) VALUES (?1, 5, 0)", [digest.as_bytes()]).unwrap();
    let path = place(folder.path(), &digest);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"bytes").unwrap();
    let (artifacts, reader) = (Artifacts::read_only(folder.path()), Reader::open(folder.path()).unwrap());
    assert_eq!(seen(&artifacts, &digest), (Some(5), true, vec![digest]));
    assert_eq!(artifacts.beginning_with(&digest.hex()[..4]).unwrap(), [digest]);
    let other = Digest::of(b"other");
    assert_eq!(artifacts.open_artifact(&other).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let free = reader.free_artifacts(0, 9).unwrap();
    assert!(free.len() == 1 && !free[0].is_small);
    assert_eq!(reader.artifact_file_bytes().unwrap(), 5);
    // A node of this version opens it, and what is a file stays one.
    drop(open(folder.path()));
    assert_eq!(seen(&artifacts, &digest), (Some(5), true, vec![digest]));
    assert_eq!(reader.artifact_file_bytes().unwrap(), 5);
}

#[test]
fn a_database_whose_artifacts_have_an_index_by_digest_has_them_all_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let old = database_of(10, folder.path());
    let contents: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let digest = |content: &str| Digest::of(content.as_bytes());
    for (at, content) in (0_i64..).zip(&contents) {
        let small = Some(content.as_bytes()).filter(|_| at % 3 > 0);
        old.execute(
            "INSERT INTO artifacts (id, digest, bytes, refs, content) VALUES (?1, ?2, ?3, ?4, ?5)",
            rusqlite::params![2 * at + 1, digest(content).as_bytes(), content.len() as i64, at % 2, small],
        )
        .unwrap();
    }
    let (beside, reader) = (Artifacts::read_only(folder.path()), Reader::open(folder.path()).unwrap());
    let look = || -> Vec<_> {
        let each = contents.iter().map(|content| {
            let digest = digest(content);
            let small =
                beside.content(&digest).ok().map(|small| std::io::read_to_string(small.into_file().unwrap()).unwrap());
            let is_named = reader.named_in(digest.as_bytes()[0]).unwrap().contains(&digest);
            (small, beside.beginning_with(&digest.hex()[..5]).unwrap(), is_named)
        });
        each.collect()
    };
    let (before, free, bytes) = (look(), free_rows(&reader), reader.artifact_file_bytes().unwrap());
    assert_eq!(
        (before[0].clone(), before[4].clone()),
        ((None, vec![], true), (Some("4".into()), vec![digest("4")], true))
    );
    assert_eq!((free.len(), &free[..3]), (99, &[1, 5, 9][..]));
    // A node of this version opens it.
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    assert_eq!((look(), free_rows(&reader), reader.artifact_file_bytes().unwrap()), (before, free, bytes));
    assert_eq!((read(&artifacts, &digest("4")), artifacts.list().unwrap().len()), ("4".to_owned(), 200));
    // What comes again is the row that is there.
    let hold = Hold::new(&artifacts);
    store(&hold, b"4");
    committer.commit(&[named(1, digest("4"), hold)]).unwrap();
    let rows =
        old.query_row("SELECT count(*), max(refs) FROM artifacts WHERE digest = ?1", [digest("4").as_bytes()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        });
    assert_eq!(rows.unwrap(), (1, 1));
    let unique =
        old.query_row("SELECT count(*) FROM pragma_index_list('artifacts') WHERE origin = 'u'", [], |row| row.get(0));
    assert_eq!(unique, Ok(0));
}

#[test]
fn many_artifacts_are_found_and_have_one_copy_each_before_and_after_their_index_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let artifacts = committer.artifacts().clone();
    let beside = Artifacts::read_only(folder.path());
    let bring = |committer: &mut Committer, numbers: std::ops::Range<u32>| {
        let hold = Hold::new(committer.artifacts());
        let all = numbers.map(|number| store(&hold, &number.to_le_bytes())).collect();
        committer.commit(&[Txn { artifacts: all, holds: vec![hold], ..Txn::default() }]).unwrap();
    };
    let digest = |number: u32| Digest::of(&number.to_le_bytes());
    let database = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    let count =
        |table| -> u32 { database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap() };
    for round in 0..70 {
        // A tenth of them was there before.
        bring(&mut committer, round * 900..round * 900 + 1_000);
        let newest = round * 900 + 999;
        for seen_by in [&*artifacts, &beside] {
            for number in [0, newest / 3, newest / 2, newest - 1_000 * round.min(1), newest] {
                assert_eq!(seen_by.size_of(&digest(number)), Some(4), "{number} of {newest}");
            }
            assert!(!seen_by.has(&digest(newest + 1)));
        }
    }
    assert_eq!(count("artifacts"), 69 * 900 + 1_000);
    let (entered, waiting) = (count("digests"), count("late_digests"));
    assert!(entered > 15_000 && waiting < 50_000 && entered + waiting >= 63_100, "{entered} and {waiting}");
    // Opened again it goes on with what waited.
    drop(committer);
    let mut committer = open(folder.path());
    bring(&mut committer, 0..63_100);
    assert_eq!(count("artifacts"), 63_100);
    let prefix = digest(7).hex()[..3].to_owned();
    let mut expected: Vec<Digest> = (0..63_100).map(digest).filter(|one| one.hex().starts_with(&prefix)).collect();
    expected.sort();
    assert_eq!(beside.beginning_with(&prefix).unwrap(), expected);
}

#[test]
fn a_folder_for_half_written_artifacts_that_was_tidied_up_is_made_again_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let committer = open(folder.path());
    fs::remove_dir_all(committer.artifacts().temporary()).unwrap();
    file(&committer, b"bytes");
    let (artifacts, away) = (folder.path().join("artifacts"), folder.path().join("away"));
    fs::rename(&artifacts, &away).unwrap();
    let hold = Hold::new(committer.artifacts());
    let error = hold.store(&mut large(b"more").as_slice(), "name", "text/plain").unwrap_err();
    assert!(error.kind() == std::io::ErrorKind::NotFound && !artifacts.exists(), "{error}");
    fs::rename(&away, &artifacts).unwrap();
    file(&committer, b"more");
}

#[test]
fn an_artifact_that_is_held_or_named_by_now_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let reader = Reader::open(folder.path()).unwrap();
    let artifacts = committer.artifacts().clone();
    let hold = Hold::new(&artifacts);
    let digest = store(&hold, &large(b"bytes"));
    assert!(!artifacts.remove(&digest, &reader).unwrap(), "somebody is about to refer to it");
    let writes = vec![run(1, &plan("w")), entry(1, &names(&digest), None)];
    committer.commit(&[Txn { artifacts: vec![digest], writes, ..Txn::default() }]).unwrap();
    drop(hold);
    // Whoever listed it as free before this commit must not have its file now.
    assert!(!artifacts.remove(&digest, &reader).unwrap(), "a run names it");
    assert!(place(folder.path(), &digest).exists());
    let other = file(&committer, b"other");
    assert!(artifacts.remove(&other, &reader).unwrap() && !place(folder.path(), &other).exists());
}

#[test]
fn an_artifact_is_read_only_once_it_is_on_disk_and_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let digest = file(&committer, b"bytes");
    assert_eq!(digest, Digest::of(&large(b"bytes")));
    let path = place(folder.path(), &digest);
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600, "not yet flushed");
    committer.commit(&[Txn { artifacts: vec![digest], ..Txn::default() }]).unwrap();
    assert_eq!(mode(), 0o400);
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(file(&committer, b"bytes"), digest);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
    assert_eq!(fs::read_dir(folder.path().join("artifacts/tmp")).unwrap().count(), 0);
}

#[test]
fn what_a_power_cut_left_half_written_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let committer = open(folder.path());
    let digest = file(&committer, b"bytes");
    let path = place(folder.path(), &digest);
    let mut abandoned = Hold::new(committer.artifacts()).create().unwrap();
    abandoned.write_all(&large(b"half")).unwrap();
    std::mem::forget(abandoned);
    drop(committer);
    // The name is there and the bytes are not: what ext4 may leave of a rename without a flush.
    fs::write(&path, b"").unwrap();
    let committer = open(folder.path());
    assert_eq!(fs::read_dir(folder.path().join("artifacts/tmp")).unwrap().count(), 0);
    assert_eq!(file(&committer, b"bytes"), digest);
    assert_eq!(read(committer.artifacts(), &digest).as_bytes(), large(b"bytes"));
}

#[test]
fn damaged_and_missing_artifacts_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let committer = open(folder.path());
    let digest = file(&committer, b"bytes");
    let artifacts = Artifacts::read_only(folder.path());
    assert_eq!(artifacts.verify(&digest).unwrap(), None);
    assert_eq!(artifacts.list().unwrap(), [digest]);
    fs::write(place(folder.path(), &digest), b"bites").unwrap();
    let found = Digest::of(b"bites");
    assert_eq!(artifacts.verify(&digest).unwrap(), Some(ArtifactProblem::Changed { found }));
    assert_eq!(artifacts.verify(&found).unwrap(), Some(ArtifactProblem::Missing));
}

#[test]
fn artifacts_stop_where_the_room_ends_that_must_stay_free() {
    let folder = tempfile::tempdir().unwrap();
    let committer = open(folder.path());
    let artifacts = committer.artifacts();
    for bytes in [b"data".to_vec(), large(b"data")] {
        let try_it = || Hold::new(artifacts).store(&mut bytes.as_slice(), "name", "text/plain");
        artifacts.keep_free(u64::MAX);
        let refused = try_it().unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull, "{refused}");
        let small = Hold::new(artifacts).store_small(&bytes, "name", "text/plain");
        assert!(small.is_err() || bytes.len() > LARGEST_SMALL && small.unwrap().is_none());
        assert_eq!(fs::read_dir(artifacts.temporary()).unwrap().count(), 0);
        artifacts.keep_free(1);
        try_it().unwrap();
    }
}

#[test]
fn a_reader_that_has_looked_before_sees_what_came_and_went_since_also_at_a_row_that_was_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let beside = Artifacts::read_only(folder.path());
    let bring = |committer: &mut Committer, bytes: &[u8]| {
        let hold = Hold::new(committer.artifacts());
        let digest = store(&hold, bytes);
        committer.commit(&[Txn { artifacts: vec![digest], holds: vec![hold], ..Txn::default() }]).unwrap();
        digest
    };
    let first = bring(&mut committer, b"first");
    assert_eq!(beside.size_of(&first), Some(5));
    let reader = Reader::open(folder.path()).unwrap();
    let rows = free_rows(&reader);
    committer.commit(&[Txn::of(vec![Write::Prune(Prune::Files(rows.clone()))])]).unwrap();
    let second = bring(&mut committer, b"second");
    assert_eq!(free_rows(&reader), rows, "the row is the same");
    assert_eq!((beside.size_of(&first), beside.size_of(&second)), (None, Some(6)));
    let third = bring(&mut committer, b"third ...");
    assert_eq!([second, third].map(|digest| beside.size_of(&digest)), [Some(6), Some(9)]);
}

#[test]
fn artifacts_that_nobody_finds_by_their_digests_are_told_with_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut committer = open(folder.path());
    let hold = Hold::new(committer.artifacts());
    let all = ["1", "2", "3"].map(|bytes| store(&hold, bytes.as_bytes()));
    committer.commit(&[Txn { artifacts: all.to_vec(), holds: vec![hold], ..Txn::default() }]).unwrap();
    let reader = Reader::open(folder.path()).unwrap();
    assert_eq!(reader.unsound().unwrap(), [""; 0]);
    let database = rusqlite::Connection::open(folder.path().join("trackside.db")).unwrap();
    database.execute("UPDATE late_digests SET prefix = x'00' WHERE artifact = 1", []).unwrap();
    database.execute("DELETE FROM late_digests WHERE artifact = 2", []).unwrap();
    assert_eq!(reader.unsound().unwrap(), ["the index of artifacts by digest lacks 2"]);
    // The others are found, here and after a start.
    let found = || all.map(|digest| Artifacts::read_only(folder.path()).size_of(&digest));
    assert_eq!(found(), [None, None, Some(1)]);
    drop(committer);
    let committer = open(folder.path());
    assert_eq!(
        (found(), all.map(|digest| committer.artifacts().has(&digest))),
        ([None, None, Some(1)], [false, false, true])
    );
}

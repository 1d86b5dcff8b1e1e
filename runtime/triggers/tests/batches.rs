//! One run for many files, and what is decided about files that start none.

use std::{fs, io::Write as _, sync::atomic::Ordering};

use crate::support::{self, Host, Inbox, exists, fence, names};
use trackside_triggers::files::{Decision, FireOutcome};

const HOUR: u64 = 3_600_000;

#[test]
fn a_full_batch_is_one_run_for_all_its_files() {
    let (inbox, host) = (Inbox::new().batch(3, HOUR), Host::new());
    let _watcher = inbox.start(&host);
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        inbox.move_in(name, name);
    }
    host.wait_claims(6);
    let fires = host.whole_fires();
    assert_eq!(fires.len(), 2);
    assert!(fires.iter().all(|fire| fire.batch));
    assert_eq!(
        (names(&fires[0].files), names(&fires[1].files)),
        (vec!["a".into(), "b".into(), "c".into()], vec!["d".into(), "e".into(), "f".into()])
    );
    // The last one waits for company.
    assert!(exists(&inbox.path("g")) && !exists(&inbox.path("a")));
}

#[test]
fn a_batch_that_does_not_fill_starts_when_its_time_is_over() {
    let (inbox, host) = (Inbox::new().batch(1000, 200), Host::new());
    let _watcher = inbox.start(&host);
    inbox.move_in("a", "a");
    inbox.move_in("b", "b");
    host.wait_claims(2);
    let files: usize = host.whole_fires().iter().map(|fire| fire.files.len()).sum();
    assert_eq!(files, 2);
}

#[test]
fn twins_are_not_in_one_batch_and_the_second_is_a_duplicate() {
    let (inbox, host) = (Inbox::new().batch(3, 300), Host::new());
    let _watcher = inbox.start(&host);
    inbox.move_in("a", "same");
    inbox.move_in("b", "same");
    inbox.move_in("c", "other");
    let decisions = host.wait_decisions(1);
    assert_eq!((decisions[0].relative.as_str(), decisions[0].decision.kind().name()), ("b", "deduped"));
    assert_eq!(names(&host.fires()), ["a", "c"]);
}

#[test]
fn a_batch_that_was_gathered_when_the_node_died_is_gathered_again() {
    let (inbox, host) = (Inbox::new().settle(0).batch(3, HOUR), Host::new());
    let watcher = inbox.start(&host);
    inbox.move_in("a", "a");
    inbox.move_in("b", "b");
    host.wait_for("both to be read", |_| host.reads.load(Ordering::SeqCst) == 2);
    watcher.stop();
    assert!(host.fires().is_empty());
    let _watcher = inbox.start_known(&host);
    inbox.move_in("c", "c");
    host.wait_claims(3);
    assert_eq!(host.whole_fires().len(), 1);
}

#[test]
fn a_batch_that_the_node_has_no_room_for_or_knows_a_part_of_is_offered_again() {
    let (inbox, host) = (Inbox::new().batch(2, 100), Host::new());
    // What the node says when another of its inputs has just brought one of the files.
    *host.outcomes.lock().unwrap() = vec![FireOutcome::Duplicate { path: "x".into() }, FireOutcome::Busy];
    let _watcher = inbox.start(&host);
    inbox.move_in("a", "a");
    inbox.move_in("b", "b");
    host.wait_claims(2);
    assert!(host.decisions().is_empty());
    assert!(host.whole_fires().len() >= 3);
}

#[test]
fn a_refused_batch_tells_it_of_every_file() {
    let (inbox, host) = (Inbox::new().batch(2, HOUR), Host::new());
    *host.outcomes.lock().unwrap() = vec![FireOutcome::Refused { reason: "no".into() }];
    let _watcher = inbox.start(&host);
    inbox.move_in("a", "a");
    inbox.move_in("b", "b");
    let mut blocked: Vec<String> = host
        .wait_decisions(2)
        .into_iter()
        .filter(|told| told.decision == Decision::Refused { reason: "no".into() })
        .map(|told| told.relative)
        .collect();
    blocked.sort();
    assert_eq!(blocked, ["a", "b"]);
}

#[test]
fn an_excluded_file_is_told_once_and_left_alone() {
    let (inbox, host) = (Inbox::new().glob("**/*").settle(0).exclude(&["*.part", "tmp/**"]), Host::new());
    fs::create_dir(inbox.path("tmp")).unwrap();
    inbox.write("there.part", "x");
    let watcher = inbox.start(&host);
    inbox.write("tmp/deep", "x");
    inbox.write("new.part", "x");
    // A temporary name that is given up leaves no trace.
    inbox.write("short.part", "short");
    fs::rename(inbox.path("short.part"), inbox.path("short")).unwrap();
    host.wait_decisions(2);
    watcher.rescan();
    inbox.write("new.part", "x and more");
    fence(&inbox, &host, "z");
    let mut told: Vec<(String, &str)> =
        host.decisions().into_iter().map(|told| (told.relative, told.decision.kind().name())).collect();
    told.sort();
    // Nobody looks into a folder that is left out as a whole.
    assert_eq!(told, [("new.part".to_owned(), "excluded"), ("there.part".to_owned(), "excluded")]);
    assert_eq!(names(&host.fires()), ["short", "z"]);
    assert_eq!(host.reads.load(Ordering::SeqCst), 2);
    // Its final name is a file like any other.
    fs::rename(inbox.path("new.part"), inbox.path("new")).unwrap();
    assert_eq!(names(&host.wait_fires(3))[2], "new");
}

#[test]
fn a_file_that_never_stops_changing_is_told_once_and_taken_when_it_does() {
    let (mut inbox, host) = (Inbox::new().settle(3000), Host::new());
    inbox.trigger.max_wait = trackside_spec::Duration::from_millis(3500);
    let _watcher = inbox.start(&host);
    let mut file = fs::File::create(inbox.path("endless.log")).unwrap();
    let mut number = 0;
    while host.decisions().is_empty() {
        // The fence also keeps the pace.
        file.write_all(b"line\n").unwrap();
        fence(&inbox, &host, &format!("fence-{number}"));
        number += 1;
    }
    file.write_all(b"line\n").unwrap();
    fence(&inbox, &host, "fence-end");
    let decisions = host.decisions();
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    assert_eq!((decisions[0].relative.as_str(), decisions[0].decision.kind().name()), ("endless.log", "not-settled"));
    assert!(host.fires().iter().all(|fire| fire.name != "endless.log"));
    drop(file);
    host.wait_for("the file that was closed", |told| {
        support::fires(told).iter().any(|fire| fire.name == "endless.log")
    });
}

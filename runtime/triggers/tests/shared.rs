//! Several boxes on one folder: each file is one box's.

use std::{
    collections::HashSet,
    fs,
    sync::{Arc, atomic::Ordering},
};

use crate::support::{self, Host, Inbox, exists, fence, names};
use trackside_triggers::files::{Decision, FileHost, FileWatcher, FireOutcome};

fn on_box(inbox: &Inbox, tag: &str, host: &Arc<Host>) -> FileWatcher {
    let mut watched = inbox.watched("w/file-0");
    watched.shared_as = Some(tag.to_owned());
    FileWatcher::start(vec![watched], Arc::clone(host) as Arc<dyn FileHost>).unwrap()
}

#[test]
fn of_three_boxes_exactly_one_runs_each_file() {
    const FILES: usize = 2000;
    let inbox = Inbox::new();
    let hosts: Vec<Arc<Host>> = (0..3).map(|_| Host::new()).collect();
    let watchers: Vec<FileWatcher> =
        hosts.iter().zip(["b0", "b1", "b2"]).map(|(host, tag)| on_box(&inbox, tag, host)).collect();
    for number in 0..FILES {
        inbox.move_in(&format!("{number}.csv"), &number.to_string());
    }
    support::wait::wait_until("an empty folder", || {
        fs::read_dir(&inbox.folder).unwrap().next().is_none().then_some(())
    });
    watchers.into_iter().for_each(FileWatcher::stop);
    let fired: Vec<Vec<String>> = hosts.iter().map(|host| names(&host.fires())).collect();
    let all: HashSet<&String> = fired.iter().flatten().collect();
    assert_eq!((fired.iter().map(Vec::len).sum::<usize>(), all.len()), (FILES, FILES));
    assert!(hosts.iter().all(|host| host.decisions().is_empty()));
    println!("shared: {:?} files of {FILES} on three boxes", fired.iter().map(Vec::len).collect::<Vec<_>>());
}

#[test]
fn a_box_that_dies_with_a_file_finds_it_again_and_nobody_else_takes_it_meanwhile() {
    let inbox = Inbox::new();
    let (dying, other) = (Host::new(), Host::new());
    dying.hold.store(true, Ordering::SeqCst);
    let watcher = on_box(&inbox, "b0", &dying);
    inbox.move_in("a.csv", "a");
    dying.wait_fires(1);
    assert!(exists(&inbox.path(".a.csv.b0.taken")) && !exists(&inbox.path("a.csv")));
    watcher.stop();
    // The run never got on disk: its reply is dropped.
    dying.held.lock().unwrap().clear();
    let _other = on_box(&inbox, "b1", &other);
    fence(&inbox, &other, "z.csv");
    assert_eq!(names(&other.fires()), ["z.csv"]);
    dying.hold.store(false, Ordering::SeqCst);
    let _watcher = on_box(&inbox, "b0", &dying);
    dying.wait_claims(1);
    assert_eq!(names(&dying.fires()), ["a.csv", "a.csv"]);
    assert!(!exists(&inbox.path(".a.csv.b0.taken")));
}

#[test]
fn a_file_that_starts_no_run_gets_its_name_back_and_is_told_once() {
    let (inbox, host) = (Inbox::new(), Host::new());
    *host.outcomes.lock().unwrap() = vec![FireOutcome::Refused { reason: "no".into() }];
    let watcher = on_box(&inbox, "b0", &host);
    inbox.move_in("a.csv", "a");
    assert!(matches!(host.wait_decisions(1)[0].decision, Decision::Refused { .. }));
    inbox.move_in("b.csv", "same");
    host.wait_claims(1);
    inbox.move_in("c.csv", "same");
    assert!(matches!(host.wait_decisions(2)[1].decision, Decision::Duplicate { .. }));
    watcher.rescan();
    fence(&inbox, &host, "z.csv");
    assert!(exists(&inbox.path("a.csv")) && exists(&inbox.path("c.csv")));
    assert_eq!(host.decisions().len(), 2, "{:?}", host.decisions());
}

#[test]
fn a_busy_node_leaves_the_file_to_the_others_and_takes_it_later() {
    let (inbox, host) = (Inbox::new(), Host::new());
    *host.outcomes.lock().unwrap() = vec![FireOutcome::Busy];
    let _watcher = on_box(&inbox, "b0", &host);
    inbox.move_in("a.csv", "a");
    host.wait_claims(1);
    assert_eq!(names(&host.fires()), ["a.csv", "a.csv"]);
    assert_eq!(fs::read_dir(&inbox.folder).unwrap().count(), 0);
}

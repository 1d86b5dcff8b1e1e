//! What becomes of a file whose run is on disk, also when several triggers want it.

use std::{
    fs,
    sync::{Arc, atomic::Ordering},
};

use crate::support::{Host, Inbox, exists, fence, names};
use trackside_spec::{Claim, Identity};
use trackside_triggers::files::{Decision, FileHost, FileWatcher, WatchedFolder};

fn start(watched: Vec<WatchedFolder>, host: &Arc<Host>) -> FileWatcher {
    FileWatcher::start(watched, Arc::clone(host) as Arc<dyn FileHost>).unwrap()
}

#[test]
fn a_claimed_file_moves_to_its_folder_and_replaces_nothing_there() {
    let (inbox, host) = (Inbox::new().glob("**/*").claim(Claim::MoveTo("done".into())), Host::new());
    let done = inbox.base.path().join("done");
    fs::create_dir(&done).unwrap();
    fs::write(done.join("a.csv"), "from before").unwrap();
    fs::create_dir(inbox.path("sub")).unwrap();
    let _watcher = inbox.start(&host);
    inbox.move_in("a.csv", "a");
    inbox.move_in("sub/b.csv", "b");
    host.wait_claims(2);
    let read = |name: &str| fs::read_to_string(done.join(name)).unwrap();
    assert_eq!((read("a.csv"), read("a-1.csv"), read("sub/b.csv")), ("from before".into(), "a".into(), "b".into()));
    assert!(!exists(&inbox.path("a.csv")) && !exists(&inbox.path("sub/b.csv")));
}

#[test]
fn a_move_to_another_file_system_is_a_copy_that_leaves_nothing_behind() {
    // /dev/shm is one on every Linux that has it; where it is the same, the test is of a plain move.
    let elsewhere = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let to = elsewhere.path().join("done").display().to_string();
    let (inbox, host) = (Inbox::new().claim(Claim::MoveTo(to)), Host::new());
    let _watcher = inbox.start(&host);
    inbox.move_in("a.csv", "content");
    host.wait_claims(1);
    let left: Vec<_> = fs::read_dir(elsewhere.path().join("done")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["a.csv"]);
    assert_eq!(fs::read_to_string(elsewhere.path().join("done/a.csv")).unwrap(), "content");
    assert!(!exists(&inbox.path("a.csv")));
}

#[test]
fn a_copy_appears_once_also_when_a_crash_comes_before_it_is_known() {
    let (inbox, host) = (Inbox::new().settle(0).claim(Claim::CopyTo("copies".into())), Host::new());
    let copies = inbox.base.path().join("copies");
    let watcher = inbox.start(&host);
    inbox.move_in("a.csv", "content");
    host.wait_claims(1);
    watcher.stop();
    assert_eq!(fs::read_to_string(copies.join("a.csv")).unwrap(), "content");
    assert!(exists(&inbox.path("a.csv")));
    // The crash: the copy is there and the ledger does not know.
    host.ledger.lock().unwrap().values_mut().for_each(|row| row.claimed = false);
    let watcher = inbox.start_known(&host);
    host.wait_claims(2);
    watcher.stop();
    // Known, it is not even read again.
    let reads = host.reads.load(Ordering::SeqCst);
    let _watcher = inbox.start_known(&host);
    fence(&inbox, &host, "z.csv");
    assert_eq!(host.reads.load(Ordering::SeqCst), reads + 1);
    assert!(exists(&copies.join("a.csv")) && !exists(&copies.join("a-1.csv")));
    assert_eq!(names(&host.fires()), ["a.csv", "z.csv"]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_and_the_file_stays() {
    let (inbox, host) = (Inbox::new().claim(Claim::MoveTo("done".into())), Host::new());
    fs::write(inbox.base.path().join("done"), "no folder").unwrap();
    let _watcher = inbox.start(&host);
    inbox.move_in("a.csv", "a");
    let decisions = host.wait_decisions(1);
    assert!(matches!(&decisions[0].decision, Decision::NotPlaced { to, .. } if to.ends_with("done/a.csv")));
    assert_eq!(decisions[0].decision.kind().name(), "not-claimed");
    fence(&inbox, &host, "z.csv");
    assert!(exists(&inbox.path("a.csv")));
    assert_eq!(host.fires().len(), 2);
}

#[test]
fn two_triggers_that_both_take_a_file_away_both_get_it() {
    let (inbox, host) = (Inbox::new().glob("**/*.csv"), Host::new());
    let sub = inbox.path("sub");
    fs::create_dir(&sub).unwrap();
    let mut inner = inbox.watched("w/file-1");
    inner.folder = sub;
    inner.trigger.globs = vec!["*".into()];
    let watcher = start(vec![inbox.watched("w/file-0"), inner], &host);
    const FILES: usize = 300;
    for number in 0..FILES {
        inbox.move_in(&format!("sub/{number}.csv"), &number.to_string());
    }
    host.wait_claims(2 * FILES);
    let mut fired: Vec<(String, String)> =
        host.whole_fires().into_iter().map(|fire| (fire.trigger_id, fire.files[0].name.clone())).collect();
    fired.sort();
    fired.dedup();
    assert_eq!(fired.len(), 2 * FILES);
    watcher.stop();
    assert_eq!(fs::read_dir(inbox.path("sub")).unwrap().count(), 0);
    assert!(host.decisions().is_empty());
}

#[test]
fn a_file_is_not_taken_away_before_the_other_trigger_has_its_run() {
    let (inbox, host) = (Inbox::new(), Host::new());
    let mut other = inbox.watched("w/file-1");
    other.trigger.identity = Identity::Stat;
    other.trigger.claim = Claim::Keep;
    // Gathered, so that its run is far away.
    other.trigger.batch =
        Some(trackside_spec::FileBatch { max_files: 2, max_wait: trackside_spec::Duration::from_millis(3_600_000) });
    let _watcher = start(vec![inbox.watched("w/file-0"), other], &host);
    inbox.move_in("a.csv", "a");
    host.wait_fires(1);
    assert_eq!(host.whole_fires()[0].trigger_id, "w/file-0");
    assert!(exists(&inbox.path("a.csv")));
    inbox.move_in("b.csv", "b");
    host.wait_fires(4);
    host.wait_claims(2);
    assert!(!exists(&inbox.path("a.csv")) && !exists(&inbox.path("b.csv")));
}

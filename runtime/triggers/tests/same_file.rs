//! Files that change in the moment in which they are taken: the same path and bytes are the same file.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use crate::support::{Host, Inbox, exists, fence, names};
use trackside_spec::{Claim, Identity};
use trackside_triggers::files::{Decision, FileWatcher};

/// What is done to a file.
type Change = fn(&Path);

/// What uploaders do to a file that they have closed.
const AFTERWARDS: [(&str, Change); 5] = [
    ("time", |path| set_time(path, 1_000_000_000)),
    ("mode", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap()),
    ("time and mode", |path| {
        set_time(path, 1_000_000_000);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }),
    ("another time", |path| set_time(path, 2_000_000_000)),
    ("copied over by itself", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, bytes).unwrap();
    }),
];

fn set_time(path: &Path, seconds: u64) {
    File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

/// The file is read, its run is not on disk yet.
fn taken(inbox: &Inbox, host: &Arc<Host>) -> FileWatcher {
    host.hold.store(true, Ordering::SeqCst);
    let watcher = inbox.start(host);
    inbox.move_in("a.csv", "bytes");
    host.wait_fires(1);
    watcher
}

#[test]
fn a_file_whose_time_or_mode_is_set_while_it_is_taken_leaves_and_starts_one_run() {
    for identity in [Identity::Content, Identity::Stat] {
        for claim in [Claim::Move, Claim::MoveTo("done".into())] {
            for (what, afterwards) in AFTERWARDS {
                let (inbox, host) = (Inbox::new().identity(identity).claim(claim.clone()), Host::new());
                let _watcher = taken(&inbox, &host);
                afterwards(&inbox.path("a.csv"));
                host.release();
                host.wait_claims(1);
                fence(&inbox, &host, "z.csv");
                host.wait_claims(2);
                assert!(!exists(&inbox.path("a.csv")), "{what} {identity:?} {claim:?}");
                assert_eq!(names(&host.fires()), ["a.csv", "z.csv"], "{what} {identity:?} {claim:?}");
                assert!(host.decisions().is_empty(), "{what}: {:?}", host.decisions());
                if claim != Claim::Move {
                    assert_eq!(fs::read_to_string(inbox.base.path().join("done/a.csv")).unwrap(), "bytes", "{what}");
                }
            }
        }
    }
}

#[test]
fn a_crash_in_between_ends_in_removal_and_no_second_run() {
    for identity in [Identity::Content, Identity::Stat] {
        let (inbox, host) = (Inbox::new().settle(0).identity(identity), Host::new());
        let watcher = taken(&inbox, &host);
        watcher.stop();
        host.release();
        set_time(&inbox.path("a.csv"), 1_000_000_000);
        let _watcher = inbox.start_known(&host);
        host.wait_claims(1);
        fence(&inbox, &host, "z.csv");
        assert!(!exists(&inbox.path("a.csv")), "{identity:?}");
        assert_eq!(names(&host.fires()), ["a.csv", "z.csv"], "{identity:?}");
    }
}

#[test]
fn a_file_that_gets_another_name_in_that_moment_leaves_and_starts_one_run() {
    for identity in [Identity::Content, Identity::Stat] {
        let (inbox, host) = (Inbox::new().identity(identity).glob("**/*"), Host::new());
        fs::create_dir(inbox.path("sub")).unwrap();
        let _watcher = taken(&inbox, &host);
        fs::rename(inbox.path("a.csv"), inbox.path("sub/b.csv")).unwrap();
        fence(&inbox, &host, "y.csv");
        host.release();
        // Of the file and the fence, and of the file under its other name.
        host.wait_claims(3);
        assert!(!exists(&inbox.path("sub/b.csv")), "{identity:?}");
        assert_eq!(names(&host.fires()), ["a.csv", "y.csv"], "{identity:?}");
        assert!(host.decisions().is_empty(), "{:?}", host.decisions());
    }
}

#[test]
fn other_bytes_under_the_same_name_time_and_size_are_another_file() {
    let (inbox, host) = (Inbox::new().settle(0), Host::new());
    let _watcher = taken(&inbox, &host);
    let time = fs::metadata(inbox.path("a.csv")).unwrap().modified().unwrap();
    fs::write(inbox.path("a.csv"), "other").unwrap();
    File::options().append(true).open(inbox.path("a.csv")).unwrap().set_modified(time).unwrap();
    host.release();
    let fires = host.wait_fires(2);
    assert_ne!(fires[0].artifact.digest, fires[1].artifact.digest);
    host.wait_claims(2);
    assert!(!exists(&inbox.path("a.csv")));
}

#[test]
fn a_kept_file_whose_time_is_set_after_it_was_taken_starts_one_run_also_after_a_restart() {
    for identity in [Identity::Content, Identity::Stat] {
        let (inbox, host) = (Inbox::new().settle(0).identity(identity).keep(), Host::new());
        let watcher = inbox.start(&host);
        inbox.move_in("a.csv", "kept");
        host.wait_fires(1);
        set_time(&inbox.path("a.csv"), 1_000_000_000);
        fence(&inbox, &host, "y.csv");
        watcher.stop();
        let _watcher = inbox.start_known(&host);
        fence(&inbox, &host, "z.csv");
        assert_eq!(names(&host.fires()), ["a.csv", "y.csv", "z.csv"], "{identity:?}");
        // Other bytes are another file.
        inbox.move_in("a.csv", "kept and changed");
        assert_eq!(names(&host.wait_fires(4))[3], "a.csv");
    }
}

#[test]
fn a_copy_is_made_although_the_time_of_the_file_was_set_before_it() {
    let (inbox, host) = (Inbox::new().settle(0).claim(Claim::CopyTo("copies".into())), Host::new());
    let _watcher = taken(&inbox, &host);
    set_time(&inbox.path("a.csv"), 1_000_000_000);
    host.release();
    host.wait_claims(1);
    assert_eq!(fs::read_to_string(inbox.base.path().join("copies/a.csv")).unwrap(), "bytes");
    fence(&inbox, &host, "z.csv");
    assert_eq!(names(&host.fires()), ["a.csv", "z.csv"]);
}

#[test]
fn the_same_bytes_delivered_again_after_they_left_stay_and_are_told() {
    let (inbox, host) = (Inbox::new(), Host::new());
    let _watcher = inbox.start(&host);
    inbox.write("a.csv", "bytes");
    host.wait_claims(1);
    inbox.write("a.csv", "bytes");
    assert_eq!(host.wait_decisions(1)[0].decision, Decision::Duplicate { path: "a.csv".into() });
    assert!(exists(&inbox.path("a.csv")));
}

#[test]
fn a_time_that_is_set_alone_does_not_make_a_closed_file_wait() {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
    // Nothing but closing completes a file here.
    let (inbox, host) = (Inbox::new().glob("**/*.csv").keep(), Host::new());
    let gate = host.gate();
    let _watcher = inbox.start(&host);
    gate.close(&inbox);
    let alone = |path: &Path| {
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps { last_access: omit, last_modification: Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 } };
        utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
    };
    inbox.write("a.csv", "a");
    alone(&inbox.path("a.csv"));
    // A folder, too: what comes into it is seen.
    fs::create_dir(inbox.path("new")).unwrap();
    alone(&inbox.path("new"));
    gate.open();
    fence(&inbox, &host, "z.csv");
    inbox.write("new/b.csv", "b");
    let mut seen = names(&host.wait_fires(4));
    seen.sort();
    assert_eq!(seen, ["a.csv", "gate.csv", "new/b.csv", "z.csv"]);
}

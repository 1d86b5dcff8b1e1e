//! The file trigger on real folders.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    sync::{Arc, atomic::Ordering},
};

use crate::support::{self, Host, Inbox, Told, exists, fence, names};
use trackside_spec::{Digest, Identity};
use trackside_triggers::files::{Decision, FileHost, FileWatcher, FireOutcome, FolderNotice};

#[test]
fn a_dropped_file_fires_once_and_leaves_the_folder() {
    let (inbox, host) = (Inbox::new(), Host::new());
    let _watcher = inbox.start(&host);
    inbox.write("a.csv", "x,y\n1,2\n");
    host.wait_claims(1);
    let fires = host.fires();
    assert_eq!(names(&fires), ["a.csv"]);
    let fire = &fires[0];
    assert_eq!(fire.identity, Digest::of(b"x,y\n1,2\n").to_string());
    assert_eq!((fire.size, fire.artifact.size, fire.artifact.media_type.as_str()), (8, 8, "text/csv"));
    assert_eq!(fire.path, inbox.folder.canonicalize().unwrap().join("a.csv"));
    assert!((host.whole_fires()[0].logical_ms - fire.modified_ms).abs() < 60_000);
    assert!(!exists(&inbox.path("a.csv")));
}

#[test]
fn a_slow_writer_is_waited_for() {
    let (inbox, host) = (Inbox::new(), Host::new());
    let _watcher = inbox.start(&host);
    let mut file = fs::File::create(inbox.path("slow.csv")).unwrap();
    for part in 0..5 {
        file.write_all(b"part\n").unwrap();
        fence(&inbox, &host, &format!("fence-{part}"));
    }
    assert!(host.fires().iter().all(|fire| fire.name != "slow.csv"));
    drop(file);
    let fires = host.wait_fires(6);
    assert_eq!((fires[5].name.as_str(), fires[5].size), ("slow.csv", 25));
}

#[test]
fn a_writer_that_never_closes_is_read_when_the_file_stood_still() {
    let (inbox, host) = (Inbox::new().settle(300), Host::new());
    let _watcher = inbox.start(&host);
    let mut file = fs::File::create(inbox.path("open.csv")).unwrap();
    file.write_all(b"whole").unwrap();
    let fires = host.wait_fires(1);
    assert_eq!((names(&fires), fires[0].size), (vec!["open.csv".to_owned()], 5));
}

#[test]
fn renaming_a_temporary_name_counts_once() {
    let (inbox, host) = (Inbox::new().glob("*.csv"), Host::new());
    let _watcher = inbox.start(&host);
    inbox.write("a.csv.part", "data");
    fs::rename(inbox.path("a.csv.part"), inbox.path("a.csv")).unwrap();
    host.wait_claims(1);
    fence(&inbox, &host, "z.csv");
    assert_eq!(names(&host.fires()), ["a.csv", "z.csv"]);
}

#[test]
fn files_that_were_there_run_unless_they_are_to_be_ignored() {
    let (inbox, host) = (Inbox::new().settle(0), Host::new());
    inbox.write("old.csv", "old");
    let watcher = inbox.start(&host);
    assert_eq!(names(&host.wait_fires(1)), ["old.csv"]);
    watcher.stop();

    let (inbox, host) = (Inbox::new().settle(0).ignore_existing(), Host::new());
    inbox.write("old.csv", "old");
    let watcher = inbox.start(&host);
    fence(&inbox, &host, "new.csv");
    watcher.stop();
    // After a restart they are still ignored; when written to they are new.
    let _watcher = inbox.start_known(&host);
    fence(&inbox, &host, "newer.csv");
    assert_eq!(names(&host.fires()), ["new.csv", "newer.csv"]);
    inbox.move_in("old.csv", "new content");
    assert_eq!(names(&host.wait_fires(3))[2], "old.csv");
}

#[test]
fn a_file_that_arrived_while_nobody_watched_is_found() {
    let (inbox, host) = (Inbox::new().settle(10), Host::new());
    inbox.start(&host).stop();
    inbox.write("while-down.csv", "x");
    let _watcher = inbox.start_known(&host);
    assert_eq!(names(&host.wait_fires(1)), ["while-down.csv"]);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_read_again() {
    let (inbox, host) = (Inbox::new().settle(20), Host::new());
    let path = inbox.path("a.csv");
    let mut times = 0;
    *host.after_read.lock().unwrap() = Some(Box::new(move |_| {
        times += 1;
        if times == 1 {
            OpenOptions::new().append(true).open(&path).unwrap().write_all(b" and more").unwrap();
        }
    }));
    let _watcher = inbox.start(&host);
    inbox.move_in("a.csv", "some");
    host.wait_claims(1);
    fence(&inbox, &host, "z.csv");
    let fires = host.fires();
    assert_eq!(names(&fires), ["a.csv", "z.csv"]);
    assert_eq!(fires[0].identity, Digest::of(b"some and more").to_string());
}

#[test]
fn the_same_content_again_is_left_in_place_and_told_once() {
    let (inbox, host) = (Inbox::new(), Host::new());
    let watcher = inbox.start(&host);
    inbox.write("a.csv", "same");
    host.wait_claims(1);
    inbox.write("b.csv", "same");
    let decisions = host.wait_decisions(1);
    assert_eq!(decisions[0].relative, "b.csv");
    assert_eq!(decisions[0].decision, Decision::Duplicate { path: "a.csv".into() });
    // Neither a look through the folder nor opening it for writing makes it be read or told again.
    let reads = host.reads.load(Ordering::SeqCst);
    watcher.rescan();
    drop(OpenOptions::new().append(true).open(inbox.path("b.csv")).unwrap());
    fence(&inbox, &host, "z.csv");
    assert_eq!((host.reads.load(Ordering::SeqCst), host.decisions().len()), (reads + 1, 1));
    assert!(exists(&inbox.path("b.csv")));
}

#[test]
fn two_equal_files_at_once_are_one_run() {
    let (inbox, host) = (Inbox::new(), Host::new());
    host.hold.store(true, Ordering::SeqCst);
    let _watcher = inbox.start(&host);
    inbox.move_in("a.csv", "same");
    inbox.move_in("b.csv", "same");
    host.wait_fires(2);
    host.release();
    host.wait_claims(1);
    assert_eq!(host.wait_decisions(1)[0].decision, Decision::Duplicate { path: "a.csv".into() });
    assert!(!exists(&inbox.path("a.csv")) && exists(&inbox.path("b.csv")));
}

#[test]
fn identity_by_stat_runs_equal_content_twice_and_a_kept_file_once() {
    let (inbox, host) = (Inbox::new().identity(Identity::Stat).keep(), Host::new());
    let watcher = inbox.start(&host);
    inbox.write("a.csv", "same");
    host.wait_fires(1);
    inbox.write("b.csv", "same");
    let fires = host.wait_fires(2);
    assert!(fires.iter().all(|fire| fire.identity.starts_with("stat:4:")));
    watcher.stop();
    let _watcher = inbox.start_known(&host);
    fence(&inbox, &host, "z.csv");
    assert_eq!(names(&host.fires()), ["a.csv", "b.csv", "z.csv"]);
}

#[test]
fn a_kept_file_is_not_read_again_after_a_restart() {
    let (inbox, host) = (Inbox::new().keep().settle(0), Host::new());
    let watcher = inbox.start(&host);
    inbox.move_in("a.csv", "kept");
    host.wait_fires(1);
    watcher.stop();
    let _watcher = inbox.start_known(&host);
    fence(&inbox, &host, "z.csv");
    assert_eq!((host.reads.load(Ordering::SeqCst), names(&host.fires()).len()), (2, 2));
    // Changed, it is another file.
    inbox.move_in("a.csv", "kept and changed");
    assert_eq!(names(&host.wait_fires(3))[2], "a.csv");
    assert!(exists(&inbox.path("a.csv")));
}

#[test]
fn a_crash_between_acceptance_and_removal_ends_in_removal_and_no_second_run() {
    let (inbox, host) = (Inbox::new().settle(0), Host::new());
    host.hold.store(true, Ordering::SeqCst);
    let watcher = inbox.start(&host);
    inbox.move_in("a.csv", "once");
    host.wait_fires(1);
    // The acceptance becomes durable, but the watcher dies before it hears of it.
    watcher.stop();
    host.release();
    assert!(exists(&inbox.path("a.csv")));
    let _watcher = inbox.start_known(&host);
    host.wait_claims(1);
    fence(&inbox, &host, "z.csv");
    assert!(!exists(&inbox.path("a.csv")));
    assert_eq!(names(&host.fires()), ["a.csv", "z.csv"]);
    assert_eq!(host.reads.load(Ordering::SeqCst), 2);
}

#[test]
fn a_file_replaced_while_its_run_is_being_accepted_is_not_removed_but_run() {
    let (inbox, host) = (Inbox::new(), Host::new());
    host.hold.store(true, Ordering::SeqCst);
    let _watcher = inbox.start(&host);
    inbox.write("a.csv", "first");
    host.wait_fires(1);
    inbox.move_in("a.csv", "second");
    fence(&inbox, &host, "z.csv");
    host.release();
    host.wait_claims(3);
    let fires: Vec<_> = host.fires().into_iter().map(|fire| (fire.name, fire.size)).collect();
    assert_eq!(fires, [("a.csv".into(), 5), ("z.csv".into(), 11), ("a.csv".into(), 6)]);
}

#[test]
fn links_pipes_and_folders_are_not_picked_up() {
    let (inbox, host) = (Inbox::new().glob("**/*").settle(0), Host::new());
    let outside = inbox.base.path().join("secret");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("key"), "secret").unwrap();
    symlink(outside.join("key"), inbox.path("old-link")).unwrap();
    symlink(&outside, inbox.path("old-folder-link")).unwrap();
    let watcher = inbox.start(&host);
    symlink(outside.join("key"), inbox.path("link")).unwrap();
    symlink(&outside, inbox.path("folder-link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inbox.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    fs::write(outside.join("key2"), "secret").unwrap();
    watcher.rescan();
    fence(&inbox, &host, "z");
    assert_eq!((names(&host.fires()), host.decisions().len()), (vec!["z".to_owned()], 0));
}

#[test]
fn sub_folders_are_followed_also_new_and_moved_ones() {
    let (inbox, host) = (Inbox::new().glob("**/*.csv").settle(300), Host::new());
    fs::create_dir(inbox.path("old")).unwrap();
    let _watcher = inbox.start(&host);
    inbox.write("old/a.csv", "a");
    host.wait_fires(1);
    for round in 0..20 {
        // Files that appear before the new folder is watched raise no event of their own.
        fs::create_dir_all(inbox.path(&format!("new/{round}/deep"))).unwrap();
        inbox.write(&format!("new/{round}/deep/b.csv"), format!("b{round}"));
        inbox.write(&format!("new/{round}/c.csv"), format!("c{round}"));
    }
    let outside = inbox.base.path().join("moved");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("d.csv"), "d").unwrap();
    fs::rename(&outside, inbox.path("moved")).unwrap();
    let mut seen = names(&host.wait_fires(42));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 42);
    host.wait_claims(42);
    // And the folders that came later are watched themselves.
    inbox.write("moved/e.csv", "e");
    inbox.write("new/3/deep/f.csv", "f");
    host.wait_claims(44);
}

#[test]
fn a_pattern_without_depth_leaves_sub_folders_alone() {
    let (inbox, host) = (Inbox::new().glob("*.csv").settle(0), Host::new());
    fs::create_dir(inbox.path("sub")).unwrap();
    inbox.write("sub/a.csv", "a");
    let _watcher = inbox.start(&host);
    inbox.write("sub/b.csv", "b");
    fence(&inbox, &host, "z.csv");
    assert_eq!(names(&host.fires()), ["z.csv"]);
}

#[test]
fn a_file_deleted_before_it_settles_is_forgotten() {
    let (inbox, host) = (Inbox::new(), Host::new());
    let _watcher = inbox.start(&host);
    let file = fs::File::create(inbox.path("a.csv")).unwrap();
    fs::remove_file(inbox.path("a.csv")).unwrap();
    drop(file);
    fence(&inbox, &host, "z.csv");
    assert_eq!((names(&host.fires()), host.decisions().len()), (vec!["z.csv".to_owned()], 0));
}

#[test]
fn a_burst_of_files_fires_each_exactly_once() {
    const FILES: usize = 5000;
    let (inbox, host) = (Inbox::new(), Host::new());
    let _watcher = inbox.start(&host);
    for number in 0..FILES {
        inbox.write(&format!("{number}.csv"), number.to_string());
    }
    host.wait_claims(FILES);
    let mut seen = names(&host.fires());
    assert_eq!(seen.len(), FILES);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), FILES);
    assert_eq!(fs::read_dir(&inbox.folder).unwrap().count(), 0);
}

#[test]
fn more_files_than_the_table_holds_all_fire_in_the_end() {
    const FILES: usize = 12_500;
    let (inbox, host) = (Inbox::new().settle(0).keep(), Host::new());
    for number in 0..FILES {
        inbox.write(&format!("{number}.csv"), number.to_string());
    }
    let _watcher = inbox.start(&host);
    let mut seen = names(&host.wait_fires(FILES));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), FILES);
    fence(&inbox, &host, "z.csv");
    assert_eq!(host.fires().len(), FILES + 1);
}

#[test]
fn a_busy_node_gets_the_file_again_and_a_refusal_is_final() {
    let (inbox, host) = (Inbox::new(), Host::new());
    *host.outcomes.lock().unwrap() = vec![FireOutcome::Busy];
    let watcher = inbox.start(&host);
    inbox.write("busy.csv", "busy");
    host.wait_claims(1);
    assert_eq!(names(&host.fires()), ["busy.csv", "busy.csv"]);
    *host.outcomes.lock().unwrap() = vec![FireOutcome::Refused { reason: "paused".into() }];
    inbox.write("no.csv", "no");
    assert_eq!(host.wait_decisions(1)[0].decision, Decision::Refused { reason: "paused".into() });
    watcher.rescan();
    fence(&inbox, &host, "z.csv");
    assert_eq!((host.fires().len(), exists(&inbox.path("no.csv"))), (4, true));
}

#[test]
fn a_full_store_delays_the_file_and_says_so_once() {
    let (inbox, host) = (Inbox::new(), Host::new());
    host.store_failures.store(1, Ordering::SeqCst);
    let _watcher = inbox.start(&host);
    inbox.write("a.csv", "a");
    assert!(matches!(host.wait_decisions(1)[0].decision, Decision::NotStored { .. }));
    host.wait_claims(1);
    assert_eq!(host.decisions().len(), 1);
}

#[test]
fn a_name_that_is_not_utf8_is_refused_once() {
    use std::os::unix::ffi::OsStrExt;
    let (inbox, host) = (Inbox::new().settle(0), Host::new());
    fs::write(inbox.folder.join(std::ffi::OsStr::from_bytes(b"bad-\xff.csv")), "x").unwrap();
    let watcher = inbox.start(&host);
    let decisions = host.wait_decisions(1);
    assert_eq!((decisions[0].relative.as_str(), &decisions[0].decision), ("bad-\u{fffd}.csv", &Decision::NameNotUtf8));
    watcher.rescan();
    fence(&inbox, &host, "z.csv");
    assert_eq!(host.decisions().len(), 1);
}

#[test]
fn a_missing_folder_is_told_once_and_taken_up_when_it_appears() {
    let (mut inbox, host) = (Inbox::new().settle(300), Host::new());
    inbox.folder = inbox.base.path().join("later/on/in");
    let watched = vec![inbox.watched("w/file-0")];
    let _watcher = FileWatcher::start(watched, Arc::clone(&host) as Arc<dyn FileHost>).unwrap();
    host.wait_notice("missing", |notice| matches!(notice, FolderNotice::Missing { .. }));
    fs::create_dir_all(&inbox.folder).unwrap();
    inbox.write("a.csv", "a");
    host.wait_claims(1);
    let missing = host
        .told
        .lock()
        .unwrap()
        .iter()
        .filter(|told| matches!(told, Told::Notice(FolderNotice::Missing { .. })))
        .count();
    assert_eq!(missing, 1);
}

#[test]
fn a_folder_that_is_removed_or_moved_and_made_again_is_taken_up_again() {
    let (inbox, host) = (Inbox::new().settle(300), Host::new());
    let _watcher = inbox.start(&host);
    inbox.write("a.csv", "a");
    host.wait_claims(1);
    fs::remove_dir(&inbox.folder).unwrap();
    host.wait_notice("removed", |notice| matches!(notice, FolderNotice::Missing { .. }));
    fs::create_dir(&inbox.folder).unwrap();
    inbox.write("b.csv", "b");
    host.wait_claims(2);
    let away = inbox.base.path().join("away");
    fs::rename(&inbox.folder, &away).unwrap();
    fs::create_dir(&inbox.folder).unwrap();
    inbox.write("c.csv", "c");
    host.wait_claims(3);
    // The folder that was moved away is no business of ours any more.
    fs::write(away.join("d.csv"), "d").unwrap();
    fence(&inbox, &host, "z.csv");
    assert_eq!(names(&host.fires()), ["a.csv", "b.csv", "c.csv", "z.csv"]);
}

#[test]
fn a_watched_folder_may_be_a_link() {
    let (mut inbox, host) = (Inbox::new(), Host::new());
    let link = inbox.base.path().join("link");
    symlink(&inbox.folder, &link).unwrap();
    inbox.folder = link;
    let _watcher = inbox.start(&host);
    inbox.write("a.csv", "a");
    host.wait_claims(1);
}

#[test]
fn two_triggers_on_one_tree_each_get_their_files() {
    let (inbox, host) = (Inbox::new().glob("**/*.csv").keep(), Host::new());
    let sub = inbox.path("sub");
    fs::create_dir(&sub).unwrap();
    let mut inner = inbox.watched("w/file-1");
    inner.folder = sub;
    inner.trigger.globs = vec!["*".into()];
    let watched = vec![inbox.watched("w/file-0"), inner];
    let _watcher = FileWatcher::start(watched, Arc::clone(&host) as Arc<dyn FileHost>).unwrap();
    host.wait_for("both folders", |told| {
        told.iter().filter(|told| matches!(told, Told::Notice(FolderNotice::Watching { .. }))).count() == 2
    });
    inbox.write("sub/a.csv", "a");
    host.wait_fires(2);
    let fired = host.whole_fires();
    let mut fires: Vec<_> = fired.into_iter().map(|fire| (fire.trigger_id, fire.files[0].relative.clone())).collect();
    fires.sort();
    let expected = [("w/file-0", "sub/a.csv"), ("w/file-1", "a.csv")];
    assert_eq!(fires, expected.map(|(trigger, path)| (trigger.to_owned(), path.to_owned())));
}

#[test]
fn a_folder_that_was_replaced_while_events_were_lost_is_watched_again() {
    let (inbox, host) = (Inbox::new().glob("**/*.csv").settle(300), Host::new());
    fs::create_dir(inbox.path("sub")).unwrap();
    let gate = host.gate();
    let _watcher = inbox.start(&host);
    gate.close(&inbox);
    // Nobody takes hints now: more paths than are remembered, and after them the one that matters.
    for number in 0..20_000 {
        fs::write(inbox.path(&number.to_string()), "").unwrap();
        fs::remove_file(inbox.path(&number.to_string())).unwrap();
    }
    fs::remove_dir(inbox.path("sub")).unwrap();
    fs::create_dir(inbox.path("sub")).unwrap();
    gate.open();
    fence(&inbox, &host, "fence.csv");
    inbox.move_in("sub/a.csv", "a");
    host.wait_for("the file in the new folder", |told| {
        support::fires(told).iter().any(|fire| fire.relative == "sub/a.csv")
    });
}

#[test]
fn reading_the_watched_files_wakes_nobody() {
    let (inbox, host) = (Inbox::new().keep(), Host::new());
    let _watcher = inbox.start(&host);
    inbox.write("a.csv", "a");
    host.wait_fires(1);
    for _ in 0..2000 {
        fs::read(inbox.path("a.csv")).unwrap();
    }
    fence(&inbox, &host, "z.csv");
    assert_eq!(host.reads.load(Ordering::SeqCst), 2);
}

#[test]
fn an_unreadable_file_is_told_once_and_run_when_it_becomes_readable() {
    use std::os::unix::fs::PermissionsExt;
    let (inbox, host) = (Inbox::new().settle(0).keep(), Host::new());
    fs::set_permissions(inbox.base.path(), fs::Permissions::from_mode(0o755)).unwrap();
    inbox.write("a.csv", "a");
    fs::set_permissions(inbox.path("a.csv"), fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads everything: the watcher's thread, which inherits this thread's rights, must not be root.
    let _watcher = unprivileged(|| inbox.start(&host));
    let decisions = host.wait_decisions(1);
    assert!(matches!(decisions[0].decision, Decision::Unreadable { .. }), "{decisions:?}");
    fs::set_permissions(inbox.path("a.csv"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(names(&host.wait_fires(1)), ["a.csv"]);
    assert_eq!(host.decisions().len(), 1);
}

#[test]
fn a_file_that_cannot_be_removed_is_told_and_not_run_twice() {
    use std::os::unix::fs::PermissionsExt;
    let (inbox, host) = (Inbox::new().settle(0), Host::new());
    fs::set_permissions(inbox.base.path(), fs::Permissions::from_mode(0o755)).unwrap();
    inbox.write("a.csv", "a");
    fs::set_permissions(&inbox.folder, fs::Permissions::from_mode(0o555)).unwrap();
    let watcher = unprivileged(|| inbox.start(&host));
    assert!(matches!(host.wait_decisions(1)[0].decision, Decision::NotRemoved { .. }));
    watcher.stop();
    fs::set_permissions(&inbox.folder, fs::Permissions::from_mode(0o755)).unwrap();
    let _watcher = inbox.start_known(&host);
    host.wait_claims(1);
    assert_eq!((host.fires().len(), exists(&inbox.path("a.csv"))), (1, false));
}

/// Runs `start` on a thread whose file system rights are those of `nobody` if ours are root's.
fn unprivileged<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let run = || {
            if rustix::process::geteuid().is_root() {
                // SAFETY: no memory is involved; it changes the rights of the calling thread only.
                #[expect(unsafe_code, reason = "there is no safe binding; test only")]
                unsafe {
                    libc::setfsuid(65_534);
                }
            }
            start()
        };
        scope.spawn(run).join().unwrap()
    })
}

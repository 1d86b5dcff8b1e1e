//! What the watcher says of a file or folder to somebody who asks.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use crate::support::{Host, Inbox, fence, wait::patience, wait::wait_until};
use trackside_triggers::files::{FileHost, FileWatcher, Sight};

fn ask(watcher: &FileWatcher, path: &str) -> Option<Sight> {
    watcher.folder_scan().ask("w/file-0", Path::new(path)).recv_timeout(patience()).unwrap()
}

#[test]
fn a_file_and_a_folder_are_told_as_they_stand() {
    let (inbox, host) = (Inbox::new().glob("{*,in/*}.csv"), Host::new());
    fs::create_dir_all(inbox.path("in/deeper")).unwrap();
    let watcher = inbox.start(&host);
    for watched in ["", "in", "no-such.csv", "in/no-such.csv"] {
        assert_eq!(ask(&watcher, watched), Some(Sight::Watched), "{watched}");
    }
    for outside in ["in/deeper", "..", "../a", "in/../../a", "/"] {
        assert_eq!(ask(&watcher, outside), Some(Sight::Outside), "{outside}");
    }
    assert_eq!(watcher.folder_scan().ask("other", Path::new("")).recv_timeout(patience()).unwrap(), None);
    // A link raises no event that completes a file.
    fs::write(inbox.base.path().join("a"), "a").unwrap();
    fs::hard_link(inbox.base.path().join("a"), inbox.path("a.csv")).unwrap();
    wait_until("a file that settles", || (ask(&watcher, "a.csv") == Some(Sight::Settling)).then_some(()));
    // Its run is not on disk yet.
    host.hold.store(true, Ordering::SeqCst);
    inbox.move_in("b.csv", "b");
    host.wait_fires(1);
    assert_eq!(ask(&watcher, "b.csv"), Some(Sight::UnderWay));
    host.release();
    host.wait_claims(1);
    // The same bytes again.
    inbox.move_in("b.csv", "b");
    host.wait_decisions(1);
    wait_until("a file that is left alone", || (ask(&watcher, "b.csv") == Some(Sight::LeftAlone)).then_some(()));
    fs::rename(&inbox.folder, inbox.base.path().join("away")).unwrap();
    wait_until("a folder that is away", || (ask(&watcher, "a.csv") == Some(Sight::Missing)).then_some(()));
    fs::rename(inbox.base.path().join("away"), &inbox.folder).unwrap();
    wait_until("the folder", || (ask(&watcher, "") == Some(Sight::Watched)).then_some(()));
    fence(&inbox, &host, "z.csv");
}

#[test]
fn a_watcher_that_has_ended_answers_nobody() {
    let (inbox, host) = (Inbox::new(), Host::new());
    let watcher = FileWatcher::start(vec![inbox.watched("w/file-0")], Arc::clone(&host) as Arc<dyn FileHost>).unwrap();
    let scan = watcher.folder_scan();
    watcher.stop();
    assert!(scan.ask("w/file-0", Path::new("")).try_recv().is_err());
}

//! What no event tells is found by the patrol. A file system that is mounted over a watched folder takes all events of that
//! folder away without a word. Mounting needs rights, so the test runs itself again in a namespace of its own; where that is not
//! allowed it says so.

use std::{collections::BTreeSet, fs, path::Path, process::Command, sync::Arc};

use crate::{
    alone::alone_under,
    support::{Host, Inbox, fence, names, wait::patience, wait::wait_until},
};
use trackside_triggers::files::{FileWatcher, Sight};

#[test]
fn a_new_folder_in_one_whose_events_are_lost_is_found_and_watched() {
    alone_under(namespace, || in_namespace(&Inbox::new().glob("**/*.csv").settle(100).keep(), &Host::new()));
}

fn namespace() -> Option<Command> {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["-U", "-r", "-m"]);
        unshare
    };
    if !unshare().args(["sh", "-c", "mount -t tmpfs none /tmp"]).output().is_ok_and(|output| output.status.success()) {
        println!("NOT RUN: nothing can be mounted in a namespace here");
        return None;
    }
    Some(unshare())
}

fn ask(watcher: &FileWatcher, path: &str) -> Option<Sight> {
    watcher.folder_scan().ask("w/file-0", Path::new(path)).recv_timeout(patience()).unwrap()
}

fn in_namespace(inbox: &Inbox, host: &Arc<Host>) {
    let folders = ["a", "b", "c", "d"];
    for folder in folders {
        fs::create_dir_all(inbox.path(folder)).unwrap();
    }
    let watcher = inbox.start(host);
    fence(inbox, host, "first.csv");
    let mut unwatched = 0;
    for folder in folders {
        let over = inbox.path(folder);
        assert!(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&over).status().unwrap().success());
        fs::create_dir_all(over.join("new/deep")).unwrap();
        inbox.write(&format!("{folder}/new/deep/a.csv"), format!("lost in {folder}"));
        // Whoever asks is told; the patrol may just have come by.
        match ask(&watcher, &format!("{folder}/new/deep/a.csv")) {
            Some(Sight::Unwatched(path)) => {
                assert_eq!(path, over.canonicalize().unwrap());
                unwatched += 1;
            }
            other => assert!(
                matches!(other, Some(Sight::Settling | Sight::UnderWay | Sight::LeftAlone)),
                "{folder}: {other:?}"
            ),
        }
    }
    assert!(unwatched > 0);
    host.wait_fires(1 + folders.len());
    for folder in folders {
        let deep = format!("{folder}/new/deep");
        wait_until("a watch", || (ask(&watcher, &deep) == Some(Sight::Watched)).then_some(()));
        inbox.write(&format!("{deep}/b.csv"), format!("seen in {folder}"));
    }
    host.wait_fires(1 + 2 * folders.len());
    let ran: BTreeSet<String> = names(&host.fires()).into_iter().collect();
    let each = |folder: &str| [format!("{folder}/new/deep/a.csv"), format!("{folder}/new/deep/b.csv")];
    let expected = folders.into_iter().flat_map(each).chain(["first.csv".to_owned()]).collect();
    assert_eq!(ran, expected);
}

//! The limit on watches is reached in the middle of a tree. The limit is a namespace's own, so the test runs itself again in
//! a user namespace with a small one; where that is not allowed it says so.

use std::{fs, process::Command, sync::Arc};

use crate::{
    alone::alone_under,
    support::{Host, Inbox, Told, fires},
};
use trackside_triggers::files::{FileHost, FileWatcher, FolderNotice};

const LIMIT: &str = "/proc/sys/user/max_inotify_watches";

#[test]
fn only_the_part_of_a_tree_that_is_beyond_the_limit_is_polled_until_there_are_watches_again() {
    alone_under(namespace, || in_namespace(&Inbox::new().glob("**/*").settle(300), &Host::new()));
}

fn namespace() -> Option<Command> {
    let unshare = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-U", "-r", "sh", "-c", script]);
        unshare
    };
    let possible = unshare(&format!("echo 4 > {LIMIT}")).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        println!("NOT RUN: no user namespace with a limit of its own can be made here");
        return None;
    }
    Some(unshare(&format!("echo 4 > {LIMIT} && exec \"$0\" \"$@\"")))
}

fn in_namespace(inbox: &Inbox, host: &Arc<Host>) {
    for name in ["a", "b", "c", "d", "e", "f/deep/deeper"] {
        fs::create_dir_all(inbox.path(name)).unwrap();
    }
    let _watcher = FileWatcher::start(vec![inbox.watched("w/file-0")], Arc::clone(host) as Arc<dyn FileHost>).unwrap();
    host.wait_scanned();
    let polling = |told: &[Told]| {
        let reason = |told: &Told| match told {
            Told::Notice(FolderNotice::Polling { folder, reason }) => Some((folder.clone(), reason.clone())),
            _ => None,
        };
        told.iter().filter_map(reason).collect::<Vec<_>>()
    };
    let told = polling(&host.told.lock().unwrap());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("sysctl fs.inotify.max_user_watches="), "{told:?}");
    // The folder itself is watched, only something below it is not.
    assert_ne!(told[0].0, inbox.folder.canonicalize().unwrap());
    let folders = ["", "a/", "b/", "c/", "d/", "e/", "f/deep/deeper/"];
    // Everything arrives, in the watched parts and in the others.
    for name in folders {
        inbox.move_in(&format!("{name}one.csv"), &format!("one in {name}"));
    }
    host.wait_claims(folders.len());
    assert_eq!(polling(&host.told.lock().unwrap()).len(), 1);
    // With watches to be had the polling ends.
    fs::write(LIMIT, "1000").unwrap();
    host.wait_for("the watch on the whole", |told| {
        let watching = |told: &&Told| matches!(told, Told::Notice(FolderNotice::Watching { .. }));
        told.iter().filter(watching).count() == 2
    });
    for name in folders {
        inbox.move_in(&format!("{name}two.csv"), &format!("two in {name}"));
    }
    host.wait_claims(2 * folders.len());
    assert_eq!(fires(&host.told.lock().unwrap()).len(), 2 * folders.len());
}

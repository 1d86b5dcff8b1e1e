//! A folder that cannot be watched is looked through instead. Alone in its process, because it takes away all file
//! descriptors for a moment.

use std::sync::Arc;

use crate::{
    alone::alone,
    support::{Host, Inbox},
};
use rustix::process::{Resource, getrlimit, setrlimit};
use trackside_triggers::files::{FileHost, FileWatcher, FolderNotice};

#[test]
fn a_folder_that_cannot_be_watched_is_polled_and_says_what_helps() {
    alone(|| {
        let (inbox, host) = (Inbox::new().settle(300), Host::new());
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(3), maximum: before.maximum }).unwrap();
        let watched = vec![inbox.watched("w/file-0")];
        let _watcher = FileWatcher::start(watched, Arc::clone(&host) as Arc<dyn FileHost>).unwrap();
        host.wait_notice("polling", |notice| {
            matches!(notice, FolderNotice::Polling { reason, .. } if reason.contains("fs.inotify.max_user_instances"))
        });
        setrlimit(Resource::Nofile, before).unwrap();
        host.wait_scanned();
        inbox.write("a.csv", "a");
        host.wait_claims(1);
    });
}

//! Whether the folders are there and watched: taking them up, noticing that they are gone, waiting for them.

use std::path::Path;

use super::{
    host::FolderNotice,
    spot::remote_file_system,
    watcher::{MISSING_PERIOD, Round},
};

impl Round {
    /// Takes a folder up, or finds that it is missing.
    pub(super) fn open(&mut self, index: usize) {
        let now = self.now();
        let folder = &mut self.folders[index];
        let root = match folder.resolve() {
            Ok(root) => root,
            Err(error) => {
                folder.retry_at = Some(now + MISSING_PERIOD);
                if !std::mem::replace(&mut folder.missed, true) {
                    let notice =
                        FolderNotice::Missing { folder: folder.watched.folder.clone(), error: error.to_string() };
                    self.host.notice(&folder.watched.trigger_id, notice);
                }
                return;
            }
        };
        let remote = remote_file_system(&root);
        let refused = self.signals.cover(&root, folder.is_recursive()).err();
        let reason = refused.or_else(|| {
            remote.map(|kind| format!("it is on {kind}, where changes made by other machines raise no event"))
        });
        folder.missed = false;
        folder.remote = remote.is_some();
        folder.polled = reason.is_some();
        folder.retry_at = None;
        folder.scan_wanted = true;
        folder.root = Some(root.clone());
        let notice = match reason {
            Some(reason) => FolderNotice::Polling { folder: root, reason },
            None => FolderNotice::Watching { folder: root },
        };
        self.host.notice(&folder.watched.trigger_id, notice);
    }

    /// The folder may be gone, or a new one in place of the old, which took the watch with it.
    pub(super) fn check_root(&mut self, index: usize) {
        let Some(root) = self.folders[index].root.clone() else { return };
        self.signals.uncover(&root);
        self.reopen_below(&root);
        self.await_missing();
    }

    /// Opens again all folders whose watch may have been lost with that of `root`.
    fn reopen_below(&mut self, root: &Path) {
        for index in 0..self.folders.len() {
            if self.folders[index].root.as_ref().is_some_and(|path| path.starts_with(root)) {
                self.folders[index].root = None;
                self.open(index);
            }
        }
    }

    /// Has the creation of missing folders reported.
    pub(super) fn await_missing(&mut self) {
        // A folder may have appeared while the watch above it was being set: look again after that. The bound is for
        // somebody who creates and removes folders all the time; the slow retry remains.
        for _ in 0..8 {
            let missing = self.folders.iter().filter(|folder| folder.root.is_none());
            let settled = self.signals.await_creation(missing.map(|folder| folder.watched.folder.as_path()));
            let appeared: Vec<usize> = (0..self.folders.len())
                .filter(|index| self.folders[*index].root.is_none() && self.folders[*index].resolve().is_ok())
                .collect();
            if settled && appeared.is_empty() {
                return;
            }
            appeared.into_iter().for_each(|index| self.open(index));
        }
    }

    /// The operating system lost sight of a directory (of all for `None`).
    pub(super) fn poll_instead(&mut self, path: Option<&Path>, reason: &str) {
        for folder in &mut self.folders {
            let Some(root) = &folder.root else { continue };
            if path.is_none_or(|path| path.starts_with(root)) {
                folder.scan_wanted = true;
                if !std::mem::replace(&mut folder.polled, true) {
                    let notice = FolderNotice::Polling { folder: root.clone(), reason: reason.to_owned() };
                    self.host.notice(&folder.watched.trigger_id, notice);
                }
            }
        }
    }
}

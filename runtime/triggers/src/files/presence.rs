//! Whether the folders are there and watched: taking them up, noticing that they are gone, waiting for them.

use std::path::{Path, PathBuf};

use super::{
    coverage::{Coverage, CoverageChange, Polled},
    host::FolderNotice,
    look_through::Reach,
    spot::remote_file_system,
    watcher::{MISSING_PERIOD, POLL_PERIOD, Round},
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
        folder.missed = false;
        folder.remote = remote_file_system(&root).is_some();
        folder.polled.clear();
        folder.told.clear();
        folder.poll_at = None;
        folder.retry_at = None;
        folder.scan_wanted = true;
        folder.root = Some(root.clone());
        // Watched before it is looked through for the first time, so that whoever hears of it may rely on the watch.
        let mut cover = Coverage::of(folder, &mut self.signals);
        cover.enter(&root, Path::new(""));
        let coverage = cover.done();
        if coverage.is_whole() {
            self.host.notice(&folder.watched.trigger_id, FolderNotice::Watching { folder: root.clone() });
        }
        self.note_coverage(index, &root, coverage);
    }

    /// The folder may be gone, or a new one in place of the old, which took the watch with it.
    pub(super) fn check_root(&mut self, index: usize) {
        let Some(root) = self.folders[index].root.clone() else { return };
        self.signals.uncover(&root);
        self.forget_leaving();
        self.reopen_below(&root);
        self.await_missing();
    }

    /// Opens again all folders whose watch may have been lost with that of `root`.
    fn reopen_below(&mut self, root: &Path) {
        for index in 0..self.folders.len() {
            if self.folders[index].root.as_ref().is_some_and(|path| path.starts_with(root)) {
                self.folders[index].root = None;
                self.open(index);
            } else if self.folders[index].root.as_ref().is_some_and(|above| root.starts_with(above)) {
                // Its watches below `root` went, too.
                self.folders[index].scan_wanted = true;
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

    /// The operating system lost sight of a directory (of all for `None`): it is looked through at intervals until a
    /// watch works again.
    pub(super) fn poll_instead(&mut self, path: Option<&Path>, reason: &str) {
        match path {
            Some(path) => self.signals.uncover(path),
            None => self.signals.start_over(reason),
        }
        for index in 0..self.folders.len() {
            let Some(root) = self.folders[index].root.clone() else { continue };
            let part = match path {
                None => Path::new(""),
                Some(path) => match path.strip_prefix(&root) {
                    Ok(part) => part,
                    Err(_) => continue,
                },
            };
            self.folders[index].scan_wanted = true;
            let coverage = CoverageChange::refused(part, reason);
            self.note_coverage(index, &root, coverage);
        }
    }

    /// Enters what a look through a folder found out about its watches.
    pub(super) fn note_coverage(&mut self, index: usize, root: &Path, change: CoverageChange) {
        let now = self.now();
        let folder = &mut self.folders[index];
        for part in change.healed {
            folder.polled.remove(&part);
        }
        for (part, reason) in change.refused {
            if folder.told.insert(reason.clone()) {
                let notice = FolderNotice::Polling { folder: below(root, &part), reason };
                self.host.notice(&folder.watched.trigger_id, notice);
            }
            folder.polled.insert(part.0, part.1);
        }
        match (folder.polled.is_empty(), folder.poll_at) {
            (true, Some(_)) => {
                folder.poll_at = None;
                folder.told.clear();
                let notice = FolderNotice::Watching { folder: root.to_owned() };
                self.host.notice(&folder.watched.trigger_id, notice);
            }
            (false, None) => folder.poll_at = Some(now + POLL_PERIOD),
            _ => {}
        }
    }

    /// Looks through what can not be watched.
    pub(super) fn poll(&mut self, index: usize) {
        let now = self.now();
        self.folders[index].poll_at = Some(now + POLL_PERIOD);
        if !self.has_room() {
            return;
        }
        let parts: Vec<PathBuf> = self.folders[index].polled.keys().cloned().collect();
        for part in parts {
            self.scan(index, &part, Reach::All);
        }
    }
}

fn below(root: &Path, (part, _): &(PathBuf, Polled)) -> PathBuf {
    if part.as_os_str().is_empty() { root.to_owned() } else { root.join(part) }
}

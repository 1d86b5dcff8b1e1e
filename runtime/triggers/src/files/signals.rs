//! The operating system's file events, turned into hints.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{
    Config, Error, ErrorKind, Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
};

use super::inbox::{Hint, Inbox};

/// What is watched: everything that may complete a file, and closing after writing. Never opening, reading or closing
/// after reading: the watcher reads files itself and would wake itself for ever.
const EVENTS: EventKindMask = EventKindMask::CORE.union(EventKindMask::ACCESS_CLOSE);

/// The watches. Dropping it removes them all.
pub struct Signals {
    inbox: Arc<Inbox>,
    folders: Result<RecommendedWatcher, String>,
    /// Covered roots and whether with all below.
    covered: BTreeMap<PathBuf, bool>,
    /// Watches the nearest existing folders above missing ones; exists only while there are any.
    above: Option<RecommendedWatcher>,
}

impl Signals {
    /// No watch yet. If the operating system gives none at all, every [`Signals::cover`] will say why.
    pub fn new(inbox: &Arc<Inbox>) -> Self {
        let folders = open(inbox).map_err(|error| reason(&error));
        Self { inbox: Arc::clone(inbox), folders, covered: BTreeMap::new(), above: None }
    }

    /// Watches `root`, which must be free of links, with all below it if `recursive`.
    ///
    /// # Errors
    /// Why it cannot be watched (wholly), and what would help.
    pub fn cover(&mut self, root: &Path, recursive: bool) -> Result<(), String> {
        let enough = |(covered, all): (&PathBuf, &bool)| {
            if covered == root { *all || !recursive } else { *all && root.starts_with(covered) }
        };
        if self.covered.iter().any(enough) {
            return Ok(());
        }
        let mode = if recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
        if self.folders.is_err() {
            // What the system refused at first it may grant later.
            self.folders = open(&self.inbox).map_err(|error| reason(&error));
        }
        let watcher = self.folders.as_mut().map_err(|reason| reason.clone())?;
        watcher.watch(root, mode).map_err(|error| reason(&error))?;
        self.covered.insert(root.to_owned(), recursive);
        Ok(())
    }

    /// Gives up the watches of `root` and all below it: it is gone or another folder now.
    pub fn uncover(&mut self, root: &Path) {
        let Ok(watcher) = self.folders.as_mut() else { return };
        self.covered.retain(|covered, _| {
            let lost = covered.starts_with(root);
            if lost {
                // It fails when the watch went with the folder, which is as well.
                let _ = watcher.unwatch(covered);
            }
            !lost
        });
    }

    /// Returns once every folder whose creation has been hinted at is watched itself: files that appear in it from now
    /// on raise hints, and those that are there can be found by a scan.
    pub fn catch_up(&self) {
        if let Ok(watcher) = &self.folders {
            // The watcher's thread installs such watches after it has delivered the events it had read, and answers
            // questions after that.
            let _ = watcher.watched_paths();
        }
    }

    /// Watches, instead of what was watched for this purpose before, the nearest existing folder above each of
    /// `missing`, so that their creation raises a hint. False when folders came or went meanwhile.
    pub fn await_creation<'a>(&mut self, missing: impl Iterator<Item = &'a Path>) -> bool {
        self.above = None;
        let mut settled = true;
        for path in missing {
            if self.above.is_none() {
                self.above = open(&self.inbox).ok();
            }
            let (Some(watcher), Some(above)) = (self.above.as_mut(), nearest(path)) else { continue };
            // Should it fail, the slow retry of missing folders remains.
            let _ = watcher.watch(above, RecursiveMode::NonRecursive);
            settled &= nearest(path) == Some(above);
        }
        settled
    }
}

/// The nearest folder above `path` that exists.
fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|ancestor| ancestor.is_dir())
}

fn open(inbox: &Arc<Inbox>) -> notify::Result<RecommendedWatcher> {
    let inbox = Arc::clone(inbox);
    let config = Config::default().with_event_kinds(EVENTS).with_follow_symlinks(false);
    RecommendedWatcher::new(move |event| receive(&inbox, event), config)
}

fn receive(inbox: &Inbox, event: notify::Result<Event>) {
    match event {
        Ok(event) if event.need_rescan() => inbox.rescan(),
        Ok(event) => {
            let hint = hint(event.kind);
            if let (Some(hint), Some(path)) = (hint, event.paths.into_iter().next()) {
                inbox.hint(path, hint);
            }
        }
        // The scan cannot look into it either, and says so.
        Err(error) if matches!(&error.kind, ErrorKind::Io(io) if io.kind() == io::ErrorKind::PermissionDenied) => {
            inbox.rescan();
        }
        Err(error) => {
            let reason = reason(&error);
            inbox.broken(error.paths.into_iter().next(), reason);
        }
    }
}

fn hint(kind: EventKind) -> Option<Hint> {
    match kind {
        EventKind::Create(CreateKind::Folder) => Some(Hint::Directory),
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Hint::Finished),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Some(Hint::Gone),
        // Both ends of a rename were told one by one.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) | EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(Hint::Stirred),
        EventKind::Create(_) | EventKind::Modify(_) => Some(Hint::Written),
        EventKind::Any | EventKind::Other => Some(Hint::Stirred),
    }
}

/// Why a folder cannot be watched, for people, with what helps.
fn reason(error: &Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the limit on watched folders is reached: raise it with `sysctl fs.inotify.max_user_watches=524288`"
                .to_owned()
        }
        ErrorKind::Io(io) if too_many_instances(io) => {
            "the limit on watchers or open files is reached: raise it with `sysctl fs.inotify.max_user_instances=1024`"
                .to_owned()
        }
        ErrorKind::Io(io) => format!("the operating system refuses to watch it: {io}"),
        _ => format!("it cannot be watched: {error}"),
    }
}

fn too_many_instances(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

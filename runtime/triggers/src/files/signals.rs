//! The operating system's file events, turned into hints.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    io,
    ops::Bound,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use trackside_codes::{Class, Reason};

use notify::{
    Config, Error, ErrorKind, Event, EventKind, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode},
};

use super::{
    inbox::{Hint, Inbox},
    patrol::Stamp,
};

/// What is watched: everything that may complete a file, and closing after writing. Never opening, reading or closing
/// after reading: the watcher reads files itself and would wake itself for ever.
const EVENTS: EventKindMask = EventKindMask::CORE.union(EventKindMask::ACCESS_CLOSE);

/// A folder that has a watch.
#[derive(Clone, Copy, Debug)]
struct Watched {
    /// Which folder the watch was set on: another one may have taken its name without an event.
    is: Option<(u64, u64)>,
    /// What it looked like when the patrol read it last.
    stamp: Option<Stamp>,
}

/// Which folder has this name now: its device and inode.
fn identity(folder: &Path) -> Option<(u64, u64)> {
    folder.symlink_metadata().ok().filter(Metadata::is_dir).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The watches, one for each folder: what they do not reach is known by name, and what a trigger never looks into costs no
/// watch. Dropping it removes them all.
pub struct Signals {
    inbox: Arc<Inbox>,
    folders: Result<RecommendedWatcher, Reason>,
    covered: BTreeMap<PathBuf, Watched>,
    /// Watches that are being replaced: they go when the new ones are set, so that nothing comes in unseen between.
    retired: Option<RecommendedWatcher>,
    /// Watches the nearest existing folders above missing ones; exists only while there are any.
    above: Option<RecommendedWatcher>,
}

impl Signals {
    /// No watch yet. If the operating system gives none at all, every [`Signals::cover`] will say why.
    pub fn new(inbox: &Arc<Inbox>) -> Self {
        let folders = open(inbox).map_err(refused);
        Self { inbox: Arc::clone(inbox), folders, covered: BTreeMap::new(), retired: None, above: None }
    }

    /// Watches `folder`, which must be free of links, itself and not what is below it. From the return on, whatever comes
    /// into it raises a hint.
    ///
    /// # Errors
    /// Why it cannot be watched, and what would help. A folder that is gone or may not be read is no error: looking
    /// through it tells that.
    pub fn cover(&mut self, folder: &Path) -> Result<(), Reason> {
        if self.covered.contains_key(folder) {
            return Ok(());
        }
        if self.folders.is_err() {
            // What the system refused at first it may grant later.
            self.folders = open(&self.inbox).map_err(refused);
        }
        let watcher = self.folders.as_mut().map_err(|reason| reason.clone())?;
        // Asked before: should the folder be replaced in between, it is the wrong one and is watched anew.
        let is = identity(folder);
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => drop(self.covered.insert(folder.to_owned(), Watched { is, stamp: None })),
            Err(error) if tells_itself(&error) => {}
            Err(error) => return Err(refused(error)),
        }
        Ok(())
    }

    /// Gives up the watches of `root` and all below it: it is gone, or another folder now.
    pub fn uncover(&mut self, root: &Path) {
        // In the order of paths, what is below a folder follows it.
        let below = |path: &&PathBuf| path.starts_with(root);
        let lost: Vec<PathBuf> =
            self.covered.range(root.to_owned()..).map(|(path, _)| path).take_while(below).cloned().collect();
        for folder in lost {
            self.covered.remove(&folder);
            if let Ok(watcher) = self.folders.as_mut() {
                // It fails when the watch went with the folder, which is as well.
                let _ = watcher.unwatch(&folder);
            }
        }
    }

    /// Whether this folder is watched, for all that is known.
    pub fn covers(&self, folder: &Path) -> bool {
        self.covered.contains_key(folder)
    }

    /// Whether this very folder is watched, and not one that had its name before.
    pub fn watches(&self, folder: &Path) -> bool {
        self.covered.get(folder).is_some_and(|watched| watched.is.is_some() && watched.is == identity(folder))
    }

    /// The watched folder that follows this one in the order of paths (the first for `None`).
    pub fn next_after(&self, folder: Option<&Path>) -> Option<PathBuf> {
        let from = folder.map_or(Bound::Unbounded, Bound::Excluded);
        self.covered.range::<Path, _>((from, Bound::Unbounded)).next().map(|(path, _)| path.clone())
    }

    /// What a watched folder looked like when it was read last.
    pub fn stamp(&self, folder: &Path) -> Option<Stamp> {
        self.covered.get(folder)?.stamp
    }

    /// Which folder its watch was set on: device and inode.
    pub fn identity(&self, folder: &Path) -> Option<(u64, u64)> {
        self.covered.get(folder)?.is
    }

    /// It is about to be read and looks like this.
    pub fn set_stamp(&mut self, folder: &Path, stamp: Stamp) {
        if let Some(known) = self.covered.get_mut(folder) {
            known.stamp = Some(stamp);
        }
    }

    /// Sets the watch of a folder again, in case that it was lost without a word; on the same folder that changes nothing.
    pub fn affirm(&mut self, folder: &Path) {
        if let Ok(watcher) = self.folders.as_mut()
            && watcher.watch(folder, RecursiveMode::NonRecursive).is_err()
        {
            // It is not watched, then, and the look through it that follows says why.
            self.covered.remove(folder);
        }
    }

    /// Events were lost, and with them perhaps that a folder was replaced: all watches are to be set anew.
    pub fn renew(&mut self) {
        self.covered.clear();
        let fresh = open(&self.inbox).map_err(refused);
        if let Ok(old) = std::mem::replace(&mut self.folders, fresh) {
            self.retired = Some(old);
        }
    }

    /// The watches are set anew.
    pub fn renewed(&mut self) {
        self.retired = None;
    }

    /// The watcher as a whole is broken: the next [`Signals::cover`] starts another one.
    pub fn start_over(&mut self, reason: &str) {
        self.covered.clear();
        self.folders = Err(Reason::new(Class::Setup, reason));
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
        Ok(event) if event.need_rescan() => inbox.lost(),
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
        EventKind::Create(CreateKind::Folder) => Some(Hint::FOLDER),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Hint::CLOSED),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Hint::MOVED_IN),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Some(Hint::GONE),
        // Both ends of a rename were told one by one.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) | EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(Hint::STIRRED),
        EventKind::Create(_) | EventKind::Modify(_) => Some(Hint::WRITTEN),
        EventKind::Any | EventKind::Other => Some(Hint::STIRRED),
    }
}

/// Whether looking through the folder fails for the same reason.
fn tells_itself(error: &Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(io) => matches!(io.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied),
        _ => false,
    }
}

/// Why a folder cannot be watched, for people, with what helps.
/// Why something can not be watched, and what would help.
fn refused(error: Error) -> Reason {
    let text = reason(&error);
    Reason::by(Class::Setup, error).told(|_| text)
}

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

#[cfg(test)]
mod tests {
    use std::{fs::File, time::Duration};

    use notify::event::Flag;

    use super::*;

    #[test]
    fn lost_events_ask_for_a_look_through_everything() {
        let inbox = Inbox::default();
        receive(&inbox, Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        let batch = inbox.take(Some(Duration::ZERO));
        assert!(batch.rescan && batch.lost);
    }

    #[test]
    fn a_kernel_queue_that_overflows_asks_for_a_look_through_everything() {
        let folder = tempfile::tempdir().unwrap();
        let limit: usize =
            std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
        let inbox = Arc::new(Inbox::default());
        let mut signals = Signals::new(&inbox);
        signals.cover(&folder.path().canonicalize().unwrap()).unwrap();
        let names = ["a", "b"].map(|name| folder.path().join(name));
        {
            // Nobody can take events off the kernel's queue now. Two paths only: our own table can not overflow.
            let _held = inbox.hold();
            for number in 0..2 * limit {
                drop(File::create(&names[number % 2]).unwrap());
            }
        }
        let end = std::time::Instant::now() + Duration::from_secs(60);
        let mut hinted = 0;
        loop {
            let batch = inbox.take(Some(Duration::from_secs(60)));
            hinted += batch.hints.len();
            if batch.lost {
                break;
            }
            assert!(std::time::Instant::now() < end, "no overflow after {hinted} hints");
        }
    }

    #[test]
    fn giving_up_a_folder_gives_up_what_is_below_and_nothing_beside() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let inbox = Arc::new(Inbox::default());
        let mut signals = Signals::new(&inbox);
        for name in ["a", "a/b", "a/b/c", "a.d", "ab"] {
            std::fs::create_dir(base.join(name)).unwrap();
            signals.cover(&base.join(name)).unwrap();
        }
        signals.uncover(&base.join("a"));
        let left: Vec<_> = signals.covered.keys().cloned().collect();
        assert_eq!(left, [base.join("a.d"), base.join("ab")]);
        // A folder that is gone is no news here.
        signals.cover(&base.join("gone")).unwrap();
    }
}

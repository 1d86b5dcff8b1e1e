//! The watcher: its handle, its thread and the thread's round.
//!
//! The thread sleeps until a hint or an outcome arrives or a deadline comes. Deadlines exist while a file settles, a folder
//! is missing or polled, or something failed and is to be tried again. With nothing going on only the patrol (`patrol`)
//! wakes it, once a minute.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    error::FileWatchError,
    folder::{Folder, Verdict},
    host::{FileHost, FileStat, WatchedFolder},
    inbox::{Batch, Hint, Inbox, Question, Standing},
    leaving::Leaving,
    look_through::Reach,
    memory::Memory,
    patrol::Patrol,
    same::Vanished,
    settling::{Key, Settling},
    sight::Sight,
    signals::Signals,
    spot::Look,
};

/// Files that may wait at a time; with more, the folder is looked through again when these are done.
pub const MAX_PENDING: usize = 10_000;

/// Files that may be under way at a time: gathered for a batch, or in a fire whose outcome is open.
pub const MAX_IN_FLIGHT: usize = 1024;

/// How often a folder is looked through that cannot be watched.
pub const POLL_PERIOD: Duration = Duration::from_secs(5);

/// How often a missing folder is looked for besides when something appears above it: mounting raises no event there.
pub const MISSING_PERIOD: Duration = Duration::from_secs(30);

/// How long a file that `exclude` leaves out must stand still before that is told.
const EXCLUDED_STAYS: Duration = Duration::from_secs(1);

/// Files picked up between two looks into the inbox.
const ROUND: usize = 64;

/// A start waits no longer than this for the first look through the folders.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// Watches folders until it is dropped.
#[derive(Debug)]
pub struct FileWatcher {
    inbox: Arc<Inbox>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatcher {
    /// Starts the watcher's thread and returns when the watches are set and what lies in the folders has been found, so
    /// that whatever comes in later is seen to come in; on a slow disk it returns after [`FIRST_LOOK`] all the same.
    ///
    /// # Errors
    /// [`FileWatchError`] for a pattern or folder that cannot work, or when there is no thread to be had. A folder that
    /// is missing or cannot be watched is no error but a [`FolderNotice`].
    pub fn start(folders: Vec<WatchedFolder>, host: Arc<dyn FileHost>) -> Result<Self, FileWatchError> {
        let folders = folders.into_iter().map(Folder::new).collect::<Result<Vec<_>, _>>()?;
        let inbox = Arc::new(Inbox::default());
        if folders.is_empty() {
            return Ok(Self { inbox, thread: None });
        }
        let theirs = Arc::clone(&inbox);
        let (looked, first_look) = channel();
        let run = move || Round::new(folders, host, theirs).run(looked);
        let thread = Builder::new().name("file-triggers".to_owned()).spawn(run).map_err(FileWatchError::Thread)?;
        // Neither answer changes anything: a thread that has ended is told of at the end.
        let _ = first_look.recv_timeout(FIRST_LOOK);
        Ok(Self { inbox, thread: Some(thread) })
    }

    /// Asks for a look through all folders, for an operator who trusts no event.
    pub fn rescan(&self) {
        self.inbox.rescan();
    }

    /// The same from elsewhere. After the watcher's end it does nothing.
    #[must_use]
    pub fn folder_scan(&self) -> FolderScan {
        FolderScan(Arc::clone(&self.inbox))
    }

    /// Ends the thread and waits for it. Fires whose outcome is open are settled by the scan of the next start. Must not
    /// be called by the host from within a callback.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.inbox.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("TS-0421: the file watcher's thread had panicked; files were not picked up since");
        }
    }
}

/// Asks a watcher for a look through its folders, or how one file stands.
#[derive(Clone, Debug)]
pub struct FolderScan(Arc<Inbox>);

impl FolderScan {
    /// Asks for a look.
    pub fn rescan(&self) {
        self.0.rescan();
    }

    /// Asks how the file at this path below the folder of a trigger stands. The answer comes when the watcher's thread has
    /// finished what it is doing; none comes after the watcher's end, or when too many ask.
    #[must_use]
    pub fn ask(&self, trigger: &str, relative: &Path) -> Receiver<Option<Sight>> {
        let (answer, answered) = channel();
        self.0.ask(Question { trigger: trigger.to_owned(), relative: relative.to_owned(), answer });
        answered
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        self.end();
    }
}

/// The files of a run that is being gathered, or whose outcome is open.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub passengers: Vec<Passenger>,
}

/// One file under way.
#[derive(Debug)]
pub(super) struct Passenger {
    pub key: Key,
    pub look: Look,
    pub relative: String,
    pub identity: String,
    /// What was hinted about the file since.
    pub hint: Option<Hint>,
}

/// All that the thread owns.
pub(super) struct Round {
    pub folders: Vec<Folder>,
    pub host: Arc<dyn FileHost>,
    pub inbox: Arc<Inbox>,
    pub table: Settling,
    pub memory: Memory,
    pub flights: HashMap<u64, Flight>,
    /// Files under way: their flight, and their place in it.
    pub flying: HashMap<Key, (u64, usize)>,
    /// Files whose run is on disk and which other triggers still want, by their path.
    pub leaving: HashMap<PathBuf, Vec<Leaving>>,
    pub last_flight: u64,
    /// What the files under way look like, by trigger: the same file under another name waits.
    pub aboard: HashSet<(usize, FileStat)>,
    /// Names under which other bytes were found than those of the run, whatever they look like.
    pub strangers: HashSet<Key>,
    /// Files that were away when their run was on disk.
    pub vanished: Vanished,
    pub patrol: Patrol,
    /// Files whose bytes could not be stored and were reported.
    pub unstored: HashSet<Key>,
    /// Store failures in a row, each after the wait for the one before, and when that wait ends.
    pub failures: (u32, Duration),
    pub epoch: u32,
    pub signals: Signals,
    started: Instant,
    /// A look through a folder left files out for lack of room.
    pub backlog: bool,
    /// That was told.
    pub backlog_told: bool,
    /// The table dropped files for lack of room.
    pub lost: bool,
}

impl Round {
    fn new(folders: Vec<Folder>, host: Arc<dyn FileHost>, inbox: Arc<Inbox>) -> Self {
        Self {
            signals: Signals::new(&inbox),
            folders,
            host,
            inbox,
            table: Settling::new(MAX_PENDING),
            memory: Memory::default(),
            flights: HashMap::new(),
            flying: HashMap::new(),
            leaving: HashMap::new(),
            last_flight: 0,
            aboard: HashSet::new(),
            strangers: HashSet::new(),
            vanished: Vanished::default(),
            patrol: Patrol::default(),
            unstored: HashSet::new(),
            failures: (0, Duration::ZERO),
            epoch: 0,
            started: Instant::now(),
            backlog: false,
            backlog_told: false,
            lost: false,
        }
    }

    fn run(mut self, looked: Sender<()>) {
        for index in 0..self.folders.len() {
            self.open(index);
        }
        self.await_missing();
        self.look_through();
        drop(looked);
        loop {
            self.look_through();
            self.walk_patrol();
            self.pick_up_due();
            self.launch_due_batches();
            self.tell_late();
            let batch = self.inbox.take(self.wait());
            if batch.stop {
                return;
            }
            self.take_in(batch);
            self.lost |= self.table.take_overflow();
        }
    }

    /// The monotonic clock, counted from the thread's start.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long nothing needs doing; `None` until something arrives.
    fn wait(&self) -> Option<Duration> {
        let table = self.table.next_deadline().filter(|_| self.flying.len() < MAX_IN_FLIGHT);
        let scan =
            self.backlog || self.lost || self.folders.iter().any(|folder| folder.scan_wanted && folder.root.is_some());
        let scan = (scan && self.has_room()).then_some(Duration::ZERO);
        let folders = self.folders.iter().flat_map(|folder| [folder.retry_at, folder.poll_at, folder.batch.deadline()]);
        let folders = folders.flatten();
        let patrol = self.patrol_at().filter(|_| self.has_room());
        let next = folders.chain(table).chain(scan).chain(patrol).min()?;
        Some(next.saturating_sub(self.now()))
    }

    /// Whether a look through a folder could add a fair number of files. Asking for more than one free place keeps a large
    /// backlog from being walked again for every few files.
    pub fn has_room(&self) -> bool {
        self.table.len() + self.flying.len() <= MAX_PENDING / 8
    }

    fn pick_up_due(&mut self) {
        for _ in 0..ROUND {
            if self.flying.len() >= MAX_IN_FLIGHT {
                return;
            }
            let now = self.now();
            let Some(due) = self.table.pop_due(now) else { return };
            self.pick_up(due, now);
        }
    }

    fn take_in(&mut self, batch: Batch) {
        if !batch.hints.is_empty() || batch.rescan {
            self.patrol_soon();
        }
        for (flight, outcome) in batch.outcomes {
            self.land(flight, &outcome);
        }
        for (path, reason) in batch.broken {
            self.poll_instead(path.as_deref(), &reason);
        }
        if batch.lost {
            self.signals.renew();
        }
        if batch.rescan {
            self.folders.iter_mut().for_each(|folder| folder.scan_wanted = true);
        }
        let now = self.now();
        let mut appeared = false;
        for index in 0..self.folders.len() {
            let folder = &self.folders[index];
            let due = folder.retry_at.is_some_and(|at| at <= now);
            if folder.poll_at.is_some_and(|at| at <= now) {
                self.poll(index);
            }
            let folder = &self.folders[index];
            if folder.root.is_some() {
                if due {
                    self.folders[index].retry_at = None;
                    self.folders[index].scan_wanted = true;
                }
            } else if due || batch.hints.iter().any(|(path, _)| folder.watched.folder.starts_with(path)) {
                self.open(index);
                appeared = true;
            }
        }
        if appeared {
            self.await_missing();
        }
        self.take_hints(batch.hints);
        for Question { trigger, relative, answer } in batch.questions {
            // Whoever asked may have given up.
            let _ = answer.send(self.sight(&trigger, &relative));
        }
    }

    fn take_hints(&mut self, hints: Vec<(PathBuf, Hint)>) {
        let mut directories: Vec<(usize, PathBuf)> = Vec::new();
        let mut appeared: Vec<PathBuf> = Vec::new();
        for (path, hint) in hints {
            if hint.left {
                self.signals.uncover(&path);
            }
            let before = directories.len();
            for index in 0..self.folders.len() {
                let Some(root) = &self.folders[index].root else { continue };
                if let Ok(relative) = path.strip_prefix(root) {
                    if relative.as_os_str().is_empty() {
                        // A change of its times is none of the folder, whatever it looks like.
                        if hint.left || hint.appeared {
                            self.check_root(index);
                        }
                    } else if hint == Hint::STIRRED && self.folders[index].reported.contains(relative) {
                        // It may be readable now, and was not watched before.
                        self.check_root(index);
                    } else if self.take_hint(index, relative.to_owned(), &path, hint) {
                        directories.push((index, relative.to_owned()));
                    }
                } else if hint.left && root.starts_with(&path) {
                    self.check_root(index);
                }
            }
            if directories.len() > before {
                appeared.push(path);
            }
        }
        // Whatever was watched under these names before is not what is there now.
        appeared.iter().for_each(|path| self.signals.uncover(path));
        for (index, relative) in directories {
            self.scan(index, &relative, Reach::All);
        }
    }

    /// Whether the path is a sub-folder to look through.
    pub fn take_hint(&mut self, index: usize, relative: PathBuf, path: &Path, hint: Hint) -> bool {
        let folder = &self.folders[index];
        let verdict = folder.verdict(&relative);
        // A folder is found by what it is, not by what was said of it.
        let may_be_directory = folder.reaches_below(&relative) && (hint.appeared || !self.signals.covers(path));
        if matches!(verdict, Verdict::Other | Verdict::Taken) && !may_be_directory {
            return false;
        }
        let key: Key = (index, Arc::new(relative));
        if let Some((flight, seat)) = self.flying.get(&key) {
            let passenger = self.flights.get_mut(flight).and_then(|flight| flight.passengers.get_mut(*seat));
            if let Some(passenger) = passenger {
                passenger.hint = Some(passenger.hint.map_or(hint, |earlier| earlier.then(hint)));
            }
            return false;
        }
        let gone = hint.standing == Standing::Gone;
        let metadata = if gone { None } else { std::fs::symlink_metadata(path).ok() };
        let Some(metadata) = metadata else {
            self.table.forget(&key);
            // The folder may have been moved away with all that is above it, of which no event tells.
            if !gone && self.folders[index].root.as_ref().is_some_and(|root| !root.is_dir()) {
                self.check_root(index);
            }
            // In a shared folder a name goes when this box takes the file, too.
            if self.folders[index].watched.shared_as.is_none() {
                self.memory.drop(&key);
            }
            return false;
        };
        if metadata.is_dir() {
            return may_be_directory;
        }
        let Some(look) = Look::of(&metadata).filter(|_| !matches!(verdict, Verdict::Other | Verdict::Taken)) else {
            return false;
        };
        let (settle, now) = (self.folders[index].settle(), self.now());
        if verdict == Verdict::Excluded {
            // Told when it stays: a temporary name that is given up at once is worth no row.
            if !self.memory.holds(&key, Look::EXCLUDED, None) {
                self.table.touch(&key, look.stat, settle.max(EXCLUDED_STAYS), now);
            }
            return false;
        }
        if self.memory.holds(&key, look, None) {
            return false;
        }
        // A time that was set looks like writing when it is set alone, and nobody closes the file after that.
        let standing = match hint.standing {
            Standing::Written if look.time_was_set() && hint.finished => Standing::Finished,
            Standing::Written if look.time_was_set() => Standing::Stirred,
            other => other,
        };
        match standing {
            Standing::Finished => self.table.finish(&key, now),
            Standing::Stirred => self.table.sight(&key, look.stat, settle, now),
            Standing::Written | Standing::Gone => self.table.touch(&key, look.stat, settle, now),
        }
        self.judge(&key);
        false
    }
}

//! What the file trigger needs of the node, and what it tells the node.

use std::{fmt, io, io::Read, path::PathBuf};

use trackside_facts::DecisionKind;
use trackside_spec::{ArtifactRef, FileTrigger};

use super::inbox::ReplyTo;

/// One file trigger with its folder resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedFolder {
    /// The trigger's id, the key of its ledger.
    pub trigger_id: String,
    /// The workflow that it starts.
    pub workflow: String,
    /// The trigger's settings; `path` is not used.
    pub trigger: FileTrigger,
    /// The folder, absolute. It may be a symbolic link and it may be missing.
    pub folder: PathBuf,
    /// Set when other boxes watch the folder, too (`shared`): a word of lower-case letters and digits that none of them has.
    pub shared_as: Option<String>,
    /// Where claimed files go, absolute, for the claims that name a folder.
    pub to: Option<PathBuf>,
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileStat {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970, clamped to 64 bits (years 1678 to 2262).
    pub modified_ns: i64,
    /// The inode number on its file system.
    pub inode: u64,
}

/// What the ledger knows about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    /// The ledger key of the row.
    pub identity: String,
    /// Whether a run was accepted for it. False for files that were only entered (`existing: ignore`).
    pub started: bool,
    /// Whether [`FileHost::claimed`] was called for it.
    pub claimed: bool,
    /// Where it lay, relative to the watched folder.
    pub path: String,
    /// What it looked like then.
    pub stat: FileStat,
    /// When the row was written, milliseconds since 1970.
    pub at_ms: i64,
}

/// A run to start: one complete file that is new to its trigger, or the files of a batch.
#[derive(Clone, Debug)]
pub struct FileFire {
    /// The trigger.
    pub trigger_id: String,
    /// The workflow to start.
    pub workflow: String,
    /// One file, or at least one of a batch, in the order in which they were complete. Their ledger rows belong into the
    /// run's transaction, all of them.
    pub files: Vec<FiredFile>,
    /// Whether the trigger gathers files: its runs have `trigger.files` and no `trigger.file`.
    pub batch: bool,
    /// When the (last) file was picked up: [`FileHost::now_ms`] at that moment.
    pub logical_ms: i64,
}

/// A complete file that is new to its trigger.
#[derive(Clone, Debug)]
pub struct FiredFile {
    /// The ledger key: `sha256:…` of the content, or `stat:…`.
    pub identity: String,
    /// The file's absolute path.
    pub path: PathBuf,
    /// Its path below the watched folder.
    pub relative: String,
    /// Its last path component.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its modification time in milliseconds since 1970.
    pub modified_ms: i64,
    /// For the ledger, so that [`FileHost::lookup_path`] can answer later without the file being read again.
    pub stat: FileStat,
    /// Its bytes in the artifact store.
    pub artifact: ArtifactRef,
}

/// What became of a [`FileFire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FireOutcome {
    /// The run and its ledger row are durable.
    Accepted,
    /// The ledger holds this identity already. `path` is where it was first seen, relative to the folder. Of a batch this
    /// is no answer: its files are then offered again, and the ledger is asked about each.
    Duplicate {
        /// Where the first one lay.
        path: String,
    },
    /// It will not be run, and trying again would not help.
    Refused {
        /// Why, for people.
        reason: String,
    },
    /// It will not be run, because the workflow says so when there is no room for it (`on_conflict: skip`).
    Skipped {
        /// Why, for people.
        reason: String,
    },
    /// Not now; the file is offered again in about a second.
    Busy,
}

/// The way back for the outcome of one fire. May be sent from any thread; dropped unsent it counts as
/// [`FireOutcome::Busy`].
pub struct FireReply(pub(super) Option<ReplyTo>);

impl FireReply {
    /// Tells the watcher. Never blocks.
    pub fn send(mut self, outcome: FireOutcome) {
        if let Some(to) = self.0.take() {
            to.deliver(outcome);
        }
    }
}

impl Drop for FireReply {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            to.deliver(FireOutcome::Busy);
        }
    }
}

impl fmt::Debug for FireReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FireReply")
    }
}

/// A file that lay in the folder before its trigger did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFile {
    /// Its path below the watched folder.
    pub relative: String,
    /// What it looks like.
    pub stat: FileStat,
}

/// Why a file that matches a trigger starts no run. Each is told once per state of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDecision {
    /// The trigger.
    pub trigger_id: String,
    /// The file's path below the watched folder; lossy if the name is not UTF-8.
    pub relative: String,
    /// What it looked like; `None` if that could not be found out.
    pub stat: Option<FileStat>,
    /// Its identity, if it came to that. A host that keeps it together with `stat` and answers
    /// [`FileHost::lookup_path`] from it (with `started: false`) spares one more reading after a restart.
    pub identity: Option<String>,
    /// The decision.
    pub decision: Decision,
}

/// The decisions about a file that starts no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The same file has started a run before; it stays where it is. `path` is where the first one lay.
    Duplicate {
        /// Relative to the watched folder.
        path: String,
    },
    /// The node will not run it.
    Refused {
        /// Why, for people.
        reason: String,
    },
    /// The workflow wants it left out when there is no room for its run.
    Skipped {
        /// Why, for people.
        reason: String,
    },
    /// It cannot be read. It is tried again when its permissions, name or content change.
    Unreadable {
        /// The operating system's words.
        error: String,
    },
    /// It has changed for longer than the trigger's `max_wait`. It is still waited for and never taken before it settles.
    NotSettled {
        /// For how long, in milliseconds.
        waited_ms: u64,
    },
    /// `exclude` leaves it out.
    Excluded,
    /// Its name is not UTF-8. It is tried again under another name.
    NameNotUtf8,
    /// Its bytes could not be stored (disk full, say). It is tried again, at growing intervals of at most five minutes.
    NotStored {
        /// The store's words.
        error: String,
    },
    /// Its run was accepted, but it could not be moved or copied to where the trigger wants it. It stays and starts no
    /// second run; it is tried again at the next start.
    NotPlaced {
        /// Where it should be.
        to: PathBuf,
        /// The operating system's words.
        error: String,
    },
    /// It could not be given this box's name (`shared`), so that no box can be sure to be the only one. It starts no run.
    NotTaken {
        /// The operating system's words, or the node's.
        error: String,
    },
    /// Its run was accepted, but it could not be removed from the folder. It starts no second run; the removal is tried
    /// again at the next start.
    NotRemoved {
        /// The operating system's words.
        error: String,
    },
}

impl Decision {
    /// As `explain` and the decisions' table have it.
    #[must_use]
    pub const fn kind(&self) -> DecisionKind {
        match self {
            Self::Duplicate { .. } => DecisionKind::Deduped,
            Self::NotSettled { .. } => DecisionKind::NotSettled,
            Self::Skipped { .. } => DecisionKind::Skipped,
            Self::Excluded => DecisionKind::Excluded,
            Self::Refused { .. }
            | Self::Unreadable { .. }
            | Self::NameNotUtf8
            | Self::NotStored { .. }
            | Self::NotTaken { .. } => DecisionKind::Blocked,
            Self::NotPlaced { .. } | Self::NotRemoved { .. } => DecisionKind::NotClaimed,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { path } => write!(
                f,
                "left in place: the same file already started a run as {path}; `trackside explain` names the run, and \
                 `trackside runs retry` repeats it: its bytes are kept"
            ),
            Self::Refused { reason } => write!(f, "not run: {reason}"),
            Self::Skipped { reason } => write!(f, "left in place: {reason}"),
            Self::Unreadable { error } => {
                write!(f, "TS-0412: cannot be read ({error}): make it readable for the node's user")
            }
            Self::NotSettled { waited_ms } => write!(
                f,
                "TS-0423: it still changes after {} s: it is not taken before it has settled; let its writer use another \
                 name and rename it at the end",
                waited_ms / 1000
            ),
            Self::Excluded => f.write_str("left in place: `exclude` leaves it out"),
            Self::NotPlaced { to, error } => write!(
                f,
                "TS-0424: its run was accepted but it cannot be put into {} ({error}): let the node's user write there",
                to.display()
            ),
            Self::NameNotUtf8 => f.write_str("TS-0413: its name is not UTF-8: rename it"),
            Self::NotStored { error } => {
                write!(f, "TS-0414: cannot be copied into the artifact store ({error}): it will be tried again")
            }
            Self::NotTaken { error } => write!(
                f,
                "TS-0425: not run: it cannot be given the name under which this box takes it from the others ({error}): let \
                 the node's user write to the folder, and rename the file to try again"
            ),
            Self::NotRemoved { error } => write!(
                f,
                "TS-0415: its run was accepted but it cannot be removed ({error}): let the node's user write to the \
                 folder, or set `claim: keep`"
            ),
        }
    }
}

/// What the node should know about a watched folder as a whole. Each state is told once, when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderNotice {
    /// The folder is not there (or is no folder). It is taken up as soon as it appears.
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The operating system's words.
        error: String,
    },
    /// The folder is watched by the operating system.
    Watching {
        /// The folder with links resolved.
        folder: PathBuf,
    },
    /// The folder, or one below it, is looked through every five seconds with all below it, because the operating system
    /// cannot tell of all changes there. Told once for each reason.
    Polling {
        /// The folder with links resolved, or the first of several below it.
        folder: PathBuf,
        /// Why, and what would help.
        reason: String,
    },
    /// More files wait than are kept in mind. Those that were modified longest ago come first; the others stay in the
    /// folder until there is room.
    Backlog {
        /// How many are kept in mind.
        limit: usize,
    },
    /// Part of the folder cannot be looked through.
    Unreadable {
        /// The folder or a part of it.
        folder: PathBuf,
        /// The operating system's words.
        error: String,
    },
    /// The host failed to answer or to record. What was pending is tried again.
    HostFailed {
        /// What was asked.
        what: &'static str,
        /// The host's words.
        error: String,
    },
}

impl fmt::Display for FolderNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { folder, error } => write!(
                f,
                "TS-0410: the watched folder {} cannot be opened ({error}): create it; it is taken up when it appears",
                folder.display()
            ),
            Self::Watching { folder } => write!(f, "watching {}", folder.display()),
            Self::Polling { folder, reason } => {
                write!(f, "TS-0411: {} is looked through every 5 s: {reason}", folder.display())
            }
            Self::Backlog { limit } => {
                write!(f, "more than {limit} files wait: the oldest come first, the others wait in the folder")
            }
            Self::Unreadable { folder, error } => write!(
                f,
                "TS-0416: {} cannot be looked through ({error}): let the node's user read it",
                folder.display()
            ),
            Self::HostFailed { what, error } => {
                write!(f, "TS-0417: {what} failed ({error}): the files concerned are tried again")
            }
        }
    }
}

/// What the node provides. All calls come from the watcher's one thread, so none should block for long; `store_file` is
/// the only one that may take time in proportion to a file.
pub trait FileHost: Send + Sync + 'static {
    /// The wall clock in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Streams `content` into the artifact store under its digest. The bytes must be durable at the latest when the
    /// fire that names them is accepted.
    ///
    /// # Errors
    /// Those of `content`, passed through, and the store's own.
    fn store_file(&self, content: &mut dyn Read, name: &str, media_type: &str) -> io::Result<ArtifactRef>;

    /// What the ledger knows about an identity.
    ///
    /// # Errors
    /// When the ledger cannot be read: the file is tried again later.
    fn lookup(&self, trigger_id: &str, identity: &str) -> io::Result<Option<LedgerState>>;

    /// What the ledger knows about a path, newest first; the last few rows are enough.
    ///
    /// # Errors
    /// When the ledger cannot be read: the file is tried again later.
    fn lookup_path(&self, trigger_id: &str, relative: &str) -> io::Result<Vec<LedgerState>>;

    /// Submits a fire. Must return quickly; the outcome comes through `reply` once it is durable. At most
    /// [`super::watcher::MAX_IN_FLIGHT`] files are under way at a time.
    fn fire(&self, fire: FileFire, reply: FireReply);

    /// The file of an accepted run has left the folder, or its copy is where it should be. Also called again for a file that came back unchanged from
    /// before a power cut. It need not be durable at once.
    fn claimed(&self, trigger_id: &str, identity: &str);

    /// A file will start no run, and why.
    fn decision(&self, decision: FileDecision);

    /// Whether this trigger has never finished a scan ([`FileHost::scanned`]).
    ///
    /// # Errors
    /// When the ledger cannot be read: the scan is tried again later.
    fn first_seen(&self, trigger_id: &str) -> io::Result<bool>;

    /// Enters files that were there before the trigger (`existing: ignore`); they start nothing in this state. Called
    /// in batches, before [`FileHost::scanned`].
    ///
    /// # Errors
    /// When the ledger cannot be written: the scan is tried again later.
    fn record_existing(&self, trigger_id: &str, files: &[SeenFile]) -> io::Result<()>;

    /// The first scan of this trigger is complete; from now on [`FileHost::first_seen`] is false.
    ///
    /// # Errors
    /// When the ledger cannot be written: the scan is tried again later.
    fn scanned(&self, trigger_id: &str) -> io::Result<()>;

    /// Keeps on disk that the file with this name is about to get the short name `taken` in its folder (`shared`), a path
    /// below the watched folder. It must be durable when this returns.
    ///
    /// # Errors
    /// When it cannot be written: the file is not taken.
    fn note_name(&self, _trigger_id: &str, _taken: &str, _name: &str) -> io::Result<()> {
        Ok(())
    }

    /// The name that [`FileHost::note_name`] was told last for `taken`.
    ///
    /// # Errors
    /// When it cannot be read: the look through the folder is tried again later.
    fn whole_name(&self, _trigger_id: &str, _taken: &str) -> io::Result<Option<String>> {
        Ok(None)
    }

    /// Whether the trigger is paused: its files stay where they are and nothing is decided about them. When it is resumed
    /// the host asks for a look through the folders ([`super::FolderScan`]).
    fn is_paused(&self, _trigger_id: &str) -> bool {
        false
    }

    /// Something about a folder as a whole.
    fn notice(&self, trigger_id: &str, notice: FolderNotice);
}

//! The file trigger: files that appear in watched folders, each handed to the node exactly once.
//!
//! Events of the operating system are hints; the truth is a scan of the folder against the node's ledger. The parts:
//!
//! - [`host`]: what the node must provide, and what it is told;
//! - [`settling`]: when a file counts as complete, a pure table on a virtual clock;
//! - [`watcher`]: the one thread that owns all of it, asleep until a file changes or a deadline comes.
//!
//! Symbolic links are never followed below a watched folder and never picked up; only regular files are. The folder
//! itself may be a link, it is resolved when the watch is set. Names that are not UTF-8 are refused with a decision,
//! because a run's trigger document could not hold them.
//!
//! What to know besides:
//!
//! - a missing folder is told once; it is taken up when it appears, or, where no event tells (a mount, the target of a
//!   link), within [`watcher::MISSING_PERIOD`];
//! - what no event tells (a file system that is mounted over the folder, a link that leads elsewhere now, a watch that
//!   was lost) is found by the patrol, within a minute or two;
//! - of several triggers that match the same file each gets it: one that takes it away waits for the others.

mod batch;
mod coverage;
mod error;
mod folder;
pub mod host;
mod inbox;
mod leaving;
mod look_through;
mod memory;
mod patrol;
mod pickup;
mod place;
mod presence;
mod reserve;
mod same;
mod scan;
pub mod settling;
mod sight;
mod signals;
mod spot;
mod wanted;
pub mod watcher;

pub use error::FileWatchError;
pub use host::{
    Decision, FileDecision, FileFire, FileHost, FileStat, FireOutcome, FireReply, FiredFile, FolderNotice, LedgerState,
    SeenFile, WatchedFolder,
};
pub use settling::{Due, Settling};
pub use sight::Sight;
pub use wanted::{Wanted, wants};
pub use watcher::{FileWatcher, FolderScan};

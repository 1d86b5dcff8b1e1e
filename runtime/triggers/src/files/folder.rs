//! One watched folder: its pattern and whether it is there.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use globset::{GlobBuilder, GlobMatcher};

use super::{
    error::FileWatchError,
    host::{FileStat, LedgerState, WatchedFolder},
};

/// One trigger's folder.
#[derive(Debug)]
pub struct Folder {
    /// As the node gave it.
    pub watched: WatchedFolder,
    pattern: GlobMatcher,
    /// How many components a matching path can have; `None`: any number.
    depth: Option<usize>,
    /// The folder without links, while it is there.
    pub root: Option<PathBuf>,
    /// Whether other machines may change it, so that its clock is not ours.
    pub remote: bool,
    /// Whether it is looked through at intervals.
    pub polled: bool,
    /// When to look through it, or for it, without a hint.
    pub retry_at: Option<Duration>,
    /// Whether it is to be looked through as soon as there is room.
    pub scan_wanted: bool,
    /// Parts that could not be looked through and were reported.
    pub reported: HashSet<PathBuf>,
    /// Whether its absence was reported.
    pub missed: bool,
}

impl Folder {
    /// Compiles the pattern.
    pub fn new(watched: WatchedFolder) -> Result<Self, FileWatchError> {
        let trigger_id = || watched.trigger_id.clone();
        if !watched.folder.is_absolute() {
            let folder = watched.folder.display().to_string();
            return Err(FileWatchError::Relative { trigger_id: trigger_id(), folder });
        }
        let glob = &watched.trigger.glob;
        let pattern = GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| FileWatchError::Glob {
            trigger_id: trigger_id(),
            glob: glob.clone(),
            reason: error.kind().to_string(),
        })?;
        Ok(Self {
            pattern: pattern.compile_matcher(),
            depth: depth(glob),
            watched,
            root: None,
            remote: false,
            polled: false,
            retry_at: None,
            scan_wanted: false,
            reported: HashSet::new(),
            missed: false,
        })
    }

    /// Whether a file at this path below the folder is the trigger's.
    pub fn matches(&self, relative: &Path) -> bool {
        self.pattern.is_match(relative)
    }

    /// Whether files below this sub-folder (the folder itself for the empty path) can be the trigger's.
    pub fn reaches_below(&self, relative: &Path) -> bool {
        self.depth.is_none_or(|depth| relative.components().count() < depth)
    }

    /// Whether sub-folders matter at all.
    pub fn is_recursive(&self) -> bool {
        self.depth != Some(1)
    }

    /// How long a file must stand still.
    pub fn settle(&self) -> Duration {
        self.watched.trigger.settle.to_std()
    }

    /// The folder without links.
    pub fn resolve(&self) -> io::Result<PathBuf> {
        let root = self.watched.folder.canonicalize()?;
        if root.is_dir() { Ok(root) } else { Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder")) }
    }

    /// Whether `state` is the ledger row of a run that this very file started.
    pub fn started_by(&self, state: &LedgerState, relative: &str, stat: FileStat) -> bool {
        state.started && state.path == relative && state.stat == stat
    }

    /// The identity of a file by what it looks like.
    pub fn stat_identity(relative: &str, stat: FileStat) -> String {
        format!("stat:{}:{}:{}:{relative}", stat.size, stat.modified_ns, stat.inode)
    }
}

/// An upper bound of the number of components of a matching path: a pattern without `**` matches no more folders than it
/// names, and then the rest of a deep tree need be neither watched nor looked through.
fn depth(glob: &str) -> Option<usize> {
    // A class may match the separator.
    let unbounded = glob.contains("**") || glob.contains('[');
    (!unbounded).then(|| glob.matches('/').count() + 1)
}

#[cfg(test)]
mod tests {
    use trackside_spec::{Claim, Existing, FileTrigger, Identity};

    use super::*;

    fn folder(glob: &str) -> Result<Folder, FileWatchError> {
        Folder::new(WatchedFolder {
            trigger_id: "w/file-0".into(),
            workflow: "w".into(),
            trigger: FileTrigger {
                path: "in".into(),
                glob: glob.into(),
                settle: trackside_spec::Duration::from_millis(100),
                identity: Identity::Content,
                existing: Existing::Run,
                claim: Claim::Move,
            },
            folder: "/in".into(),
        })
    }

    #[test]
    fn a_star_stops_at_the_separator_and_two_do_not() {
        let flat = folder("*.csv").unwrap();
        assert!(flat.matches(Path::new("a.csv")) && flat.matches(Path::new(".hidden.csv")));
        assert!(!flat.matches(Path::new("b/a.csv")) && !flat.is_recursive());
        let deep = folder("**/*.csv").unwrap();
        assert!(deep.matches(Path::new("a.csv")) && deep.matches(Path::new("x/y/a.csv")) && deep.is_recursive());
        let two = folder("{in,out}/*.{csv,json}").unwrap();
        assert!(two.matches(Path::new("in/a.json")) && two.is_recursive());
        assert!(two.reaches_below(Path::new("")) && two.reaches_below(Path::new("in")));
        assert!(!two.reaches_below(Path::new("in/deep")));
    }

    #[test]
    fn a_bad_pattern_is_refused_with_its_trigger() {
        let error = folder("a{b").unwrap_err();
        assert_eq!(error.code(), "TS-0418");
        assert!(error.to_string().contains("w/file-0"), "{error}");
    }
}

//! One watched folder: its patterns and whether it is there.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use trackside_spec::Digest;

use super::{
    batch::Gathering,
    coverage::Polled,
    error::FileWatchError,
    host::{FileStat, WatchedFolder},
    reserve::taken,
};

/// One trigger's folder.
#[derive(Debug)]
pub struct Folder {
    /// As the node gave it.
    pub watched: WatchedFolder,
    patterns: GlobSet,
    excluded: GlobSet,
    /// Folders that are left out with all below them.
    closed: GlobSet,
    /// How many components a matching path can have; `None`: any number.
    depth: Option<usize>,
    /// The folder without links, while it is there.
    pub root: Option<PathBuf>,
    /// Whether other machines may change it, so that its clock is not ours.
    pub remote: bool,
    /// The sub-folders (the empty path is the folder itself) that are looked through at intervals with all below them.
    pub polled: BTreeMap<PathBuf, Polled>,
    /// The reasons for that that were told.
    pub told: HashSet<String>,
    /// When to look for the folder, or through all of it, without a hint.
    pub retry_at: Option<Duration>,
    /// When to look through what is polled.
    pub poll_at: Option<Duration>,
    /// Whether it is to be looked through as soon as there is room.
    pub scan_wanted: bool,
    /// Parts that could not be looked through and were reported.
    pub reported: HashSet<PathBuf>,
    /// Whether its absence was reported.
    pub missed: bool,
    /// Files that wait for company (`batch`).
    pub batch: Gathering,
}

impl Folder {
    /// Compiles the patterns.
    pub fn new(watched: WatchedFolder) -> Result<Self, FileWatchError> {
        if !watched.folder.is_absolute() {
            let folder = watched.folder.display().to_string();
            return Err(FileWatchError::Relative { trigger_id: watched.trigger_id.clone(), folder });
        }
        let trigger = &watched.trigger;
        // What ends in `/**` leaves out whole folders: they need be neither watched nor looked through.
        let closed = trigger.exclude.iter().filter_map(|glob| glob.strip_suffix("/**"));
        Ok(Self {
            patterns: patterns(&watched, trigger.globs.iter().map(String::as_str))?,
            excluded: patterns(&watched, trigger.exclude.iter().map(String::as_str))?,
            closed: patterns(&watched, closed)?,
            depth: trigger.globs.iter().map(|glob| depth(glob)).try_fold(0, |most, depth| Some(most.max(depth?))),
            watched,
            root: None,
            remote: false,
            polled: BTreeMap::new(),
            told: HashSet::new(),
            retry_at: None,
            poll_at: None,
            scan_wanted: false,
            reported: HashSet::new(),
            missed: false,
            batch: Gathering::default(),
        })
    }

    /// What a file at this path below the folder is to the trigger.
    pub fn verdict(&self, relative: &Path) -> Verdict {
        if let Some(own) = &self.watched.shared_as
            && let Some(taken) = taken(relative)
        {
            return if taken.tag == own.as_str() { Verdict::Taken } else { Verdict::Other };
        }
        if !self.patterns.is_match(relative) {
            Verdict::Other
        } else if self.excluded.is_match(relative) {
            Verdict::Excluded
        } else {
            Verdict::Ours
        }
    }

    /// Whether a file at this path below the folder is the trigger's.
    pub fn matches(&self, relative: &Path) -> bool {
        self.verdict(relative) == Verdict::Ours
    }

    /// Whether files below this sub-folder (the folder itself for the empty path) can be the trigger's.
    pub fn reaches_below(&self, relative: &Path) -> bool {
        self.depth.is_none_or(|depth| relative.components().count() < depth)
            && !relative.ancestors().any(|folder| !folder.as_os_str().is_empty() && self.closed.is_match(folder))
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

    /// The identity of a file by what it looks like. Its bytes are in it, so that the file is known when only its time was
    /// set.
    pub fn stat_identity(relative: &str, stat: FileStat, digest: Digest) -> String {
        format!("stat:{}:{}:{}:{}:{relative}", stat.size, stat.modified_ns, stat.inode, digest.hex())
    }

    /// The digest of the bytes that an identity stands for. Those by what a file looks like had none in earlier versions.
    pub fn digest_of(identity: &str) -> Option<Digest> {
        match identity.strip_prefix("stat:") {
            None => identity.parse().ok(),
            Some(rest) => format!("sha256:{}", rest.split(':').nth(3)?).parse().ok(),
        }
    }
}

/// What a file is to a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may start a run.
    Ours,
    /// `glob` takes it and `exclude` leaves it out.
    Excluded,
    /// This box has taken it, before other boxes that watch the folder could.
    Taken,
    /// No pattern takes it, or another box has.
    Other,
}

fn patterns<'a>(watched: &WatchedFolder, globs: impl Iterator<Item = &'a str>) -> Result<GlobSet, FileWatchError> {
    let refuse = |glob: &str, error: globset::Error| FileWatchError::Glob {
        trigger_id: watched.trigger_id.clone(),
        glob: glob.to_owned(),
        reason: error,
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(|error| refuse(glob, error))?);
    }
    set.build().map_err(|error| refuse("(all together)", error))
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
    use trackside_codes::Coded;

    use trackside_spec::{Claim, Existing, FileTrigger, Identity};

    use super::*;

    fn some(globs: &[&str], exclude: &[&str]) -> Result<Folder, FileWatchError> {
        Folder::new(WatchedFolder {
            trigger_id: "w/file-0".into(),
            workflow: "w".into(),
            trigger: FileTrigger {
                path: "in".into(),
                globs: globs.iter().map(|glob| (*glob).to_owned()).collect(),
                exclude: exclude.iter().map(|glob| (*glob).to_owned()).collect(),
                settle: trackside_spec::Duration::from_millis(100),
                max_wait: trackside_spec::Duration::from_millis(1000),
                identity: Identity::Content,
                existing: Existing::Run,
                claim: Claim::Move,
                batch: None,
                shared: false,
            },
            folder: "/in".into(),
            shared_as: None,
            to: None,
        })
    }

    fn folder(glob: &str) -> Result<Folder, FileWatchError> {
        some(&[glob], &[])
    }

    #[test]
    fn one_of_several_patterns_is_enough_and_one_exclusion_too() {
        let folder = some(&["*.csv", "deep/*/x.json"], &["~*", "deep/tmp/**", "**/.git/**"]).unwrap();
        let verdict = |path: &str| folder.verdict(Path::new(path));
        assert_eq!(
            (verdict("a.csv"), verdict("deep/a/x.json"), verdict("a.json")),
            (Verdict::Ours, Verdict::Ours, Verdict::Other)
        );
        assert_eq!((verdict("~a.csv"), verdict("deep/tmp/x.json")), (Verdict::Excluded, Verdict::Excluded));
        assert!(folder.reaches_below(Path::new("deep/a")) && !folder.reaches_below(Path::new("deep/a/b")));
        assert!(!folder.reaches_below(Path::new("deep/tmp")));
        let open = some(&["**/*"], &["**/.git/**"]).unwrap();
        assert!(open.reaches_below(Path::new("a/b")) && !open.reaches_below(Path::new("a/.git/objects")));
    }

    #[test]
    fn a_star_stops_at_the_separator_and_two_do_not() {
        let flat = folder("*.csv").unwrap();
        assert!(flat.matches(Path::new("a.csv")) && flat.matches(Path::new(".hidden.csv")));
        assert!(!flat.matches(Path::new("b/a.csv")));
        let deep = folder("**/*.csv").unwrap();
        assert!(deep.matches(Path::new("a.csv")) && deep.matches(Path::new("x/y/a.csv")));
        let two = folder("{in,out}/*.{csv,json}").unwrap();
        assert!(two.matches(Path::new("in/a.json")));
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

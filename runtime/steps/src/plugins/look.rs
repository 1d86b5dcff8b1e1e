//! What can be seen of a plugin's files without reading them. As long as it is the same, so is the plugin.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// File systems keep time in steps of some milliseconds: a file that was changed this shortly before it was looked at may
/// be changed again without looking different.
const GRAIN: Duration = Duration::from_millis(50);

/// What the system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Nobody can set this time, so a file that was given an older date looks different too.
    changed: (i64, i64),
}

impl Stamp {
    /// Of this file; `None` where there is none that can be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|meta| Self::from(&meta))
    }

    /// Whether it was changed just now, so that the next change may not show.
    pub fn is_young_now(&self) -> bool {
        self.is_young(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().cast_signed())
    }

    /// Whether it was changed so shortly before `now`, in nanoseconds since 1970, that the next change may not show.
    fn is_young(&self, now: i128) -> bool {
        let changed = i128::from(self.changed.0) * 1_000_000_000 + i128::from(self.changed.1);
        (0..GRAIN.as_nanos().cast_signed()).contains(&(now - changed))
    }
}

impl From<&Metadata> for Stamp {
    fn from(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// The files that decide what a name means, in a fixed order, as they look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look([Option<Stamp>; 3]);

impl Look {
    /// Of these files.
    pub fn new(lock: Option<Stamp>, component: Option<Stamp>, proof: Option<Stamp>) -> Self {
        Self([lock, component, proof])
    }

    /// Whether the component looks as it did in `before` and what vouches for it does not: a signature that was added is
    /// whole, other than a component that is being written.
    pub fn has_other_papers_than(&self, before: &Self) -> bool {
        let [lock, component, proof] = &self.0;
        *component == before.0[1] && (*lock != before.0[0] || *proof != before.0[2])
    }

    /// Whether one of them was changed just now.
    pub fn is_young(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().cast_signed();
        self.0.iter().flatten().any(|stamp| stamp.is_young(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_looks_different_even_with_the_same_size_and_date() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&file, "one").unwrap();
        let before = Stamp::of(&file).unwrap();
        assert_eq!(Stamp::of(&file), Some(before));
        let date = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&other, "two").unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(date).unwrap();
        fs::rename(&other, &file).unwrap();
        let after = Stamp::of(&file).unwrap();
        assert_eq!((after.size, after.modified), (before.size, before.modified));
        assert_ne!(after, before);
        assert_eq!(Stamp::of(&other), None);
    }

    #[test]
    fn a_signature_that_was_added_is_no_component_that_is_being_written() {
        let stamp = |inode| Some(Stamp { device: 1, inode, size: 1, modified: (1, 0), changed: (1, 0) });
        let before = Look::new(None, stamp(1), None);
        assert!(Look::new(None, stamp(1), stamp(2)).has_other_papers_than(&before));
        assert!(Look::new(stamp(3), stamp(1), None).has_other_papers_than(&before));
        assert!(!before.has_other_papers_than(&before));
        assert!(!Look::new(None, stamp(4), stamp(2)).has_other_papers_than(&before));
    }

    #[test]
    fn only_what_was_changed_a_moment_ago_is_young() {
        let changed = (1_000, 500);
        let stamp = Stamp { device: 1, inode: 1, size: 1, modified: changed, changed };
        let at = 1_000_000_000_500;
        assert!(stamp.is_young(at) && stamp.is_young(at + 1_000_000));
        assert!(!stamp.is_young(at + 60_000_000), "long ago");
        assert!(!stamp.is_young(at - 1), "a clock that was set back must not make files young for ever");
    }
}

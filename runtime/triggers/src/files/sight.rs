//! What the watcher can say of one file or folder at this moment, for a person who asks why nothing has come of it.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{settling::Key, spot::Look, watcher::Round};

/// How a file, or a folder, stands with a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The trigger's folder is not there.
    Missing,
    /// The file is being taken, or waits for the other files of its run, or for another trigger that wants it, too.
    UnderWay,
    /// The file was seen and has not settled yet.
    Settling,
    /// The file was looked at, and is left alone as long as it stays as it is.
    LeftAlone,
    /// This folder, in which the file lies, can not be read.
    Unreadable(PathBuf),
    /// This folder is looked through at intervals, with all below it.
    Polled(PathBuf),
    /// This folder is not watched, and nothing has told of it yet.
    Unwatched(PathBuf),
    /// No pattern of the trigger reaches into the folder.
    Outside,
    /// More files wait than are kept in mind.
    Crowded,
    /// The folder is watched.
    Watched,
}

impl Sight {
    /// One word, as `explain` has it for programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::UnderWay => "under-way",
            Self::Settling => "settling",
            Self::LeftAlone => "left-alone",
            Self::Unreadable(_) => "unreadable",
            Self::Polled(_) => "polled",
            Self::Unwatched(_) => "unwatched",
            Self::Outside => "outside",
            Self::Crowded => "crowded",
            Self::Watched => "watched",
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the watched folder is not there (TS-0410); it is taken up when it appears"),
            Self::UnderWay => f.write_str("the node has the file in hand, or keeps it for the other files of its run"),
            Self::Settling => f.write_str("the node has seen the file and waits until it is closed or stands still"),
            Self::LeftAlone => {
                f.write_str("the node has looked at the file and leaves it alone as long as it stays as it is")
            }
            Self::Unreadable(folder) => {
                write!(f, "{} can not be looked through (TS-0416): let the node's user read it", folder.display())
            }
            Self::Polled(folder) => write!(
                f,
                "{} is looked through every 5 s, because not all changes there raise an event (TS-0411 in the log says why)",
                folder.display()
            ),
            Self::Unwatched(folder) => write!(
                f,
                "{} is not watched: no event told of it; the node looks for such folders all the time and finds it within \
                 a minute or two",
                folder.display()
            ),
            Self::Outside => f.write_str("no pattern of the trigger reaches into this folder"),
            Self::Crowded => f.write_str("more files wait than the node keeps in mind: the oldest come first"),
            Self::Watched => f.write_str("the folder is watched"),
        }
    }
}

impl Round {
    /// How what lies at this path below the folder of a trigger stands (the folder itself for the empty path); `None` when
    /// this watcher has no such trigger.
    pub(super) fn sight(&mut self, trigger: &str, relative: &Path) -> Option<Sight> {
        let index = self.folders.iter().position(|folder| folder.watched.trigger_id == trigger)?;
        let Some(root) = self.folders[index].root.clone() else { return Some(Sight::Missing) };
        // The question comes from outside: nothing beside the folder is looked at for it.
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Some(Sight::Outside);
        }
        let path = if relative.as_os_str().is_empty() { root.clone() } else { root.join(relative) };
        let metadata = path.symlink_metadata().ok();
        let is_folder = metadata.as_ref().is_some_and(std::fs::Metadata::is_dir);
        let key: Key = (index, Arc::new(relative.to_owned()));
        if !is_folder {
            if self.flying.contains_key(&key) || self.leaving.contains_key(&path) {
                return Some(Sight::UnderWay);
            }
            if self.table.contains(&key) {
                return Some(Sight::Settling);
            }
            let look = metadata.as_ref().and_then(Look::of);
            if look.is_some_and(|look| self.memory.holds(&key, look, None)) {
                return Some(Sight::LeftAlone);
            }
        }
        let folder = if is_folder { relative } else { relative.parent().unwrap_or(relative) };
        Some(self.sight_of_folder(index, &root, folder))
    }

    fn sight_of_folder(&self, index: usize, root: &Path, relative: &Path) -> Sight {
        let folder = &self.folders[index];
        let below = |part: &Path| if part.as_os_str().is_empty() { root.to_owned() } else { root.join(part) };
        if let Some(part) = relative.ancestors().find(|part| folder.reported.contains(*part)) {
            return Sight::Unreadable(below(part));
        }
        let polled = relative.ancestors().find(|part| folder.polled.contains_key(*part));
        if let Some(part) = polled {
            return Sight::Polled(below(part));
        }
        if !relative.as_os_str().is_empty() && !folder.reaches_below(relative) {
            return Sight::Outside;
        }
        // From above; what is gone by now needs no watch.
        let mut parts: Vec<&Path> = relative.ancestors().filter(|part| below(part).is_dir()).collect();
        parts.reverse();
        if let Some(part) = parts.into_iter().find(|part| !self.signals.watches(&below(part))) {
            return Sight::Unwatched(below(part));
        }
        if self.backlog || self.lost { Sight::Crowded } else { Sight::Watched }
    }
}

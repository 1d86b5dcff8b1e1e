//! Looking through a folder.

use std::{
    collections::BinaryHeap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    folder::{Folder, Verdict},
    spot::Look,
};

/// Walks `start` (a path below `root`, empty for all of it) and calls `enter` for every folder before it is read (false passes it over), `file` for every
/// regular file that matches a pattern, and `failed` for every folder that cannot be read. Links are not followed;
/// what disappears meanwhile is passed over.
///
/// # Errors
/// When `start` itself cannot be read, or `file` fails.
pub fn walk(
    folder: &Folder,
    root: &Path,
    start: &Path,
    mut enter: impl FnMut(&Path) -> bool,
    mut file: impl FnMut(PathBuf, Look, Verdict) -> io::Result<()>,
    mut failed: impl FnMut(&Path, io::Error),
) -> io::Result<()> {
    let mut pending = vec![start.to_owned()];
    while let Some(directory) = pending.pop() {
        if !enter(&directory) {
            continue;
        }
        let entries = match fs::read_dir(root.join(&directory)) {
            Ok(entries) => entries,
            Err(error) if directory == start => return Err(error),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    failed(&directory, error);
                }
                continue;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    failed(&directory, error);
                    break;
                }
            };
            let relative = directory.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if folder.reaches_below(&relative) {
                    pending.push(relative);
                }
            } else if kind.is_file() {
                let verdict = folder.verdict(&relative);
                if verdict == Verdict::Other {
                    continue;
                }
                // Not the entry's type but the file itself, without following it should it be a link by now.
                if let Some(look) = entry.metadata().ok().as_ref().and_then(Look::of) {
                    file(relative, look, verdict)?;
                }
            }
        }
    }
    Ok(())
}

/// The files that were modified longest ago, as many as there is room for.
#[derive(Debug)]
pub struct Oldest {
    room: usize,
    heap: BinaryHeap<(i64, PathBuf, Look)>,
    dropped: bool,
}

impl Oldest {
    /// An empty collection for `room` files.
    pub fn new(room: usize) -> Self {
        Self { room, heap: BinaryHeap::new(), dropped: false }
    }

    /// Adds a file; the youngest one drops out if there is no room.
    pub fn push(&mut self, path: PathBuf, look: Look) {
        self.heap.push((look.stat.modified_ns, path, look));
        if self.heap.len() > self.room {
            self.heap.pop();
            self.dropped = true;
        }
    }

    /// Whether any dropped out.
    pub fn dropped(&self) -> bool {
        self.dropped
    }

    /// The files, oldest first.
    pub fn into_files(self) -> impl Iterator<Item = (PathBuf, Look)> {
        self.heap.into_sorted_vec().into_iter().map(|(_, path, look)| (path, look))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::host::FileStat, *};

    #[test]
    fn the_oldest_files_stay_when_room_is_short() {
        let mut oldest = Oldest::new(2);
        for (name, modified_ns) in [("new", 30), ("old", 10), ("middle", 20)] {
            let stat = FileStat { size: 0, modified_ns, inode: 0 };
            oldest.push(name.into(), Look { stat, changed_ns: 0 });
        }
        assert!(oldest.dropped());
        let names: Vec<_> = oldest.into_files().map(|(path, _)| path.display().to_string()).collect();
        assert_eq!(names, ["old", "middle"]);
    }
}

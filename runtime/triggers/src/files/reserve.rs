//! Taking a file before the other boxes that watch the same folder do (`shared`).
//!
//! Before it is read the file gets a name of this box, in the same folder: a rename is one step on the server, so of several
//! boxes one succeeds and the others find nothing. It has its own name again when it starts no run; when it does, it leaves
//! the folder from there. A crash leaves it under the box's name, where the next look through the folder finds it.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{RenameFlags, renameat_with},
    io::Errno,
};

use super::{
    settling::Key,
    spot::{Look, Spot},
    watcher::Round,
};

const ENDING: &[u8] = b".taken";

/// `dir/a.csv` of the box `tag` is `dir/.a.csv.tag.taken`.
pub fn reserved(path: &Path, tag: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let name = [b".", name, b".", tag.as_bytes(), ENDING].concat();
    path.with_file_name(OsString::from_vec(name))
}

/// The file's own path and the box, if the path is of a file that a box has taken.
pub fn original(path: &Path) -> Option<(PathBuf, &OsStr)> {
    let name = path.file_name()?.as_bytes().strip_prefix(b".")?.strip_suffix(ENDING)?;
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let (name, tag) = (&name[..dot], &name[dot + 1..]);
    if name.is_empty() || tag.is_empty() {
        return None;
    }
    Some((path.with_file_name(OsStr::from_bytes(name)), OsStr::from_bytes(tag)))
}

impl Round {
    /// Where the file lies while this box has it.
    pub(super) fn held_path(&self, key: &Key) -> PathBuf {
        match &self.folders[key.0].watched.shared_as {
            Some(tag) => reserved(&key.1, tag),
            None => key.1.to_path_buf(),
        }
    }

    /// Gives the file this box's name. False when another box has it, or nobody.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn reserve(&self, key: &Key, spot: &Spot<'_>) -> io::Result<bool> {
        if self.folders[key.0].watched.shared_as.is_none() {
            return Ok(true);
        }
        let held = self.held_path(key);
        rename(spot, held.file_name().unwrap_or_default())
    }

    /// Gives the file its own name again. What it looks like then, if it was taken.
    pub(super) fn give_back(&self, key: &Key) -> Option<Look> {
        let folder = &self.folders[key.0];
        folder.watched.shared_as.as_ref()?;
        let held = self.held_path(key);
        let spot = Spot::find(folder.root.as_ref()?, &held).ok()?;
        let name = key.1.file_name()?;
        // It fails when the next file of that name is there already: the name of the box is as good until that is gone.
        rename(&spot, name).ok().filter(|done| *done)?;
        Spot { name, ..spot }.look().ok().flatten()
    }
}

fn rename(spot: &Spot<'_>, name: &OsStr) -> io::Result<bool> {
    match renameat_with(&spot.directory, spot.name, &spot.directory, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        // Network file systems that can not refuse to replace. The name is this box's own, so nothing else is there.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            match rustix::fs::renameat(&spot.directory, spot.name, &spot.directory, name) {
                Ok(()) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_tells_the_file_and_the_box() {
        let taken = reserved(Path::new("sub/a.b.csv"), "0f3c");
        assert_eq!(taken, Path::new("sub/.a.b.csv.0f3c.taken"));
        assert_eq!(original(&taken), Some((PathBuf::from("sub/a.b.csv"), OsStr::new("0f3c"))));
        for other in ["a.csv", ".a.csv", ".taken", ".a.taken", "..x.taken", "a.0f.taken", ".a.0f.taken.csv"] {
            assert_eq!(original(Path::new(other)), None, "{other}");
        }
    }
}

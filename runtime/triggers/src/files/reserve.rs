//! Taking a file before the other boxes that watch the same folder do (`shared`).
//!
//! Before it is read the file gets a name of this box, in the same folder: a rename is one step on the server, so of several
//! boxes one succeeds and the others find nothing. It has its own name again when it starts no run; when it does, it leaves
//! the folder from there. A crash leaves it under the box's name, where the next look through the folder finds it.
//!
//! A long name has no room for that: it is cut, and a hash of the whole takes the place of the rest. The whole name is on
//! record with the node before the file gets the short one.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat},
    io::Errno,
};
use trackside_spec::Digest;

use super::{
    host::{FileHost, WatchedFolder},
    settling::Key,
    spot::{Look, Spot},
    watcher::Round,
};

const ENDING: &[u8] = b".taken";
/// The longest name that Linux file systems take, in bytes.
const LONGEST: usize = 255;
/// Names of taken files that are at least so long are cut ones, and no others are: cutting between two characters leaves up
/// to three bytes unused.
const CUT: usize = LONGEST - 3;
/// Digits of the hash in a cut name.
const HASH: usize = 16;

/// `dir/a.csv` of the box `tag` is `dir/.a.csv.tag.taken`; a long name is cut, and `~` and a hash follow.
pub fn reserved(path: &Path, tag: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let whole = [b".", name, b".", tag.as_bytes(), ENDING].concat();
    if whole.len() < CUT {
        return path.with_file_name(OsString::from_vec(whole));
    }
    let hash = Digest::of(name).hex();
    let room = LONGEST.saturating_sub(1 + 1 + HASH + 1 + tag.len() + ENDING.len()).min(name.len());
    let is_start = |at: &usize| name.get(*at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000);
    let end = (room.saturating_sub(3)..=room).rev().find(is_start).unwrap_or(room);
    let name = [b".", &name[..end], b"~", &hash.as_bytes()[..HASH], b".", tag.as_bytes(), ENDING].concat();
    path.with_file_name(OsString::from_vec(name))
}

/// What the name of a taken file tells.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<'p> {
    /// The file's own path; none when its name was cut.
    pub own: Option<PathBuf>,
    /// The box that has it.
    pub tag: &'p OsStr,
}

/// Whose the file is, if the path is of a file that a box has taken.
pub fn taken(path: &Path) -> Option<Taken<'_>> {
    let whole = path.file_name()?.as_bytes();
    let name = whole.strip_prefix(b".")?.strip_suffix(ENDING)?;
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let (name, tag) = (&name[..dot], &name[dot + 1..]);
    if name.is_empty() || tag.is_empty() {
        return None;
    }
    let own = (whole.len() < CUT).then(|| path.with_file_name(OsStr::from_bytes(name)));
    Some(Taken { own, tag: OsStr::from_bytes(tag) })
}

/// The own path of a file that this box has taken under this path; none when a cut name is not on record.
///
/// # Errors
/// When the record can not be read.
pub fn own_path(host: &dyn FileHost, watched: &WatchedFolder, path: &Path) -> io::Result<Option<PathBuf>> {
    let Some(Taken { own, .. }) = taken(path) else { return Ok(None) };
    if own.is_some() {
        return Ok(own);
    }
    let (Some(text), Some(tag)) = (path.to_str(), &watched.shared_as) else { return Ok(None) };
    let name = host.whole_name(&watched.trigger_id, text)?;
    Ok(name.map(|name| path.with_file_name(name)).filter(|own| reserved(own, tag) == path))
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
        if taken(&held).is_some_and(|taken| taken.own.is_none())
            && let (Some(held), Some(name)) = (held.to_str(), spot.name.to_str())
        {
            self.host.note_name(&self.folders[key.0].watched.trigger_id, held, name)?;
        }
        rename(spot, held.file_name().unwrap_or_default(), |name| {
            // The name is this box's own, so nothing else is there.
            renameat(&spot.directory, spot.name, &spot.directory, name)
        })
    }

    /// What stands for the file while it has this box's name.
    pub(super) fn held_key(&self, key: &Key) -> Key {
        (key.0, Arc::new(self.held_path(key)))
    }

    /// The file that has this box's name, if one has.
    pub(super) fn held_look(&self, key: &Key) -> Option<Look> {
        let folder = &self.folders[key.0];
        folder.watched.shared_as.as_ref()?;
        Spot::find(folder.root.as_ref()?, &self.held_path(key)).ok()?.look().ok().flatten()
    }

    /// A file that is dealt with has this box's name, and the next one has its own: they trade names in one step, and the one
    /// that is dealt with is remembered by its own. Whether the next one has this box's name now; it has not when it is gone.
    ///
    /// # Errors
    /// The operating system's. Network file systems can not do it.
    pub(super) fn trade_places(&mut self, key: &Key) -> io::Result<bool> {
        let Some(root) = self.folders[key.0].root.clone() else { return Ok(false) };
        let spot = Spot::find(&root, &key.1)?;
        // What is no file (any more) keeps its name.
        if spot.look()?.is_none() {
            return Ok(false);
        }
        let held = self.held_path(key);
        let name = held.file_name().unwrap_or_default();
        match renameat_with(&spot.directory, spot.name, &spot.directory, name, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if let Some(look) = spot.look()? {
            self.memory.keep(key, look, self.epoch);
        }
        self.memory.drop(&self.held_key(key));
        Ok(true)
    }

    /// Gives the file its own name again. What it looks like then, if it was taken.
    pub(super) fn give_back(&self, key: &Key) -> Option<Look> {
        let folder = &self.folders[key.0];
        folder.watched.shared_as.as_ref()?;
        let held = self.held_path(key);
        let spot = Spot::find(folder.root.as_ref()?, &held).ok()?;
        let name = key.1.file_name()?;
        // It fails when the next file of that name is there already: the name of the box is as good until that is gone.
        rename(&spot, name, |name| beside(&spot, name)).ok().filter(|done| *done)?;
        Spot { name, ..spot }.look().ok().flatten()
    }
}

/// Gives the file a name that nothing has; with `otherwise` on network file systems that can not refuse to replace.
fn rename(spot: &Spot<'_>, name: &OsStr, otherwise: impl FnOnce(&OsStr) -> Result<(), Errno>) -> io::Result<bool> {
    let renamed = match renameat_with(&spot.directory, spot.name, &spot.directory, name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => otherwise(name),
        renamed => renamed,
    };
    match renamed {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A link refuses to replace everywhere: the next file of that name may be there already.
fn beside(spot: &Spot<'_>, name: &OsStr) -> Result<(), Errno> {
    linkat(&spot.directory, spot.name, &spot.directory, name, AtFlags::empty())?;
    unlinkat(&spot.directory, spot.name, AtFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_rename_can_not_refuse_to_replace_the_next_file_of_a_name_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
        std::fs::write(path(".a.csv.0f.taken"), "first").unwrap();
        std::fs::write(path("a.csv"), "next").unwrap();
        let spot = Spot::find(folder.path(), Path::new(".a.csv.0f.taken")).unwrap();
        assert_eq!(beside(&spot, OsStr::new("a.csv")), Err(Errno::EXIST));
        assert_eq!((read("a.csv"), read(".a.csv.0f.taken")), ("next".to_owned(), "first".to_owned()));
        std::fs::remove_file(path("a.csv")).unwrap();
        assert_eq!(beside(&spot, OsStr::new("a.csv")), Ok(()));
        assert_eq!(read("a.csv"), "first");
        assert!(!path(".a.csv.0f.taken").exists());
    }

    #[test]
    fn a_taken_name_tells_the_file_and_the_box() {
        let path = reserved(Path::new("sub/a.b.csv"), "0f3c");
        assert_eq!(path, Path::new("sub/.a.b.csv.0f3c.taken"));
        let whole = Taken { own: Some(PathBuf::from("sub/a.b.csv")), tag: OsStr::new("0f3c") };
        assert_eq!(taken(&path), Some(whole));
        for other in ["a.csv", ".a.csv", ".taken", ".a.taken", "..x.taken", "a.0f.taken", ".a.0f.taken.csv"] {
            assert_eq!(taken(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_taken_name_of_any_length_fits_and_two_files_never_share_one() {
        let mut seen = std::collections::HashSet::new();
        for character in ["n", "ä", "€", "😀"] {
            for length in 200..=LONGEST {
                for end in ["a", "b"] {
                    let text = character.repeat((length - 1) / character.len()) + end;
                    let path = reserved(Path::new(&text), "0f3c1234");
                    let name = path.to_str().unwrap();
                    assert!(name.len() <= LONGEST, "{}", name.len());
                    let found = taken(&path).unwrap();
                    assert_eq!(found.tag, "0f3c1234");
                    assert_eq!(found.own, (text.len() + 16 < CUT).then(|| PathBuf::from(&text)));
                    assert!(seen.insert(name.to_owned()) || text.len() != length, "{name}");
                }
            }
        }
    }
}

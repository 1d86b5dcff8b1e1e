//! Putting a file into another folder, whole or not at all, without ever replacing what is there.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, RenameFlags, linkat, renameat_with, unlinkat};

use super::{
    host::FileStat,
    spot::{Spot, look_at},
};

/// Names that are tried when a file is in the way.
const MAX_NAMES: u32 = 10_000;
/// The longest name that Linux file systems take, in bytes.
const LONGEST: usize = 255;

/// Moves the file to `to`, or to a name beside it if another file is there. True when it has left the watched folder,
/// false when it is not the file that `stat` describes any more.
///
/// # Errors
/// The operating system's; the file is then where it was.
pub fn move_to(spot: &Spot<'_>, stat: FileStat, to: &Path) -> io::Result<bool> {
    if !is_still(spot, stat)? {
        return Ok(false);
    }
    make_room(to)?;
    for target in names(to) {
        match renameat_with(&spot.directory, spot.name, CWD, &target, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::EXIST) => {}
            // Already moved before a crash, by us or by somebody else.
            Err(rustix::io::Errno::NOENT) => return Ok(true),
            // Another file system, or one that can not rename like that.
            Err(rustix::io::Errno::XDEV | rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                return Ok(copy_to(spot, stat, to)? && spot.remove(stat)?);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(all_taken(to))
}

/// Copies the file to `to`, or to a name beside it if another file is there; a copy of it that is there is enough. False
/// when it is not the file that `stat` describes any more.
///
/// # Errors
/// The operating system's; there is then no part of a copy.
pub fn copy_to(spot: &Spot<'_>, stat: FileStat, to: &Path) -> io::Result<bool> {
    let Some((mut source, look)) = spot.open()? else { return Ok(false) };
    if look.stat != stat {
        return Ok(false);
    }
    make_room(to)?;
    let temporary = Temporary::beside(to)?;
    io::copy(&mut source, &mut &temporary.file)?;
    if look_at(&source)?.is_none_or(|after| after.stat != stat) {
        return Ok(false);
    }
    temporary.file.sync_all()?;
    for target in names(to) {
        // A link to the finished copy appears whole and never replaces anything.
        match linkat(CWD, &temporary.path, CWD, &target, AtFlags::empty()) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::EXIST) if same(&temporary.path, &target)? => return Ok(true),
            Err(rustix::io::Errno::EXIST) => {}
            // No hard links there.
            Err(rustix::io::Errno::PERM | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::MLINK)
                if !target.exists() =>
            {
                fs::rename(&temporary.path, &target)?;
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(all_taken(to))
}

fn is_still(spot: &Spot<'_>, stat: FileStat) -> io::Result<bool> {
    match spot.look() {
        Ok(look) => Ok(look.is_some_and(|look| look.stat == stat)),
        // Somebody else took it away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn make_room(to: &Path) -> io::Result<()> {
    to.parent().map_or(Ok(()), fs::create_dir_all)
}

fn all_taken(to: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{MAX_NAMES} files are called like {}", to.display()))
}

/// `a.csv`, `a-1.csv`, `a-2.csv` and so on.
fn names(to: &Path) -> impl Iterator<Item = PathBuf> {
    let (stem, extension) = (to.file_stem().unwrap_or_default().to_owned(), to.extension().map(ToOwned::to_owned));
    let to = to.to_owned();
    (0..MAX_NAMES).map(move |number| {
        if number == 0 {
            return to.clone();
        }
        let mut end = std::ffi::OsString::from(format!("-{number}"));
        if let Some(extension) = &extension {
            end.push(".");
            end.push(extension);
        }
        let mut name = cut(&stem, LONGEST.saturating_sub(end.len()));
        name.push(end);
        to.with_file_name(name)
    })
}

/// The beginning of a name, of at most so many bytes and of whole characters.
fn cut(name: &OsStr, most: usize) -> OsString {
    if name.len() <= most {
        return name.to_owned();
    }
    let bytes = &name.as_bytes()[..most];
    let whole = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    // Names that are no text at all are cut where it is.
    OsString::from_vec(bytes[..if most - whole < 4 { whole } else { most }].to_vec())
}

/// Whether two files have the same bytes.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(one), io::BufReader::new(other));
    let (mut left, mut right) = ([0; 8192], [0; 8192]);
    loop {
        let read = one.read(&mut left)?;
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// A file that is removed unless it got another name.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn beside(to: &Path) -> io::Result<Self> {
        // Without the file's own name, which may leave no room; one thread makes them, one at a time.
        let path = to.with_file_name(format!(".{}.trackside", std::process::id()));
        // What a crash left behind is not worth keeping.
        let _ = fs::remove_file(&path);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone when it was renamed.
        let _ = unlinkat(CWD, &self.path, AtFlags::empty());
    }
}

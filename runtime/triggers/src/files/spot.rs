//! A file below a watched folder, reached without following any link on the way.
//!
//! Whoever may write to the folder may swap a part of a path for a link at any moment. Each component is therefore opened
//! from the one above it with `O_NOFOLLOW`, and the file is looked at, read and removed through the descriptor of the
//! directory that holds it.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path},
};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat};

use super::host::FileStat;

/// What a file looks like, change time included: permissions and links count as changes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Look {
    /// What the ledger knows of it.
    pub stat: FileStat,
    /// When its content or its permissions last changed, nanoseconds since 1970.
    pub changed_ns: i64,
}

impl Look {
    /// Stands for every look of a file that is left out whatever it looks like.
    pub const EXCLUDED: Self = Self { stat: FileStat { size: 0, modified_ns: 0, inode: 0 }, changed_ns: i64::MIN };

    /// `None` unless it is a regular file.
    fn regular(stat: &Stat) -> Option<Self> {
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return None;
        }
        Some(Self {
            stat: FileStat {
                size: u64::try_from(stat.st_size).unwrap_or(0),
                modified_ns: nanoseconds(i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
                inode: stat.st_ino,
            },
            changed_ns: nanoseconds(i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)),
        })
    }

    /// Whether its modification time was set by hand: writing sets both times to the same moment, and other changes of the
    /// entry come soon after it.
    pub fn time_was_set(&self) -> bool {
        self.changed_ns.abs_diff(self.stat.modified_ns) > 1_000_000_000
    }

    /// The same from the standard library's view of an entry.
    pub fn of(metadata: &std::fs::Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        metadata.is_file().then(|| Self {
            stat: FileStat {
                size: metadata.len(),
                modified_ns: nanoseconds(metadata.mtime().into(), metadata.mtime_nsec().into()),
                inode: metadata.ino(),
            },
            changed_ns: nanoseconds(metadata.ctime().into(), metadata.ctime_nsec().into()),
        })
    }
}

fn nanoseconds(seconds: i128, rest: i128) -> i64 {
    let total = seconds * 1_000_000_000 + rest;
    i64::try_from(total).unwrap_or(if total < 0 { i64::MIN } else { i64::MAX })
}

/// The directory that holds a file, opened, and the file's name in it.
#[derive(Debug)]
pub struct Spot<'a> {
    /// The directory.
    pub directory: OwnedFd,
    /// The name.
    pub name: &'a OsStr,
}

impl<'a> Spot<'a> {
    /// Finds `relative` below `root`, which has no links left in it.
    ///
    /// # Errors
    /// When a component is missing, a link or no directory, or `relative` is not a plain path downwards.
    pub fn find(root: &Path, relative: &'a Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut directory = fs::openat(CWD, root, flags, Mode::empty())?;
        let mut components = relative.components().peekable();
        while let Some(component) = components.next() {
            let Component::Normal(name) = component else { break };
            if components.peek().is_none() {
                return Ok(Self { directory, name });
            }
            directory = fs::openat(&directory, name, flags, Mode::empty())?;
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path below the folder"))
    }

    /// What the file looks like; `None` if it is not a regular file.
    ///
    /// # Errors
    /// When it is gone.
    pub fn look(&self) -> io::Result<Option<Look>> {
        Ok(Look::regular(&fs::statat(&self.directory, self.name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Opens the file for reading; `None` if it is not a regular file.
    ///
    /// # Errors
    /// When it is gone, a link, or may not be read.
    pub fn open(&self) -> io::Result<Option<(File, Look)>> {
        // Non-blocking, so that a pipe that took the file's place cannot hold the watcher up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(fs::openat(&self.directory, self.name, flags, Mode::empty())?);
        Ok(look_at(&file)?.map(|look| (file, look)))
    }

    /// Removes the file if it still is the one that `stat` describes. True when it is gone afterwards, false when
    /// another file has taken its name, which is left alone.
    ///
    /// # Errors
    /// When the folder may not be written to.
    pub fn remove(&self, stat: FileStat) -> io::Result<bool> {
        match self.look() {
            Ok(Some(look)) if look.stat == stat => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        }
        match fs::unlinkat(&self.directory, self.name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// What an open file looks like now; `None` if it is not a regular file.
///
/// # Errors
/// The operating system's.
pub fn look_at(file: &File) -> io::Result<Option<Look>> {
    Ok(Look::regular(&fs::fstat(file)?))
}

/// Why the file system of `folder` cannot be trusted to report changes that other machines make.
pub fn remote_file_system(folder: &Path) -> Option<&'static str> {
    // Magic numbers of statfs(2), from linux/magic.h.
    const REMOTE: [(u32, &str); 11] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9P"),
        (0x00c3_6400, "Ceph"),
        (0x5346_414f, "AFS"),
        (0x7375_7245, "Coda"),
        (0x786f_4256, "a VirtualBox shared folder"),
        (0x0bd0_0bd0, "Lustre"),
    ];
    let kind = fs::statfs(folder).ok()?.f_type;
    // The field's type differs between architectures; the magic number is its low 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low 32 bits are what counts")]
    let magic = kind as u32;
    REMOTE.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

/// Whether the name is UTF-8, and the text for people in either case.
pub fn text(path: &Path) -> (String, bool) {
    match path.to_str() {
        Some(text) => (text.to_owned(), true),
        None => (String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned(), false),
    }
}

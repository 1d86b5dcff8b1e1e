//! A file that holds room on the disk for the day when there is none: removing what can go needs room, too.
//!
//! It is given up when a commit fails for a full disk, so that what was accepted gets there and retention can work; it is
//! made again when there is room for it twice over.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use rustix::{fs::FallocateFlags, io::Errno};

/// Zeros are written in pieces of this size where the file system can not set room aside.
const PIECE: usize = 1 << 20;

/// The reserve of one data folder.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    bytes: AtomicU64,
    given_up: AtomicBool,
}

impl Reserve {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join("reserve"), bytes: AtomicU64::new(0), given_up: AtomicBool::new(false) }
    }

    /// Its size from now on; 0 is none.
    pub fn set_size(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether it was given up and has not been made again.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Bytes that the disk lacks before the reserve can be made again; 0 when it is there or can be made.
    ///
    /// # Errors
    /// What the system says.
    pub fn lacks(&self) -> io::Result<u64> {
        if self.is_there() {
            return Ok(0);
        }
        Ok(self.size().saturating_mul(2).saturating_sub(self.free()?))
    }

    /// Makes it when it is missing and there is room for it twice over; one of another size is made anew. Says whether it is
    /// there, and clears the mark of having been given up.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self) -> io::Result<bool> {
        let bytes = self.size();
        if bytes == 0 {
            self.remove()?;
        } else if !self.is_there() {
            self.remove()?;
            if self.free()? < bytes.saturating_mul(2) {
                return Ok(false);
            }
            let temp = self.path.with_extension("tmp");
            let made = set_aside(&temp, bytes).and_then(|()| fs::rename(&temp, &self.path));
            if made.is_err() {
                // What was set aside so far is needed by others.
                let _ = fs::remove_file(&temp);
            }
            made?;
        }
        self.given_up.store(false, Ordering::Release);
        Ok(true)
    }

    /// Gives it up; says whether there was one.
    pub(crate) fn give_up(&self) -> bool {
        let gone = self.is_there() && fs::remove_file(&self.path).is_ok();
        if gone {
            self.given_up.store(true, Ordering::Release);
        }
        gone
    }

    fn is_there(&self) -> bool {
        let bytes = self.size();
        // A file with holes holds no room.
        fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| meta.is_file() && meta.len() == bytes && meta.blocks().saturating_mul(512) >= bytes)
            && bytes > 0
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// What is free on its disk, bytes.
    pub(crate) fn free(&self) -> io::Result<u64> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

fn set_aside(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => {}
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => fill(&mut file, bytes)?,
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}

fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let piece = vec![0; PIECE];
    let mut left = bytes;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        file.write_all(&piece[..count])?;
        left -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_given_up_and_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(folder.path());
        assert!(!reserve.give_up(), "there is none to give up");
        reserve.set_size(3 << 20);
        assert!(reserve.make().unwrap());
        let file = folder.path().join("reserve");
        assert!(fs::metadata(&file).unwrap().blocks() * 512 >= 3 << 20, "it holds room");
        assert!(reserve.give_up() && reserve.is_given_up() && !file.exists());
        assert!(reserve.make().unwrap() && !reserve.is_given_up() && file.exists());
        reserve.set_size(0);
        assert!(reserve.make().unwrap() && !file.exists(), "none is wanted any more");
    }

    #[test]
    fn a_file_with_holes_is_no_reserve_and_one_that_does_not_fit_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::new(folder.path());
        reserve.set_size(1 << 20);
        File::create(folder.path().join("reserve")).unwrap().set_len(1 << 20).unwrap();
        assert!(!reserve.is_there());
        assert!(reserve.make().unwrap() && reserve.is_there());
        reserve.set_size(u64::MAX / 4);
        assert!(!reserve.make().unwrap());
        assert!(reserve.lacks().unwrap() > 0);
    }
}

//! What a command that was killed has left of a model that it pulled from a registry.

use std::{
    fs::{self, DirEntry, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

/// The folder in the data folder where what is pulled lies until it is added.
pub const PULL_FOLDER: &str = "pull";
/// The file there that whoever pulls holds.
const BUSY: &str = ".busy";

/// The right to pull, or the file that is held by who has it.
#[derive(Debug)]
pub enum PullTurn {
    /// It is ours while the file is open.
    Ours(File),
    /// Somebody else pulls: who waits for the lock of this file has it then.
    Taken(File),
}

/// Asks for the right to pull into this folder, which is there, and does not wait.
///
/// # Errors
/// When the file system refuses.
pub fn pull_turn(root: &Path) -> io::Result<PullTurn> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    let file =
        options.create(true).truncate(false).write(true).mode(0o600).custom_flags(flags).open(root.join(BUSY))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(PullTurn::Ours(file)),
        Err(Errno::WOULDBLOCK) => Ok(PullTurn::Taken(file)),
        Err(error) => Err(error.into()),
    }
}

/// Removes what others have left in this folder. To be called by who has the right to pull.
///
/// # Errors
/// When the file system refuses.
pub fn clear_pulls(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name() != BUSY {
            remove(&entry)?;
        }
    }
    Ok(())
}

fn remove(entry: &DirEntry) -> io::Result<()> {
    if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }
}

/// Removes what is left where nobody pulls. What it can not remove is told and stays: it harms nobody.
pub(crate) fn sweep(data_dir: &Path) {
    let root = data_dir.join(PULL_FOLDER);
    if !root.is_dir() {
        return;
    }
    let swept = pull_turn(&root).and_then(|turn| match turn {
        PullTurn::Ours(_held) => clear_pulls(&root),
        PullTurn::Taken(_) => Ok(()),
    });
    if let Err(error) = swept {
        tracing::warn!(folder = %root.display(), %error, "what was left of a model that was pulled can not be removed now");
    }
}

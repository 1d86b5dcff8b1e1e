//! Files that appear whole or not at all, and stay after a power cut.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// How the names of unfinished files begin. One that is found was left by a process that died: writers hold a lock.
pub(super) const UNFINISHED: &str = ".trackside-new-";

/// Writes a file: bytes to a file beside it, flushed, moved to its place, and the folder flushed.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(io::Error::from(io::ErrorKind::InvalidFilename));
    };
    let unfinished = folder.join(format!("{UNFINISHED}{:016x}-{name}", getrandom::u64().map_err(io::Error::other)?));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    })();
    if let Err(error) = written {
        // The first error is the one that says what happened; the next command sweeps what stays.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// Removes unfinished files from a folder.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(UNFINISHED)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

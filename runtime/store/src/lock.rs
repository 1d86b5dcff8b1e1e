//! One writing process per data folder.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use crate::error::StoreError;

/// Held for as long as this process may write; given back by the kernel when the process ends in any way.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock of `data_dir`, creating the folder (mode 0700) when it is missing.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it.
    pub fn take(data_dir: &Path) -> Result<Self, StoreError> {
        if !data_dir.is_dir() {
            let mut builder = std::fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
            builder.create(data_dir).map_err(StoreError::io("create", data_dir))?;
        }
        let path = data_dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            // The note is for people; the lock itself is what counts.
            let _ = Read::by_ref(&mut file).take(200).read_to_string(&mut holder);
            return Err(StoreError::Locked { path: data_dir.to_owned(), holder: holder.trim().to_owned() });
        }
        let note = format!("process {}\n", std::process::id());
        let written =
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(note.as_bytes()));
        written.map_err(StoreError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

//! One writing process per data folder.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

use crate::error::StoreError;

/// A child that a process was about to start when it was killed has its lock for a moment more, until its own program begins.
const AFTERLIFE: Duration = Duration::from_secs(2);
/// Between two looks at that.
const LOOK: Duration = Duration::from_millis(10);

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
        let until = Instant::now() + AFTERLIFE;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let holder = holder(&mut file);
            if !is_gone(&holder) || Instant::now() >= until {
                return Err(StoreError::Locked { path: data_dir.to_owned(), holder });
            }
            std::thread::sleep(LOOK);
        }
        let note = format!("process {}\n", std::process::id());
        let written =
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(note.as_bytes()));
        written.map_err(StoreError::io("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Who says that it has the lock. The note is for people; the lock itself is what counts.
fn holder(file: &mut File) -> String {
    let mut holder = String::new();
    let begun = file.seek(SeekFrom::Start(0));
    let _ = begun.and_then(|_| Read::by_ref(file).take(200).read_to_string(&mut holder));
    holder.trim().to_owned()
}

/// Whether the process of this note is certainly not there any more.
fn is_gone(holder: &str) -> bool {
    let pid: Option<u32> = holder.strip_prefix("process ").and_then(|pid| pid.parse().ok());
    pid.is_some_and(|pid| Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_a_dead_process_has_left_to_a_child_is_waited_for_and_one_of_a_living_process_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataLock::take(folder.path()).unwrap();
        let Err(StoreError::Locked { holder, .. }) = DataLock::take(folder.path()) else { panic!("it was taken twice") };
        assert_eq!(holder, format!("process {}", std::process::id()));
        // No process has this number.
        std::fs::write(folder.path().join("lock"), "process 4294967295\n").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let path = folder.path().to_owned();
        let waiting = std::thread::spawn(move || {
            tell.send(()).unwrap();
            DataLock::take(&path).is_ok()
        });
        told.recv().unwrap();
        drop(held);
        assert!(waiting.join().unwrap());
    }
}

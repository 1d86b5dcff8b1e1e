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

/// How long the lock of a process that is no more may stay taken.
const LEFT_BEHIND: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Held for as long as this process may write; given back by the kernel when the process ends in any way.
#[derive(Debug)]
pub struct DataLock {
    file: File,
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // To close it is not enough where a child of this process, between fork and exec, has the file for a moment, too. What the
        // system refuses here it does when the file is closed.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
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
        let began = Instant::now();
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let holder = holder(&mut file);
            // One that was killed can leave the lock to a child of its own for the moment between fork and exec, and
            // whoever only looks has it for a moment.
            let may_pass = holder.is_empty() || is_gone(&holder);
            if !may_pass || began.elapsed() > LEFT_BEHIND {
                return Err(StoreError::Locked { path: data_dir.to_owned(), holder });
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
        let note = format!("process {}\n", std::process::id());
        let written =
            file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(note.as_bytes()));
        written.map_err(StoreError::io("write", &path))?;
        Ok(Self { file })
    }

    /// What the process that has the lock of `data_dir` says of itself; `None` where no process has it, or where this
    /// user may not look.
    #[must_use]
    pub fn held_by(data_dir: &Path) -> Option<String> {
        let mut file = File::open(data_dir.join("lock")).ok()?;
        // A shared one: two that look do not see each other.
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => None,
            Err(_) => Some(holder(&mut file)),
        }
    }
}

/// What the holder wrote about itself. For people; the lock itself is what counts.
fn holder(file: &mut File) -> String {
    let mut note = String::new();
    // A note that can not be read is an empty one.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| Read::by_ref(file).take(200).read_to_string(&mut note));
    note.trim().to_owned()
}

/// Whether the process that wrote the note is no more.
fn is_gone(holder: &str) -> bool {
    let process = holder.strip_prefix("process ").and_then(|number| number.parse::<u32>().ok());
    process.is_some_and(|number| !Path::new(&format!("/proc/{number}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_a_dead_process_left_to_its_child_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataLock::take(folder.path()).unwrap();
        // A living holder is told of at once.
        let told = DataLock::take(folder.path()).unwrap_err().to_string();
        assert_eq!(DataLock::held_by(folder.path()), Some(format!("process {}", std::process::id())));
        assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
        // No process has this number: the largest is 2^22.
        std::fs::write(folder.path().join("lock"), "process 4194305\n").unwrap();
        let waiting = {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || DataLock::take(&folder).is_ok())
        };
        drop(held);
        assert!(waiting.join().unwrap());
        assert_eq!(DataLock::held_by(folder.path()), None);
        assert_eq!(DataLock::held_by(&folder.path().join("nothing")), None);
    }

    #[test]
    fn a_lock_that_is_given_back_is_free_though_a_child_still_has_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataLock::take(folder.path()).unwrap();
        // What a fork gives to the child: the same open file.
        let inherited = held.file.try_clone().unwrap();
        drop(held);
        assert!(DataLock::take(folder.path()).is_ok());
        drop(inherited);
    }
}

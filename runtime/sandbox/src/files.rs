//! Open files of one call: a bound on their number, and reading without stalling the executor.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rustix::io::{Errno, ReadWriteFlags};

/// Files that a call may hold open, readers and writers together. The usual limit of a process is 1,024.
const OPEN_FILES: u32 = 64;

/// The open files of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileSlots(Arc<AtomicU32>);

/// The right to hold one file open, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<AtomicU32>);

impl FileSlots {
    /// One more file, if the call may have it.
    pub(crate) fn take(&self) -> Option<Slot> {
        let taken =
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < OPEN_FILES).then(|| open + 1));
        taken.is_ok().then(|| Slot(self.0.clone()))
    }

    /// The sentence for a guest that asked for too many.
    pub(crate) fn refusal() -> String {
        format!("more than {OPEN_FILES} artifacts are open at once: drop readers, and commit or drop writers")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A file open for reading, and its length when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: File,
    length: u64,
    _slot: Slot,
}

impl OpenFile {
    /// Blocks.
    pub(crate) fn new(file: File, slot: Slot) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file, length, _slot: slot })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Reads exactly `bytes.len()` bytes. Blocks.
    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("the artifact became shorter while it was read"),
            _ => error,
        })
    }

    /// Reads `length` bytes from `offset`, fewer only at the end of the file. What the page cache holds is read on
    /// the spot; for the rest a blocking thread waits.
    pub(crate) async fn read(self: &Arc<Self>, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(left)];
        let mut done = 0;
        while done < bytes.len() {
            let target = &mut [io::IoSliceMut::new(&mut bytes[done..])];
            match rustix::io::preadv2(&self.file, target, offset + done as u64, ReadWriteFlags::NOWAIT) {
                Ok(0) => return Err(io::Error::other("the artifact became shorter while it was read")),
                Ok(count) => done += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                    let file = self.clone();
                    return blocking(move || {
                        file.read_exact_at(&mut bytes[done..], offset + done as u64)?;
                        Ok(bytes)
                    })
                    .await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }
}

/// Runs `work` where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|join| Err(io::Error::other(join)))
}

/// Tells a blocking loop that nobody waits for it any more.
#[derive(Debug, Default)]
pub(crate) struct StopOnDrop(Arc<std::sync::atomic::AtomicBool>);

impl StopOnDrop {
    /// The flag that the loop looks at.
    pub(crate) fn flag(&self) -> Arc<std::sync::atomic::AtomicBool> {
        self.0.clone()
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

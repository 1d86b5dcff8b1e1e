//! Room on the disk that artifacts leave alone.
//!
//! The database needs room to say what happened. Data that comes from outside must not take the last of it.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::fs::StatVfs;
use trackside_sync::lock;

/// So many bytes are written between two looks; one look costs about a microsecond.
const BETWEEN_LOOKS: u64 = 1 << 20;
/// Others write, too: for small artifacts nobody relies on a look that is older.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What a small artifact takes up beside its bytes, about.
const BESIDE: u64 = 1 << 10;

/// What stays free on the file system of the artifacts, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Room {
    kept: AtomicU64,
    /// When small artifacts found room last, and how many bytes of them may be written before somebody looks again.
    small: Mutex<Option<(Instant, u64)>>,
}

impl Room {
    /// Sets it; 0 is none.
    pub(crate) fn keep_free(&self, bytes: u64) {
        self.kept.store(bytes, Ordering::Relaxed);
        *lock(&self.small) = None;
    }

    /// The same for a small artifact: of many that come together one looks.
    ///
    /// # Errors
    /// As [`Room::check`].
    pub(crate) fn check_small(
        &self,
        bytes: usize,
        look: impl FnOnce() -> rustix::io::Result<StatVfs>,
    ) -> io::Result<()> {
        let bytes = bytes as u64 + BESIDE;
        let mut small = lock(&self.small);
        if let Some((looked, left)) = &mut *small
            && *left >= bytes
            && looked.elapsed() < LOOK_AGAIN
        {
            *left -= bytes;
            return Ok(());
        }
        *small = None;
        self.check(look)?;
        *small = Some((Instant::now(), BETWEEN_LOOKS.saturating_sub(bytes)));
        Ok(())
    }

    /// Looks at the file system that it is written to.
    ///
    /// # Errors
    /// `StorageFull` when writing more would leave less free than must stay.
    pub(crate) fn check(&self, look: impl FnOnce() -> rustix::io::Result<StatVfs>) -> io::Result<()> {
        let kept = self.kept.load(Ordering::Relaxed);
        if kept == 0 {
            return Ok(());
        }
        let disk = look()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free.saturating_sub(BETWEEN_LOOKS) >= kept {
            return Ok(());
        }
        let message = format!(
            "the disk has {} MiB free, and {} MiB of it are kept for the database; make room, or set `min_free` in [node] \
             of trackside.toml",
            free >> 20,
            kept >> 20
        );
        Err(io::Error::new(io::ErrorKind::StorageFull, message))
    }
}

/// When to look next while one artifact is written.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    left: u64,
}

impl Looks {
    /// To be called before `count` bytes are written; says how many may be.
    ///
    /// # Errors
    /// As [`Room::check`].
    pub(crate) fn before(
        &mut self,
        room: &Room,
        look: impl FnOnce() -> rustix::io::Result<StatVfs>,
        count: usize,
    ) -> io::Result<usize> {
        if self.left == 0 {
            room.check(look)?;
            self.left = BETWEEN_LOOKS;
        }
        let may = count.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= may as u64;
        Ok(may)
    }
}

//! Artifacts that somebody is about to refer to. What is being made or handed on is in no journal yet: while a [`Hold`] on
//! it lives, its file stays, and a small one lies in memory until a transaction has written it into the database.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use trackside_spec::{ArtifactRef, Digest};
use trackside_sync::lock;

use crate::{artifact_writer::ArtifactWriter, artifacts::Artifacts};

/// Bytes of content that are held in memory at one time; more of it goes into files. Many more than the runs under way and
/// the steps that run bring in bodies of their usual size.
const MOST: usize = 32 << 20;
/// What one costs beside its bytes, about.
const BESIDE: usize = 256;

/// Keeps the artifacts that are made through it, and those that it is told of, until its last clone is dropped. It goes
/// into the transaction that refers to them ([`Txn::holds`](crate::Txn)): after the commit the journal keeps them.
#[derive(Debug, Clone)]
pub struct Hold(Arc<Held>);

#[derive(Debug)]
struct Held {
    artifacts: Arc<Artifacts>,
    digests: Mutex<Vec<Digest>>,
}

impl Hold {
    /// Holds nothing yet.
    #[must_use]
    pub fn new(artifacts: &Arc<Artifacts>) -> Self {
        Self(Arc::new(Held { artifacts: artifacts.clone(), digests: Mutex::default() }))
    }

    /// Holds this one, too. Whether it is there must be asked afterwards ([`Artifacts::has`]).
    pub fn keep(&self, digest: &Digest) {
        self.0.artifacts.holds().take(digest);
        self.digests().push(*digest);
    }

    /// Holds a small one with its content, until the database has it; false where there is no room for it.
    pub(crate) fn keep_content(&self, digest: &Digest, content: &[u8]) -> bool {
        let has_room = self.0.artifacts.holds().take_content(digest, content);
        if has_room {
            self.digests().push(*digest);
        }
        has_room
    }

    /// Starts a new artifact; it is held from its last byte on.
    ///
    /// # Errors
    /// When no temporary file can be made; writing ends with `StorageFull` where less would stay free than must.
    pub fn create(&self) -> io::Result<ArtifactWriter> {
        ArtifactWriter::new(&self.0.artifacts, self.clone())
    }

    /// Makes an artifact of few bytes at once, without waiting for a disk: in memory, until a transaction has it. None where
    /// they are too many, or too many are held.
    ///
    /// # Errors
    /// `StorageFull` where less would stay free than must.
    pub fn store_small(&self, content: &[u8], name: &str, media_type: &str) -> io::Result<Option<ArtifactRef>> {
        let artifacts = &self.0.artifacts;
        if Some(content.len()) > artifacts.largest_small() {
            return Ok(None);
        }
        artifacts.check_small(content.len())?;
        let (digest, size) = (Digest::of(content), content.len() as u64);
        // Locked, so that a file of the same content is not removed at this moment by somebody who sees no hold on it.
        let _unflushed = artifacts.unflushed();
        let kept = self.keep_content(&digest, content);
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        Ok(kept.then_some(ArtifactRef { digest, name, media_type, size }))
    }

    /// Copies `source` into a new artifact.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn store(&self, source: &mut dyn Read, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let mut writer = self.create()?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return writer.finish(name, media_type),
                Ok(count) => io::Write::write_all(&mut writer, &buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn digests(&self) -> MutexGuard<'_, Vec<Digest>> {
        lock(&self.0.digests)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let digests = self.digests.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.artifacts.holds().release(digests);
    }
}

/// The holds on each artifact, and what is on its way into the database.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    entries: HashMap<Digest, Entry>,
    /// Of all content.
    bytes: usize,
    /// Small ones whose rows the transaction removes that is being written.
    leaving: HashSet<Digest>,
}

#[derive(Debug, Default)]
struct Entry {
    holds: u32,
    content: Option<Arc<[u8]>>,
}

impl Holds {
    fn take(&self, digest: &Digest) {
        self.book().entries.entry(*digest).or_default().holds += 1;
    }

    fn take_content(&self, digest: &Digest, content: &[u8]) -> bool {
        let mut book = self.book();
        let size = content.len() + BESIDE;
        let has_room = book.bytes + size <= MOST;
        let known = book.entries.get(digest).is_some_and(|entry| entry.content.is_some());
        if !known && !has_room {
            return false;
        }
        let entry = book.entries.entry(*digest).or_default();
        entry.holds += 1;
        if !known {
            entry.content = Some(content.into());
            book.bytes += size;
        }
        true
    }

    fn release(&self, digests: &[Digest]) {
        let mut book = self.book();
        for digest in digests {
            let Some(entry) = book.entries.get_mut(digest) else { continue };
            entry.holds -= 1;
            if entry.holds == 0 {
                let size = entry.content.as_ref().map_or(0, |content| content.len() + BESIDE);
                book.bytes -= size;
                book.entries.remove(digest);
            }
        }
    }

    /// Whether somebody holds it.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.book().entries.contains_key(digest)
    }

    /// The content of a small one that is held; the database has it by now or will have it.
    pub(crate) fn content(&self, digest: &Digest) -> Option<Arc<[u8]>> {
        self.book().entries.get(digest)?.content.clone()
    }

    /// Whether the row of a small one may go: nobody holds it. Whoever does from now on does not find it.
    pub(crate) fn leaves(&self, digest: &Digest) -> bool {
        let mut book = self.book();
        let leaves = !book.entries.contains_key(digest);
        if leaves {
            book.leaving.insert(*digest);
        }
        leaves
    }

    pub(crate) fn is_leaving(&self, digest: &Digest) -> bool {
        self.book().leaving.contains(digest)
    }

    /// The transaction that removes rows is written, or will not be.
    pub(crate) fn have_left(&self) {
        self.book().leaving.clear();
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.0)
    }
}

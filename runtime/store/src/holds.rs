//! Artifacts that somebody is about to refer to. What is being made or handed on is in no journal yet: while a [`Hold`] on
//! it lives, its file stays.

use std::{
    collections::HashMap,
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use trackside_spec::{ArtifactRef, Digest};
use trackside_sync::lock;

use crate::artifacts::{ArtifactWriter, Artifacts};

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

    /// Holds this one, too. Whether its file is there must be asked afterwards.
    pub fn keep(&self, digest: &Digest) {
        self.0.artifacts.holds().take(digest);
        self.digests().push(*digest);
    }

    /// Starts a new artifact; it is held from its last byte on.
    ///
    /// # Errors
    /// When no temporary file can be made; writing ends with `StorageFull` where less would stay free than must.
    pub fn create(&self) -> io::Result<ArtifactWriter> {
        self.0.artifacts.create(self.clone())
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

/// How many holds there are on each artifact.
#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<HashMap<Digest, u32>>);

impl Holds {
    fn take(&self, digest: &Digest) {
        *self.counts().entry(*digest).or_default() += 1;
    }

    fn release(&self, digests: &[Digest]) {
        let mut counts = self.counts();
        for digest in digests {
            if let Some(count) = counts.get_mut(digest) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(digest);
                }
            }
        }
    }

    /// Whether somebody holds it.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.counts().contains_key(digest)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Digest, u32>> {
        lock(&self.0)
    }
}

//! An artifact while it is made: in memory as long as it is small, then in a temporary file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    num::NonZeroU64,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Arc,
};

use rustix::fs::{Advice, fadvise};
use trackside_spec::{ArtifactRef, Digest};

use crate::{
    artifacts::{Artifacts, make_folder},
    digesting::Digesting,
    holds::Hold,
    room::Looks,
};

/// After so many bytes the system is told to begin with writing them out.
const WRITE_OUT: u64 = 16 << 20;

/// An artifact being written. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct ArtifactWriter {
    artifacts: Arc<Artifacts>,
    hold: Hold,
    place: Place,
    digest: Digesting,
    looks: Looks,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(Temporary),
}

/// A file that goes when it is dropped.
#[derive(Debug)]
struct Temporary {
    file: File,
    path: Option<PathBuf>,
    /// Bytes that the system has begun to write out.
    begun: u64,
}

impl ArtifactWriter {
    pub(crate) fn new(artifacts: &Arc<Artifacts>, hold: Hold) -> io::Result<Self> {
        let place = match artifacts.largest_small() {
            Some(_) => Place::Memory(Vec::new()),
            None => Place::File(Temporary::create(artifacts)?),
        };
        Ok(Self { artifacts: artifacts.clone(), hold, place, digest: Digesting::new(), looks: Looks::default() })
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.digest.seen()
    }

    /// Puts the artifact in its place. It becomes durable with the transaction that refers to it, and until then it is there
    /// for as long as it is held.
    ///
    /// # Errors
    /// When it can not be moved there.
    pub fn finish(mut self, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let size = self.size();
        let digest = Digest::from_bytes(std::mem::replace(&mut self.digest, Digesting::new()).finish()?);
        let reference = ArtifactRef { digest, name: name.to_owned(), media_type: media_type.to_owned(), size };
        let artifacts = self.artifacts.clone();
        if let Place::Memory(bytes) = &mut self.place {
            let bytes = std::mem::take(bytes);
            // Locked, so that a file of the same content is not removed at this moment by somebody who sees no hold on it.
            let unflushed = artifacts.unflushed();
            if self.hold.keep_content(&digest, &bytes) {
                return Ok(reference);
            }
            drop(unflushed);
            self.move_out(&bytes)?;
        }
        let Place::File(temporary) = &mut self.place else { return Err(io::ErrorKind::Other.into()) };
        // The set is locked over the move, so that the writer thread never flushes a file that is being replaced.
        let mut unflushed = artifacts.unflushed();
        self.hold.keep(&digest);
        if let Some(path) = temporary.path.as_deref()
            && artifacts.take_in(path, digest, &mut unflushed)?
        {
            temporary.path = None;
        }
        Ok(reference)
    }

    /// From memory into a file.
    fn move_out(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut temporary = Temporary::create(&self.artifacts)?;
        temporary.file.write_all(bytes)?;
        self.place = Place::File(temporary);
        Ok(())
    }
}

impl Write for ArtifactWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Place::Memory(held) = &mut self.place
            && Some(held.len().saturating_add(bytes.len())) > self.artifacts.largest_small()
        {
            let held = std::mem::take(held);
            self.move_out(&held)?;
        }
        let room = self.artifacts.room();
        let count = match &mut self.place {
            Place::Memory(held) => {
                let may = self.looks.before(room, || rustix::fs::statvfs(self.artifacts.root()), bytes.len())?;
                held.extend_from_slice(&bytes[..may]);
                may
            }
            Place::File(temporary) => {
                let may = self.looks.before(room, || rustix::fs::fstatvfs(&temporary.file), bytes.len())?;
                temporary.file.write(&bytes[..may])?
            }
        };
        self.digest.update(&bytes[..count]);
        if let Place::File(temporary) = &mut self.place {
            temporary.begin_flush(self.digest.seen());
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Memory(_) => Ok(()),
            Place::File(temporary) => temporary.file.flush(),
        }
    }
}

impl Temporary {
    fn create(artifacts: &Artifacts) -> io::Result<Self> {
        let mut name = [0u8; 12];
        getrandom::fill(&mut name).map_err(io::Error::other)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = artifacts.temporary().join(name);
        let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = match open() {
            // Somebody tidied up. The folder alone: what lies above it was moved away, or is a disk that is not mounted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(&artifacts.temporary())?;
                open()?
            }
            opened => opened?,
        };
        Ok(Self { file, path: Some(path), begun: 0 })
    }

    /// Has the disk work while a large artifact is still being made: the flush before the commit finds little left to do.
    fn begin_flush(&mut self, size: u64) {
        let fresh = size - self.begun;
        if fresh >= WRITE_OUT {
            // Starts to write the range out; pages that are not on disk stay in memory. A hint: what fails here, the flush
            // reports.
            let _ = fadvise(&self.file, self.begun, NonZeroU64::new(fresh), Advice::DontNeed);
            self.begun += fresh;
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // What stays is cleared at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

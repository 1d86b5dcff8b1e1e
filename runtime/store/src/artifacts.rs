//! Immutable files named by the digest of their content.
//!
//! A file's mode says whether it can be trusted after a power cut: it is made read-only (0400) after its bytes and its
//! folder were flushed, and only then does a transaction that refers to it commit. A file with another mode is a
//! leftover of a crash and is written again.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    num::NonZeroU64,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use rustix::fs::{Advice, fadvise};
use trackside_spec::{ArtifactRef, Digest};
use trackside_sync::lock;

use crate::{
    digesting::Digesting,
    error::StoreError,
    holds::{Hold, Holds},
    read::Reader,
    room::{Looks, Room},
};

/// Read-only for the owner: the file is complete and on disk.
const DURABLE: u32 = 0o400;

/// After so many bytes the system is told to begin with writing them out.
const WRITE_OUT: u64 = 16 << 20;

/// The artifact folder.
#[derive(Debug)]
pub struct Artifacts {
    root: PathBuf,
    /// Written by this process, not yet flushed.
    unflushed: Mutex<HashSet<Digest>>,
    /// Another store's folder, in which what is not here is looked for.
    below: Option<PathBuf>,
    room: Room,
    holds: Holds,
}

/// What is wrong with one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactProblem {
    /// No file with this digest.
    Missing,
    /// The content has another digest.
    Changed {
        /// The digest of what is there.
        found: Digest,
    },
}

impl Artifacts {
    /// Opens the folder, creating it when missing and clearing half-written files of an earlier process. Needs the
    /// data folder's lock.
    pub(crate) fn open(root: PathBuf) -> Result<Self, StoreError> {
        let temp = root.join("tmp");
        match fs::remove_dir_all(&temp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("clear", &temp)(error));
            }
            _ => {}
        }
        fs::create_dir_all(&temp).map_err(StoreError::io("create", &temp))?;
        Ok(Self { root, unflushed: Mutex::default(), below: None, room: Room::default(), holds: Holds::default() })
    }

    /// A view of the folder for reading only; works beside a running node.
    #[must_use]
    pub fn read_only(data_dir: &Path) -> Self {
        Self {
            root: data_dir.join("artifacts"),
            unflushed: Mutex::default(),
            below: None,
            room: Room::default(),
            holds: Holds::default(),
        }
    }

    /// A store in `scratch` that finds the artifacts of a data folder, too, and writes nothing there; works beside a
    /// running node.
    ///
    /// # Errors
    /// When the folder can not be prepared.
    pub fn beside(data_dir: &Path, scratch: &Path) -> io::Result<Self> {
        fs::create_dir_all(scratch.join("tmp"))?;
        Ok(Self {
            root: scratch.to_owned(),
            unflushed: Mutex::default(),
            below: Some(data_dir.join("artifacts")),
            room: Room::default(),
            holds: Holds::default(),
        })
    }

    /// Where the artifact lies.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let own = place(&self.root, digest);
        match &self.below {
            Some(below) if !own.exists() => Some(place(below, digest)).filter(|there| there.exists()).unwrap_or(own),
            _ => own,
        }
    }

    /// A folder on the same file system whose content goes when the store is opened next.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Whether the store is where it was: a disk may not be mounted.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.root.is_dir()
    }

    /// From now on artifacts leave so many bytes of their file system free; 0 is none.
    pub fn keep_free(&self, bytes: u64) {
        self.room.keep_free(bytes);
    }

    /// Opens an artifact for reading.
    ///
    /// # Errors
    /// What the system says; `NotFound` when there is none with this digest.
    pub fn open_artifact(&self, digest: &Digest) -> io::Result<File> {
        File::open(self.path(digest))
    }

    /// The size of an artifact; none when there is none with this digest.
    #[must_use]
    pub fn size_of(&self, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(digest)).ok().filter(fs::Metadata::is_file).map(|meta| meta.len())
    }

    pub(crate) const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Removes the file of an artifact that nothing refers to, unless somebody holds it or a run names it by now. Says whether
    /// it is gone.
    ///
    /// # Errors
    /// What the system or the database says.
    pub fn remove(&self, digest: &Digest, reader: &Reader) -> Result<bool, StoreError> {
        // Locked over all of it, so that it is not found by somebody who makes the same one just before it goes.
        let mut unflushed = self.unflushed();
        // In this order: a hold ends when what it was for is committed, and then the journal has it.
        if self.holds.has(digest) || reader.is_referred_to(digest)? {
            return Ok(false);
        }
        let file = place(&self.root, digest);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove the artifact", file)(error));
            }
            _ => {}
        }
        unflushed.remove(digest);
        Ok(true)
    }

    /// The artifacts of one of the 256 folders, with when each was changed last.
    ///
    /// # Errors
    /// When the folder can not be read.
    pub fn list_shard(&self, shard: u8) -> io::Result<Vec<(Digest, SystemTime)>> {
        let entries = match fs::read_dir(self.root.join(format!("{shard:02x}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(|hex| format!("sha256:{hex}").parse().ok());
            if let (Some(digest), Ok(meta)) = (digest, entry.metadata()) {
                found.push((digest, meta.modified()?));
            }
        }
        Ok(found)
    }

    /// Size and free space of the file system that the artifacts lie on, bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn file_system(&self) -> io::Result<(u64, u64)> {
        let disk = rustix::fs::statvfs(&self.root)?;
        Ok((disk.f_blocks.saturating_mul(disk.f_frsize), disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    pub(crate) fn create(self: &Arc<Self>, hold: Hold) -> io::Result<ArtifactWriter> {
        let mut name = [0u8; 12];
        getrandom::fill(&mut name).map_err(io::Error::other)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.temporary().join(name);
        let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = match open() {
            // Somebody tidied up. The folder alone: what lies above it was moved away, or is a disk that is not mounted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(&self.temporary())?;
                open()?
            }
            opened => opened?,
        };
        Ok(ArtifactWriter {
            artifacts: self.clone(),
            hold,
            file,
            path: Some(path),
            digest: Digesting::new(),
            looks: Looks::default(),
            begun: 0,
        })
    }

    /// Reads an artifact through and compares its digest.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn verify(&self, digest: &Digest) -> io::Result<Option<ArtifactProblem>> {
        let mut file = match self.open_artifact(digest) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(ArtifactProblem::Missing)),
            Err(error) => return Err(error),
        };
        let found = Digest::of_reader(&mut file)?;
        Ok((found != *digest).then_some(ArtifactProblem::Changed { found }))
    }

    /// The digests of all artifacts, in no order.
    ///
    /// # Errors
    /// When a folder can not be read.
    pub fn list(&self) -> io::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for shard in fs::read_dir(&self.root)? {
            let shard = shard?;
            if shard.file_name() == "tmp" || !shard.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(shard.path())? {
                let name = entry?.file_name();
                digests.extend(name.to_str().and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok()));
            }
        }
        Ok(digests)
    }

    /// Flushes an artifact that this process wrote: bytes, then folders, then the mode that says so.
    pub(crate) fn make_durable(&self, digest: &Digest) -> Result<(), StoreError> {
        if !self.unflushed().contains(digest) {
            return Ok(());
        }
        let path = self.path(digest);
        let flush = || -> io::Result<()> {
            let file = File::open(&path)?;
            file.sync_all()?;
            if let Some(shard) = path.parent() {
                File::open(shard)?.sync_all()?;
                File::open(&self.root)?.sync_all()?;
            }
            file.set_permissions(Permissions::from_mode(DURABLE))
        };
        flush().map_err(StoreError::io("flush", &path))?;
        self.unflushed().remove(digest);
        Ok(())
    }

    fn is_durable(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o777 == DURABLE)
    }

    fn unflushed(&self) -> MutexGuard<'_, HashSet<Digest>> {
        lock(&self.unflushed)
    }
}

/// Makes the folder, and none above it.
fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn place(root: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    root.join(&hex[..2]).join(hex)
}

/// An artifact being written. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct ArtifactWriter {
    artifacts: Arc<Artifacts>,
    hold: Hold,
    file: File,
    path: Option<PathBuf>,
    digest: Digesting,
    looks: Looks,
    /// Bytes that the system has begun to write out.
    begun: u64,
}

impl ArtifactWriter {
    /// Bytes written so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.digest.seen()
    }

    /// Has the disk work while a large artifact is still being made: the flush before the commit finds little left to do.
    fn begin_flush(&mut self) {
        let fresh = self.size() - self.begun;
        if fresh >= WRITE_OUT {
            // Starts to write the range out; pages that are not on disk stay in memory. A hint: what fails here, the flush
            // reports.
            let _ = fadvise(&self.file, self.begun, NonZeroU64::new(fresh), Advice::DontNeed);
            self.begun += fresh;
        }
    }

    /// Puts the artifact in its place. It becomes durable with the transaction that refers to it.
    ///
    /// # Errors
    /// When it can not be moved there.
    pub fn finish(mut self, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let size = self.size();
        let digest = Digest::from_bytes(std::mem::replace(&mut self.digest, Digesting::new()).finish()?);
        let reference = ArtifactRef { digest, name: name.to_owned(), media_type: media_type.to_owned(), size };
        // Never a place in the store below this one.
        let target = place(&self.artifacts.root, &digest);
        // The set is locked over the move, so that the writer thread never flushes a file that is being replaced.
        let artifacts = self.artifacts.clone();
        let mut unflushed = artifacts.unflushed();
        self.hold.keep(&digest);
        if unflushed.contains(&digest) || artifacts.is_durable(&target) {
            return Ok(reference);
        }
        if let Some(temp) = self.path.as_deref()
            && let Err(error) = fs::rename(temp, &target)
        {
            let Some(shard) = target.parent().filter(|_| error.kind() == io::ErrorKind::NotFound) else {
                return Err(error);
            };
            make_folder(shard)?;
            fs::rename(temp, &target)?;
        }
        self.path = None;
        unflushed.insert(digest);
        Ok(reference)
    }
}

impl Write for ArtifactWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let may = self.looks.before(&self.artifacts.room, &self.file, bytes.len())?;
        let count = self.file.write(&bytes[..may])?;
        self.digest.update(&bytes[..count]);
        self.begin_flush();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for ArtifactWriter {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // What stays is cleared at the next start.
            let _ = fs::remove_file(path);
        }
    }
}

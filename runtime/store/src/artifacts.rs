//! Immutable content, named by its digest: small ones are rows of the database, the others files.
//!
//! A small one lies in memory, kept by who holds it ([`Hold`]), until the transaction that refers to it writes it into the
//! database: it costs no flush and no file of its own. From then on whoever asks for it is given what the database has.
//!
//! A file's mode says whether it can be trusted after a power cut: it is made read-only (0400) after its bytes and its
//! folder were flushed, and only then does a transaction that refers to it commit. A file with another mode is a
//! leftover of a crash and is written again.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use trackside_spec::Digest;
use trackside_sync::lock;

use crate::{
    content::Content,
    digests::{Late, Look, prefix},
    error::StoreError,
    holds::Holds,
    read::Reader,
    readers::Readers,
    room::Room,
};

#[cfg(doc)]
use crate::holds::Hold;

/// Read-only for the owner: the file is complete and on disk.
const DURABLE: u32 = 0o400;

/// The largest content that goes into the database. It is written twice there, into the log and from that into pages, and once
/// into a file: at this size that costs a fourth more bytes written and saves three flushes (measured: bodies of it are accepted
/// 2.6 times as fast). Of more the bytes would count for more than the flushes.
pub const LARGEST_SMALL: usize = 16 << 10;

/// The artifacts of a data folder.
pub struct Artifacts {
    root: PathBuf,
    /// Written by this process, not yet flushed.
    unflushed: Mutex<HashSet<Digest>>,
    /// Another store's folder, in which what is not here is looked for.
    below: Option<PathBuf>,
    /// Of the database that has the small ones.
    readers: Arc<Readers>,
    /// The largest that is kept for the database; none where nothing is written to one.
    largest_small: Option<usize>,
    room: Room,
    holds: Holds,
    late: Mutex<Late>,
}

impl std::fmt::Debug for Artifacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Artifacts").field("root", &self.root).finish_non_exhaustive()
    }
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
    pub(crate) fn open(data_dir: &Path, late: Late) -> Result<Self, StoreError> {
        let root = data_dir.join("artifacts");
        let temp = root.join("tmp");
        match fs::remove_dir_all(&temp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("clear", &temp)(error));
            }
            _ => {}
        }
        fs::create_dir_all(&temp).map_err(StoreError::io("create", &temp))?;
        Ok(Self { largest_small: Some(LARGEST_SMALL), late: Mutex::new(late), ..Self::at(root, data_dir) })
    }

    /// A view of the folder for reading only; works beside a running node.
    #[must_use]
    pub fn read_only(data_dir: &Path) -> Self {
        Self::at(data_dir.join("artifacts"), data_dir)
    }

    /// A store in `scratch` that finds the artifacts of a data folder, too, and writes nothing there; works beside a
    /// running node. What is made is a file, however small.
    ///
    /// # Errors
    /// When the folder can not be prepared.
    pub fn beside(data_dir: &Path, scratch: &Path) -> io::Result<Self> {
        fs::create_dir_all(scratch.join("tmp"))?;
        Ok(Self { below: Some(data_dir.join("artifacts")), ..Self::at(scratch.to_owned(), data_dir) })
    }

    fn at(root: PathBuf, data_dir: &Path) -> Self {
        Self {
            root,
            unflushed: Mutex::default(),
            below: None,
            readers: Arc::new(Readers::new(data_dir.to_owned())),
            largest_small: None,
            room: Room::default(),
            holds: Holds::default(),
            late: Mutex::default(),
        }
    }

    /// Readers of the database beside the artifacts.
    #[must_use]
    pub const fn readers(&self) -> &Arc<Readers> {
        &self.readers
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

    /// What an artifact holds.
    ///
    /// # Errors
    /// What the system or the database says; `NotFound` when there is none with this digest.
    pub fn content(&self, digest: &Digest) -> io::Result<Content> {
        if let Some(bytes) = self.holds.content(digest) {
            return Ok(Content::Small(bytes));
        }
        let file = self.file(digest, &self.unflushed())?;
        if let Some(file) = file.as_ref().filter(|file| file.is_whole) {
            return Ok(Content::File(File::open(&file.path)?, file.path.clone()));
        }
        match (self.ask_of(digest, Reader::content), file) {
            (Ok(Some(bytes)), _) => Ok(Content::Small(bytes.into())),
            // One of a copy that has lost the modes of its files is as good as any.
            (_, Some(file)) => Ok(Content::File(File::open(&file.path)?, file.path)),
            (Ok(None), None) => Err(io::ErrorKind::NotFound.into()),
            (Err(error), None) => Err(error),
        }
    }

    /// Opens an artifact for reading. One that stands in the database becomes a file in memory, which nobody can change.
    ///
    /// # Errors
    /// As [`Artifacts::content`].
    pub fn open_artifact(&self, digest: &Digest) -> io::Result<File> {
        self.content(digest)?.into_file()
    }

    /// The size of an artifact; none when there is none with this digest.
    #[must_use]
    pub fn size_of(&self, digest: &Digest) -> Option<u64> {
        if let Some(bytes) = self.holds.content(digest) {
            return Some(bytes.len() as u64);
        }
        let file = self.file(digest, &self.unflushed()).ok().flatten();
        if let Some(file) = file.as_ref().filter(|file| file.is_whole) {
            return Some(file.size);
        }
        let small = self.ask_of(digest, Reader::content_size).ok().flatten();
        small.or_else(|| file.map(|file| file.size))
    }

    /// Whether there is one with this digest that stays as long as the caller holds it ([`Hold::keep`]).
    #[must_use]
    pub fn has(&self, digest: &Digest) -> bool {
        // Not while one is being removed.
        let unflushed = self.unflushed();
        if self.holds.content(digest).is_some() || self.file(digest, &unflushed).is_ok_and(|file| file.is_some()) {
            return true;
        }
        let leaves = self.holds.is_leaving(digest);
        drop(unflushed);
        !leaves && self.ask_of(digest, Reader::content_size).is_ok_and(|size| size.is_some())
    }

    /// Whether somebody is about to refer to it.
    #[must_use]
    pub fn is_held(&self, digest: &Digest) -> bool {
        self.holds.has(digest)
    }

    /// Asks the database about an artifact.
    fn ask_of<T>(
        &self,
        digest: &Digest,
        ask: impl FnOnce(&Reader, &Digest, &Look) -> Result<Option<T>, StoreError>,
    ) -> io::Result<Option<T>> {
        let look = self.look(digest);
        self.ask_database(|reader| ask(reader, digest, &look))
    }

    /// Where the database has an artifact. Before it is asked: what does not wait any more is then found there.
    fn look(&self, digest: &Digest) -> Look {
        let is_own = self.largest_small.is_some();
        if is_own { Look::At(self.late().rows(prefix(digest)).collect()) } else { Look::Everywhere }
    }

    /// Asks the database. One that is beside this process may not be there, or be one of before.
    fn ask_database<T>(&self, ask: impl FnOnce(&Reader) -> Result<Option<T>, StoreError>) -> io::Result<Option<T>> {
        let is_own = self.largest_small.is_some();
        if !is_own && !self.readers.is_there() {
            return Ok(None);
        }
        let asked = self.readers.with(|reader| if is_own || reader.has_contents()? { ask(reader) } else { Ok(None) });
        asked.map_err(io::Error::other)
    }

    /// The file of an artifact, where it is one.
    fn file(&self, digest: &Digest, unflushed: &HashSet<Digest>) -> io::Result<Option<Lying>> {
        let look = |path: PathBuf| match fs::metadata(&path) {
            Ok(meta) if meta.is_file() => {
                let is_whole = meta.permissions().mode() & 0o777 == DURABLE || unflushed.contains(digest);
                Ok(Some(Lying { path, size: meta.len(), is_whole }))
            }
            Ok(_) => Ok(None),
            // Also a folder above it that is not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        match look(place(&self.root, digest))? {
            None => self.below.as_ref().map_or(Ok(None), |below| look(place(below, digest))),
            own => Ok(own),
        }
    }

    pub(crate) const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// The newest artifacts of the database.
    pub(crate) fn late(&self) -> MutexGuard<'_, Late> {
        lock(&self.late)
    }

    /// Removes the file of an artifact that nothing refers to, unless somebody holds it or a run names it by now. Says whether
    /// it is gone. Small ones go with their rows ([`Prune::Files`](crate::Prune::Files)).
    ///
    /// # Errors
    /// What the system or the database says.
    pub fn remove(&self, digest: &Digest, reader: &Reader) -> Result<bool, StoreError> {
        // Locked over all of it, so that it is not found by somebody who makes the same one just before it goes.
        let mut unflushed = self.unflushed();
        // In this order: a hold ends when what it was for is committed, and then the journal has it.
        if self.holds.has(digest) || reader.is_referred_to(digest, &self.look(digest))? {
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

    /// The files of artifacts in one of the 256 folders, with when each was changed last.
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

    /// Whether something small of so many bytes may be written, too, by what must stay free.
    pub(crate) fn check_small(&self, bytes: usize) -> io::Result<()> {
        self.room.check_small(bytes, || rustix::fs::statvfs(&self.root))
    }

    pub(crate) const fn room(&self) -> &Room {
        &self.room
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) const fn largest_small(&self) -> Option<usize> {
        self.largest_small
    }

    /// Reads an artifact through and compares its digest.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn verify(&self, digest: &Digest) -> io::Result<Option<ArtifactProblem>> {
        let found = match self.content(digest) {
            Ok(Content::Small(bytes)) => Digest::of(&bytes),
            Ok(Content::File(mut file, _)) => Digest::of_reader(&mut file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(ArtifactProblem::Missing)),
            Err(error) => return Err(error),
        };
        Ok((found != *digest).then_some(ArtifactProblem::Changed { found }))
    }

    /// The digests of all artifacts, files and rows of the database, in their order.
    ///
    /// # Errors
    /// When a folder or the database can not be read.
    pub fn list(&self) -> io::Result<Vec<Digest>> {
        let mut digests = BTreeSet::new();
        for shard in 0..=u8::MAX {
            digests.extend(self.list_shard(shard)?.into_iter().map(|(digest, _)| digest));
        }
        let small = self.ask_database(|reader| reader.contents("").map(Some))?;
        digests.extend(small.unwrap_or_default());
        Ok(digests.into_iter().collect())
    }

    /// The digests of the artifacts whose digits begin so.
    ///
    /// # Errors
    /// When a folder or the database can not be read.
    pub fn beginning_with(&self, hex: &str) -> io::Result<Vec<Digest>> {
        let shards = match hex.get(..2).map(|shard| u8::from_str_radix(shard, 16)) {
            Some(Ok(shard)) => shard..=shard,
            _ => 0..=u8::MAX,
        };
        let mut digests = BTreeSet::new();
        for shard in shards {
            let files = self.list_shard(shard)?.into_iter().map(|(digest, _)| digest);
            digests.extend(files.filter(|digest| digest.hex().starts_with(hex)));
        }
        let small = self.ask_database(|reader| reader.contents(hex).map(Some))?;
        digests.extend(small.unwrap_or_default());
        Ok(digests.into_iter().collect())
    }

    /// Flushes an artifact that this process wrote: bytes, then folders, then the mode that says so.
    pub(crate) fn make_durable(&self, digest: &Digest) -> Result<(), StoreError> {
        if !self.unflushed().contains(digest) {
            return Ok(());
        }
        let path = place(&self.root, digest);
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

    /// Puts a file that is ready in its place, unless the artifact is there already.
    pub(crate) fn take_in(&self, temp: &Path, digest: Digest, unflushed: &mut HashSet<Digest>) -> io::Result<bool> {
        // Never a place in the store below this one.
        let target = place(&self.root, &digest);
        if unflushed.contains(&digest) || is_durable(&target) {
            return Ok(false);
        }
        if let Err(error) = fs::rename(temp, &target) {
            let Some(shard) = target.parent().filter(|_| error.kind() == io::ErrorKind::NotFound) else {
                return Err(error);
            };
            make_folder(shard)?;
            fs::rename(temp, &target)?;
        }
        unflushed.insert(digest);
        Ok(true)
    }

    /// Whether a file has this artifact for good; none where something else lies in its place.
    pub(crate) fn has_durable_file(&self, digest: &Digest) -> Option<bool> {
        let path = place(&self.root, digest);
        match fs::symlink_metadata(&path) {
            Ok(meta) => (meta.is_file() && meta.permissions().mode() & 0o777 == DURABLE).then_some(true),
            Err(_) => Some(false),
        }
    }

    /// Removes what a crash left in the place of an artifact that the database has by now. Nobody else would look after it.
    pub(crate) fn remove_leftover(&self, digest: &Digest) {
        let (path, unflushed) = (place(&self.root, digest), self.unflushed());
        if !unflushed.contains(digest) && !is_durable(&path) {
            // What can not be removed is only not used.
            let _ = fs::remove_file(&path);
        }
    }

    /// Bytes of the artifact's file.
    pub(crate) fn size_of_file(&self, digest: &Digest) -> Option<u64> {
        self.file(digest, &self.unflushed()).ok().flatten().map(|file| file.size)
    }

    pub(crate) fn unflushed(&self) -> MutexGuard<'_, HashSet<Digest>> {
        lock(&self.unflushed)
    }
}

/// A file where an artifact lies.
struct Lying {
    path: PathBuf,
    size: u64,
    /// No leftover of a crash.
    is_whole: bool,
}

fn is_durable(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o777 == DURABLE)
}

/// Makes the folder, and none above it.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn place(root: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    root.join(&hex[..2]).join(hex)
}

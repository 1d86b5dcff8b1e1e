//! Packages on the disk: `DATA/models/sha256-HEX/`, written whole or not at all.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use trackside_spec::{ByteSize, Digest, MODEL_FOLDERS, MODEL_INCOMING, MODEL_REMOVED, model_folder};

use super::{FileEntry, MANIFEST, Manifest, PackageError, PackageLimits, SIGNATURES, draft::open_file};

/// Signatures that are being written.
const UNFINISHED: &str = ".signatures.part";

/// The folder of all packages of a data folder.
#[derive(Clone, Debug)]
pub struct Shelf {
    data_dir: PathBuf,
    /// Bounds of what is put there.
    pub limits: PackageLimits,
    keep_free: u64,
}

/// A package that is being written. Dropped, it is gone.
#[derive(Debug)]
pub struct Incoming {
    folder: TempDir,
    folders: BTreeSet<PathBuf>,
    keep_free: u64,
}

/// A package in its folder.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The bytes that say so.
    pub bytes: Vec<u8>,
}

impl Shelf {
    /// That of a data folder. Nothing is made yet.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), limits: PackageLimits::default(), keep_free: 0 }
    }

    /// Takes no more than this.
    #[must_use]
    pub fn taking(self, limits: PackageLimits) -> Self {
        Self { limits, ..self }
    }

    /// So many bytes stay free on the file system: the database needs them.
    #[must_use]
    pub fn keeping_free(self, keep_free: u64) -> Self {
        Self { keep_free, ..self }
    }

    fn root(&self) -> PathBuf {
        self.data_dir.join(MODEL_FOLDERS)
    }

    /// Where the package of this manifest's digest lies, or would lie.
    #[must_use]
    pub fn folder(&self, digest: &Digest) -> PathBuf {
        self.root().join(model_folder(digest))
    }

    /// Begins a package. Only for who has the data folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(&self) -> Result<Incoming, PackageError> {
        let root = self.root();
        if !root.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&root).map_err(PackageError::io("create", &root))?;
            flush(&self.data_dir)?;
        }
        let folder = tempfile::Builder::new().permissions(private()).prefix(MODEL_INCOMING).tempdir_in(&root);
        let folder = folder.map_err(PackageError::io("create a folder in", root))?;
        Ok(Incoming { folder, folders: BTreeSet::new(), keep_free: self.keep_free })
    }

    /// Puts a finished package where its digest says, and has that on disk. What lies there goes: a write that was not finished, or
    /// a folder that has lost a file.
    ///
    /// # Errors
    /// When the disk refuses: it is not there then.
    pub fn put(&self, incoming: Incoming, digest: &Digest) -> Result<(), PackageError> {
        let (root, target) = (self.root(), self.folder(digest));
        self.remove(digest)?;
        let from = incoming.folder.path().to_owned();
        fs::rename(&from, &target).map_err(PackageError::io("rename", &from))?;
        // It has another name now: there is nothing left to remove.
        let _ = incoming.folder.keep();
        flush(&root)
    }

    /// Removes a package. Another name comes first: what is half removed is never taken for a package.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, digest: &Digest) -> Result<(), PackageError> {
        let folder = self.folder(digest);
        if !folder.is_dir() {
            return Ok(());
        }
        let gone = tempfile::Builder::new().permissions(private()).prefix(MODEL_REMOVED).tempdir_in(self.root());
        let gone = gone.map_err(PackageError::io("create a folder in", self.root()))?;
        // An empty folder is replaced.
        fs::rename(&folder, gone.path()).map_err(PackageError::io("rename", &folder))?;
        gone.close().map_err(PackageError::io("remove", folder))?;
        flush(&self.root())
    }

    /// Keeps other signatures with a package than those that it has: these are on disk when this ends, or those of before.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sign(&self, digest: &Digest, signatures: &[u8]) -> Result<(), PackageError> {
        let folder = self.folder(digest);
        let (path, part) = (folder.join(SIGNATURES), folder.join(UNFINISHED));
        // Of whoever was at it when the box stopped.
        match fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(PackageError::io("remove", part)(error));
            }
            _ => {}
        }
        write(&part, signatures)?;
        fs::rename(&part, &path).map_err(PackageError::io("rename", part))?;
        flush(&folder)
    }

    /// Opens a package and checks its manifest; its files are not read.
    ///
    /// # Errors
    /// [`PackageError::Damaged`] where it is not what the digest says, others when it can not be read.
    pub fn open(&self, digest: &Digest) -> Result<Kept, PackageError> {
        let folder = self.folder(digest);
        let path = folder.join(MANIFEST);
        let (file, size) = open_file(&path)?;
        // Within these it was written, or it is none; the limits of today are for what is still to come.
        let limits = PackageLimits::MOST;
        let most = limits.manifest.as_bytes();
        if size > most {
            let reason = format!("{} has {size} bytes", path.display());
            return Err(PackageError::Damaged { reason });
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(PackageError::io("read", &path))?;
        if Digest::of(&bytes) != *digest {
            let reason = format!("{} has another digest than {digest}", path.display());
            return Err(PackageError::Damaged { reason });
        }
        let manifest = Manifest::read(&bytes, &limits)?;
        Ok(Kept { folder, manifest, bytes })
    }
}

impl Incoming {
    /// Where it lies for now.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Looks whether there is room for so many bytes.
    ///
    /// # Errors
    /// [`PackageError::NoRoom`] where there is none.
    pub fn expect(&self, bytes: u64) -> Result<(), PackageError> {
        expect_room(self.folder.path(), bytes, self.keep_free)
    }

    /// Takes a file: its bytes must be those that `entry` says. They are on disk when this ends.
    ///
    /// # Errors
    /// [`PackageError::Damaged`] where they are not, others when the disk refuses or the reader does.
    pub fn take(&mut self, entry: &FileEntry, from: &mut dyn Read) -> Result<(), PackageError> {
        let path = self.folder.path().join(&entry.path);
        if let Some(above) = path.parent().filter(|above| *above != self.folder.path()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(above);
            made.map_err(PackageError::io("create", above))?;
            let inner = above.ancestors().take_while(|folder| *folder != self.folder.path());
            self.folders.extend(inner.map(Path::to_owned));
        }
        let mut file = new_file(&path)?;
        let (mut hasher, mut taken) = (Sha256::new(), 0u64);
        let mut part = vec![0; 256 << 10];
        loop {
            let length = match from.read(&mut part) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(PackageError::Cut(error)),
            };
            taken += length as u64;
            if taken > entry.size {
                break;
            }
            hasher.update(&part[..length]);
            file.write_all(&part[..length]).map_err(PackageError::io("write", &path))?;
        }
        let name = &entry.path;
        let reason = if taken > entry.size {
            format!("{name} has more than its {} bytes; was it changed meanwhile?", entry.size)
        } else if taken < entry.size {
            format!("{name} has {taken} bytes instead of {}", entry.size)
        } else if Digest::from_bytes(hasher.finalize().into()) != entry.digest {
            format!("{name} has another content than its digest says")
        } else {
            return finish(&file, &path);
        };
        Err(PackageError::Damaged { reason })
    }

    /// Takes the manifest and the signatures, and has the whole folder on disk. Gives the digest.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&mut self, manifest: &[u8], signatures: Option<&[u8]>) -> Result<Digest, PackageError> {
        write(&self.folder.path().join(MANIFEST), manifest)?;
        if let Some(signatures) = signatures {
            write(&self.folder.path().join(SIGNATURES), signatures)?;
        }
        for folder in &self.folders {
            flush(folder)?;
        }
        flush(self.folder.path())?;
        Ok(Digest::of(manifest))
    }
}

impl Kept {
    /// The model's file.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.folder.join(&self.manifest.model)
    }

    /// The file with the golden vectors.
    #[must_use]
    pub fn golden(&self) -> Option<PathBuf> {
        self.manifest.golden.as_ref().map(|name| self.folder.join(name))
    }

    /// Its signatures, as they lie there; none where there are none.
    ///
    /// # Errors
    /// When they can not be read, or are more than they may be.
    pub fn signatures(&self, limits: &PackageLimits) -> Result<Option<Vec<u8>>, PackageError> {
        let path = self.folder.join(SIGNATURES);
        match path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        let (file, size) = open_file(&path)?;
        if size > limits.signatures.as_bytes() {
            return Err(PackageError::Damaged { reason: format!("{} has {size} bytes", path.display()) });
        }
        let mut bytes = Vec::new();
        file.take(limits.signatures.as_bytes()).read_to_end(&mut bytes).map_err(PackageError::io("read", &path))?;
        Ok(Some(bytes))
    }

    /// Opens one of its files.
    ///
    /// # Errors
    /// When it can not be read, or has another size than the manifest says.
    pub fn open(&self, entry: &FileEntry) -> Result<File, PackageError> {
        let (file, size) = open_file(&self.folder.join(&entry.path))?;
        if size != entry.size {
            let reason = format!("{} has {size} bytes instead of {}", entry.path, entry.size);
            return Err(PackageError::Damaged { reason });
        }
        Ok(file)
    }

    /// Reads all files through.
    ///
    /// # Errors
    /// [`PackageError::Damaged`] at the first that is not what the manifest says.
    pub fn verify(&self) -> Result<(), PackageError> {
        self.manifest.files.iter().try_for_each(|entry| self.verify_file(entry))
    }

    /// Reads some of the files through.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_some<'a>(&self, paths: impl IntoIterator<Item = &'a String>) -> Result<(), PackageError> {
        let mut entries = paths.into_iter().filter_map(|path| self.manifest.file(path));
        entries.try_for_each(|entry| self.verify_file(entry))
    }

    /// Reads one of its files through.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_file(&self, entry: &FileEntry) -> Result<(), PackageError> {
        let file = self.open(entry)?;
        let digest = Digest::of_reader(&mut file.take(entry.size));
        let digest = digest.map_err(PackageError::io("read", self.folder.join(&entry.path)))?;
        if digest == entry.digest {
            return Ok(());
        }
        let reason = format!("{} has another content than its digest says", entry.path);
        Err(PackageError::Damaged { reason })
    }
}

/// Looks whether the file system of a folder has room for so many bytes with `keep_free` more.
///
/// # Errors
/// [`PackageError::NoRoom`] where it has none.
pub fn expect_room(folder: &Path, bytes: u64, keep_free: u64) -> Result<(), PackageError> {
    let system = rustix::fs::statvfs(folder);
    let system = system.map_err(|error| PackageError::io("look at", folder)(error.into()))?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    if bytes.saturating_add(keep_free) <= free {
        return Ok(());
    }
    // In whole units: nobody counts the bytes of a disk.
    let mib = |bytes: u64| ByteSize::from_mib(bytes.div_ceil(1 << 20));
    Err(PackageError::NoRoom { bytes: mib(bytes), free: mib(free), keep_free: mib(keep_free) })
}

/// A small file, on disk when this ends.
fn write(path: &Path, bytes: &[u8]) -> Result<(), PackageError> {
    let mut file = new_file(path)?;
    file.write_all(bytes).map_err(PackageError::io("write", path))?;
    finish(&file, path)
}

fn new_file(path: &Path) -> Result<File, PackageError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(PackageError::io("write", path))
}

/// Read-only from now on, and on disk.
fn finish(file: &File, path: &Path) -> Result<(), PackageError> {
    let done = file.set_permissions(Permissions::from_mode(0o400)).and_then(|()| file.sync_all());
    done.map_err(PackageError::io("write", path))
}

fn flush(folder: &Path) -> Result<(), PackageError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(PackageError::io("flush", folder))
}

/// For this user alone.
fn private() -> Permissions {
    Permissions::from_mode(0o700)
}

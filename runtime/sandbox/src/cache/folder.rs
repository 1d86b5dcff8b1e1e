//! The folder of compiled code.

use std::{
    fs::{DirBuilder, File},
    hash::{Hash, Hasher},
    io,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, Timespec, Timestamps};
use sha2::{Digest as _, Sha256};
use trackside_codes::{Class, Reason};
use trackside_spec::Digest;
use wasmtime::Engine;

use super::{
    entry::{self, EntryError},
    key::Key,
    native::Code,
};
use crate::error::SandboxError;

/// Part of every entry's name: entries of another build of this crate are never read.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+contract-0.1.0+notes-2");
const SUFFIX: &str = ".code";
const TEMPORARY: &str = ".new-";
/// A temporary file that is older was left by a process that died.
const STALE: Duration = Duration::from_secs(3600);
/// Using an entry marks it as used, but not more often than this: a mark is a disk write.
const MARK_EVERY: Duration = Duration::from_secs(86_400);

/// Compiled code by component digest.
pub(crate) struct CodeCache {
    folder: OwnedFd,
    key: Key,
    /// First 64 bits of a digest over engine settings, engine version, processor features and [`BUILD`].
    engine: String,
    limit: u64,
}

/// What the cache knows of a component.
pub(crate) enum Lookup {
    /// Verified code with its notes.
    Hit { code: Code, notes: Vec<u8> },
    /// Nothing.
    Absent,
    /// A file that must not be used, with the reason.
    Refused(Reason),
}

impl CodeCache {
    /// Opens the folder and the key, making what is missing; not the folder that they lie in, which may have been moved away.
    pub(crate) fn open(engine: &Engine, folder: &Path, key_file: &Path, limit: u64) -> Result<Self, SandboxError> {
        let failed = |source: io::Error| SandboxError::CacheFolder { path: folder.to_owned(), source };
        let refuse = |reason: String| SandboxError::Unsafe { path: folder.to_owned(), reason };
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        if folder.symlink_metadata().map_err(failed)?.is_symlink() {
            return Err(refuse("it is a symbolic link; configure the folder that it points to".to_owned()));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(folder, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        let stat = rustix::fs::fstat(&opened).map_err(|error| failed(error.into()))?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(refuse(format!(
                "it belongs to user {}, not to the one that runs this process; give it a folder of its own",
                stat.st_uid
            )));
        }
        if stat.st_mode & 0o077 != 0 {
            return Err(refuse(format!(
                "others may read or write it (mode {:03o}); run: chmod 700 {}",
                stat.st_mode & 0o777,
                folder.display()
            )));
        }
        Ok(Self { folder: opened, key: Key::open(key_file)?, engine: fingerprint(engine), limit })
    }

    /// Looks a component up.
    pub(crate) fn get(&self, digest: &Digest) -> Lookup {
        let name = self.name(digest);
        // Opened without following a link and without waiting for a pipe's other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = match rustix::fs::openat(&self.folder, &name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Lookup::Absent,
            Err(rustix::io::Errno::LOOP) => return Lookup::Refused("it is a symbolic link".into()),
            Err(error) => return Lookup::Refused(Reason::disk(error.into())),
        };
        match entry::read(&mut file, &self.key, &name) {
            Ok(entry) => {
                mark(&file);
                Lookup::Hit { code: entry.code, notes: entry.notes }
            }
            Err(EntryError::Io(error)) => Lookup::Refused(Reason::disk(error)),
            Err(doubt @ EntryError::Doubt(_)) => Lookup::Refused(Reason::by(Class::Damaged, doubt)),
        }
    }

    /// Keeps compiled code. The file appears complete or not at all.
    pub(crate) fn put(&self, digest: &Digest, notes: &[u8], code: &Code) -> io::Result<()> {
        let name = self.name(digest);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let temporary = format!("{TEMPORARY}{:016x}", u64::from_le_bytes(random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(rustix::fs::openat(&self.folder, &temporary, flags, mode)?);
        let written = entry::write(&mut file, &self.key, &name, notes, code)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(rustix::fs::renameat(&self.folder, &temporary, &self.folder, &name)?));
        if let Err(error) = written {
            // The first error is the one that says what happened; pruning tries the file again later.
            let _ = rustix::fs::unlinkat(&self.folder, &temporary, AtFlags::empty());
            return Err(error);
        }
        rustix::fs::fsync(&self.folder)?;
        self.prune(&name)
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{}-{}{SUFFIX}", digest.hex(), self.engine)
    }

    /// Removes what no build can use any more, then the least recently used entries until the folder fits its limit.
    fn prune(&self, keep: &str) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut entries = Vec::new();
        let mut buffer = Vec::with_capacity(16 << 10);
        let listing =
            rustix::fs::openat(&self.folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut listing = RawDir::new(listing, buffer.spare_capacity_mut());
        while let Some(found) = listing.next() {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else { continue };
            let (temporary, entry) = (name.starts_with(TEMPORARY), name.ends_with(SUFFIX));
            if !(temporary || entry) || name == keep {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let used = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
            let other_build = entry && !name.ends_with(&format!("-{}{SUFFIX}", self.engine));
            let stale = now.saturating_sub(used) > STALE;
            if other_build || temporary {
                if stale {
                    let _ = rustix::fs::unlinkat(&self.folder, name, AtFlags::empty());
                }
            } else {
                entries.push((used, u64::try_from(stat.st_size).unwrap_or(0), name.to_owned()));
            }
        }
        let own = rustix::fs::statat(&self.folder, keep, AtFlags::SYMLINK_NOFOLLOW)?;
        let own = u64::try_from(own.st_size).unwrap_or(0);
        let mut total = entries.iter().fold(own, |sum, (_, size, _)| sum.saturating_add(*size));
        entries.sort_unstable();
        for (_, size, name) in entries {
            if total <= self.limit {
                break;
            }
            rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty())?;
            total = total.saturating_sub(size);
        }
        Ok(())
    }
}

/// Marks an entry as used today.
fn mark(file: &File) {
    let now = SystemTime::now();
    let recent = file
        .metadata()
        .and_then(|meta| meta.modified())
        .is_ok_and(|modified| now.duration_since(modified).unwrap_or_default() < MARK_EVERY);
    let Ok(now) = now.duration_since(UNIX_EPOCH) else { return };
    if !recent {
        let time = Timespec { tv_sec: now.as_secs().cast_signed(), tv_nsec: 0 };
        // An entry that cannot be marked is only pruned earlier.
        let _ = rustix::fs::futimens(file, &Timestamps { last_access: time, last_modification: time });
    }
}

/// Tells engines apart whose code does not fit each other.
fn fingerprint(engine: &Engine) -> String {
    /// Feeds a `Hash` into SHA-256: the standard hasher has only 64 bits and may change between Rust versions.
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sha = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut sha);
    sha.write(BUILD.as_bytes());
    let digest: [u8; 32] = sha.0.finalize().into();
    Digest::from_bytes(digest).hex()[..16].to_owned()
}

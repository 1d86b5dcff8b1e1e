//! The installation's key.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use hmac::{Hmac, KeyInit};
use rustix::fs::OFlags;
use sha2::Sha256;

use crate::error::SandboxError;

const LENGTH: usize = 32;

/// 256 random bits that only this installation knows.
pub(crate) struct Key([u8; LENGTH]);

impl Key {
    /// Reads the key, or makes one when there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Key { path: path.to_owned(), source };
        match Self::read(path) {
            Err(SandboxError::Key { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(failed)?;
                // Read back rather than returned: of two processes that start at once, one key wins for both.
                Self::read(path)
            }
            other => other,
        }
    }

    fn read(path: &Path) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Key { path: path.to_owned(), source };
        let refuse = |reason: String| SandboxError::Unsafe { path: path.to_owned(), reason };
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(path)
            .map_err(|error| match error.raw_os_error() {
                Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
                    refuse("it is a symbolic link; delete it to have a new key made".to_owned())
                }
                _ => failed(error),
            })?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(refuse("it is not a regular file; delete it to have a new key made".to_owned()));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse(format!(
                "it belongs to user {}, not to the one that runs this process; delete it to have a new key made",
                meta.uid()
            )));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(refuse(format!(
                "others may read or write it (mode {:03o}); delete it to have a new key made",
                meta.mode() & 0o777
            )));
        }
        if meta.len() != LENGTH as u64 {
            return Err(failed(io::Error::other(format!("it has {} bytes instead of {LENGTH}", meta.len()))));
        }
        let mut key = [0; LENGTH];
        file.read_exact(&mut key).map_err(failed)?;
        Ok(Self(key))
    }

    /// A MAC over nothing yet.
    pub(crate) fn mac(&self) -> io::Result<Hmac<Sha256>> {
        Hmac::new_from_slice(&self.0).map_err(io::Error::other)
    }
}

/// Makes the key appear complete or not at all. One that is already there stays.
fn create(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut bytes = [0; LENGTH + 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let (key, suffix) = bytes.split_at(LENGTH);
    let suffix = suffix.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let temporary = folder.join(format!(".key-{suffix}"));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(key)?;
        file.sync_all()?;
        // A link, unlike a rename, does not replace a key that another process has made meanwhile.
        match std::fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    })();
    let removed = std::fs::remove_file(&temporary);
    written?;
    removed?;
    File::open(folder)?.sync_all()
}

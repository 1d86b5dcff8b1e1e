//! What an artifact holds, wherever it lies.

use std::{
    fs::File,
    io::{self, Seek, Write},
    path::PathBuf,
    sync::Arc,
};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// An artifact's content.
#[derive(Debug)]
pub enum Content {
    /// A file of its own, open, and where it lies.
    File(File, PathBuf),
    /// Few bytes, which stand in the database or are on their way there.
    Small(Arc<[u8]>),
}

impl Content {
    /// A file to read it from. Of a small one it is a file in memory that nobody can change.
    ///
    /// # Errors
    /// When the system has no file to give.
    pub fn into_file(self) -> io::Result<File> {
        match self {
            Self::File(file, _) => Ok(file),
            Self::Small(bytes) => sealed(&bytes),
        }
    }
}

fn sealed(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("trackside-artifact", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(bytes)?;
    file.rewind()?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_small_one_is_read_as_a_file_that_nobody_can_change() {
        let mut file = Content::Small(Arc::from(&b"bytes"[..])).into_file().unwrap();
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), file.metadata().unwrap().len()), ("bytes", 5));
        file.rewind().unwrap();
        assert!(file.write_all(b"other").is_err() && file.set_len(0).is_err());
    }
}

//! One cache file: header, notes (JSON), native code, MAC.
//!
//! ```text
//! 0   8  magic
//! 8   4  length of the notes, little-endian
//! 12  8  length of the code, little-endian
//! 20  …  notes, code
//! -32 32 HMAC-SHA256 over a label, the file's name, and everything before
//! ```

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{
    CODE_LIMIT,
    key::Key,
    native::{Code, CodeWriter},
};

const MAGIC: [u8; 8] = *b"TSCODE\0\x01";
const HEADER: u64 = 20;
const MAC: u64 = 32;
const NOTES_LIMIT: u32 = 2 << 20;
/// Binds the MAC to its purpose.
const LABEL: &[u8] = b"trackside compiled plugin v1\0";

/// A verified entry.
pub(super) struct Entry {
    pub(super) notes: Vec<u8>,
    pub(super) code: Code,
}

/// Why an entry is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum EntryError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its content, or who could have written it, is in doubt.
    #[error("{0}")]
    Doubt(Cow<'static, str>),
}

/// Writes an entry. `name` is the file's final name.
pub(super) fn write(file: &mut File, key: &Key, name: &str, notes: &[u8], code: &Code) -> io::Result<()> {
    let code_length = code.length()?;
    let notes_length = u32::try_from(notes.len()).ok().filter(|length| *length <= NOTES_LIMIT);
    let (Some(notes_length), true) = (notes_length, code_length <= CODE_LIMIT) else {
        return Err(io::Error::other("too large for the cache"));
    };
    let mut header = [0; HEADER as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&notes_length.to_le_bytes());
    header[12..].copy_from_slice(&code_length.to_le_bytes());
    let mut mac = begin(key, name)?;
    let mut put = |part: &[u8]| {
        mac.update(part);
        file.write_all(part)
    };
    put(&header)?;
    put(notes)?;
    code.pieces(&mut put)?;
    file.write_all(&mac.finalize().into_bytes())
}

/// Reads and verifies an entry.
pub(super) fn read(file: &mut File, key: &Key, name: &str) -> Result<Entry, EntryError> {
    let doubt = |words: &'static str| Err(EntryError::Doubt(words.into()));
    let meta = file.metadata()?;
    if !meta.is_file() {
        return doubt("it is not a regular file");
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(EntryError::Doubt(format!("it belongs to user {}", meta.uid()).into()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(EntryError::Doubt(
            format!("others may read or write it (mode {:03o})", meta.mode() & 0o777).into(),
        ));
    }
    if meta.len() < HEADER + MAC {
        return doubt("it is too short");
    }
    let mut header = [0; HEADER as usize];
    file.read_exact(&mut header)?;
    let [m0, m1, m2, m3, m4, m5, m6, m7, n0, n1, n2, n3, c0, c1, c2, c3, c4, c5, c6, c7] = header;
    let notes_length = u32::from_le_bytes([n0, n1, n2, n3]);
    let code_length = u64::from_le_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
    let plausible = [m0, m1, m2, m3, m4, m5, m6, m7] == MAGIC
        && notes_length <= NOTES_LIMIT
        && code_length <= CODE_LIMIT
        && meta.len() == HEADER + u64::from(notes_length) + code_length + MAC;
    if !plausible {
        return doubt("its header does not fit its size");
    }

    let mut mac = begin(key, name)?;
    mac.update(&header);
    let mut notes = vec![0; notes_length as usize];
    file.read_exact(&mut notes)?;
    mac.update(&notes);
    // The MAC runs over exactly the bytes that land in the sealed copy.
    let mut code = CodeWriter::new(code_length);
    let mut buffer = vec![0; 256 << 10];
    let mut left = code_length;
    while left > 0 {
        let chunk = &mut buffer[..left.min(256 << 10) as usize];
        file.read_exact(chunk)?;
        mac.update(chunk);
        code.write(chunk)?;
        left -= chunk.len() as u64;
    }
    let mut tag = [0; MAC as usize];
    file.read_exact(&mut tag)?;
    if mac.verify_slice(&tag).is_err() {
        return doubt("its MAC is wrong: it was damaged, changed, or made with another key");
    }
    Ok(Entry { notes, code: code.seal()? })
}

fn begin(key: &Key, name: &str) -> io::Result<Hmac<Sha256>> {
    let mut mac = key.mac()?;
    mac.update(LABEL);
    mac.update(name.as_bytes());
    mac.update(&[0]);
    Ok(mac)
}

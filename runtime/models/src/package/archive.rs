//! A package as one file: a tar archive of the oldest kind that everybody reads (ustar). First, where it is an export, under which name
//! and number the version was known; then the manifest, where there are any its signatures, then its files in its order.
//!
//! Read with the crate `tar`, but only its headers: links, long names and whatever else later kinds of archives have is refused here,
//! and nothing is ever written where an archive says. Nothing is kept of it in memory but the manifest.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

use serde::{Deserialize, Serialize};
use tar::{Archive, Builder, EntryType, Header};

use super::{FileEntry, Incoming, MANIFEST, Manifest, PackageError, PackageLimits, SIGNATURES, manifest::too_long};

/// What says under which name a version was known, in an export.
const EXPORTED: &str = "export.json";
/// Largest of it.
const MAX_EXPORTED: u64 = 64 << 10;
/// Entries that are no files and are passed over, such as folders.
const MOST_OTHERS: usize = 1024;

/// Under which name a version was known where it was exported. Nobody vouches for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The model's name there.
    pub name: String,
    /// The version's number there.
    pub version: u32,
}

/// What an archive holds besides the files.
#[derive(Debug, PartialEq)]
pub struct Unpacked {
    /// The manifest.
    pub manifest: Manifest,
    /// The bytes of it.
    pub bytes: Vec<u8>,
    /// Signatures, as they stand there: nothing of them is looked at here.
    pub signatures: Option<Vec<u8>>,
}

/// Writes a package: the bytes of its manifest, its signatures, and its files, which `open` opens.
///
/// # Errors
/// [`PackageError::Cut`] when nobody takes it, [`PackageError::Damaged`] when a file is not as long as the manifest says, those of
/// `open`.
pub fn pack(
    exported: Option<&Exported>,
    manifest: &Manifest,
    bytes: &[u8],
    signatures: Option<&[u8]>,
    mut open: impl FnMut(&FileEntry) -> Result<std::fs::File, PackageError>,
    to: impl Write,
) -> Result<(), PackageError> {
    let mut builder = Builder::new(to);
    if let Some(exported) = exported {
        let bytes = serde_json::to_vec(exported).unwrap_or_default();
        append(&mut builder, EXPORTED, bytes.len() as u64, bytes.as_slice())?;
    }
    append(&mut builder, MANIFEST, bytes.len() as u64, bytes)?;
    if let Some(signatures) = signatures {
        append(&mut builder, SIGNATURES, signatures.len() as u64, signatures)?;
    }
    for entry in &manifest.files {
        let mut file = Counted { inner: open(entry)?.take(entry.size), count: 0 };
        append(&mut builder, &entry.path, entry.size, &mut file)?;
        if file.count != entry.size {
            let reason = format!("{} has {} bytes instead of {}", entry.path, file.count, entry.size);
            return Err(PackageError::Damaged { reason });
        }
    }
    builder.into_inner().and_then(|mut to| to.flush()).map_err(PackageError::Cut)
}

fn append(builder: &mut Builder<impl Write>, path: &str, size: u64, from: impl Read) -> Result<(), PackageError> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(|error| PackageError::Name { path: path.to_owned(), reason: error.to_string() })?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    builder.append(&header, from).map_err(PackageError::Cut)
}

struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.count += length as u64;
        Ok(length)
    }
}

/// Reads a package into a folder that is being written. Gives its manifest and its signatures, which are not written there yet.
///
/// # Errors
/// Any [`PackageError`]; what was written so far goes with the folder.
pub fn unpack(from: impl Read, into: &mut Incoming, limits: &PackageLimits) -> Result<Unpacked, PackageError> {
    let wrong = |reason: String| PackageError::Archive { reason };
    let unreadable = |error: std::io::Error| wrong(error.to_string());
    let mut archive = Archive::new(from);
    // As they stand there: no name of one entry is looked for in another.
    let entries = archive.entries().map_err(unreadable)?.raw(true);
    let mut unpacked: Option<Unpacked> = None;
    let mut wanted: BTreeMap<String, FileEntry> = BTreeMap::new();
    let (mut others, mut is_export) = (0, false);
    for entry in entries {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path_bytes().into_owned();
        let path = String::from_utf8(path).map_err(|_| wrong("it holds a name that is no text".to_owned()))?;
        let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory if others < MOST_OTHERS => {
                others += 1;
                continue;
            }
            kind => {
                return Err(wrong(format!(
                    "{path:?} in it is {}; regular files are taken, and nothing else",
                    told(kind)
                )));
            }
        }
        let size = entry.header().entry_size().map_err(unreadable)?;
        let Some(unpacked) = &mut unpacked else {
            if path == EXPORTED && !is_export && size <= MAX_EXPORTED {
                is_export = true;
                continue;
            }
            if path != MANIFEST {
                return Err(wrong(format!("it begins with {path:?} instead of {MANIFEST}")));
            }
            if size > limits.manifest.as_bytes() {
                return Err(too_long(&format!("{MANIFEST} has {size} bytes"), limits));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(PackageError::Cut)?;
            let read = Manifest::read(&bytes, limits)?;
            into.expect(read.bytes())?;
            wanted = read.files.iter().map(|file| (file.path.clone(), file.clone())).collect();
            unpacked = Some(Unpacked { manifest: read, bytes, signatures: None });
            continue;
        };
        if path == SIGNATURES && unpacked.signatures.is_none() && wanted.len() == unpacked.manifest.files.len() {
            limits.check_signatures(size)?;
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(PackageError::Cut)?;
            unpacked.signatures = Some(bytes);
            continue;
        }
        let Some(file) = wanted.remove(&path) else {
            return Err(wrong(format!("{path:?} stands in it twice, or its manifest does not list it")));
        };
        if size != file.size {
            let reason = format!("{path} has {size} bytes instead of {}", file.size);
            return Err(PackageError::Damaged { reason });
        }
        into.take(&file, &mut entry)?;
    }
    let unpacked = unpacked.ok_or_else(|| wrong("it holds nothing".to_owned()))?;
    match wanted.keys().next() {
        None => Ok(unpacked),
        Some(missing) => Err(wrong(format!("it ends before {missing}, which its manifest lists"))),
    }
}

/// Under which name the version in an archive was known; none where the archive does not say.
///
/// # Errors
/// [`PackageError::Archive`] where it is no archive.
pub fn exported_as(from: impl Read) -> Result<Option<Exported>, PackageError> {
    let unreadable = |error: std::io::Error| PackageError::Archive { reason: error.to_string() };
    let mut archive = Archive::new(from);
    let mut entries = archive.entries().map_err(unreadable)?.raw(true);
    let Some(entry) = entries.next() else { return Ok(None) };
    let entry = entry.map_err(unreadable)?;
    if entry.path_bytes().as_ref() != EXPORTED.as_bytes() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    entry.take(MAX_EXPORTED).read_to_end(&mut bytes).map_err(PackageError::Cut)?;
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| PackageError::Archive { reason: format!("{EXPORTED} in it: {error}") })
}

fn told(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a link",
        EntryType::Char | EntryType::Block | EntryType::Fifo => "a device or a pipe",
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
            "a name or an attribute of a later kind of archive"
        }
        EntryType::GNUSparse => "a file with holes",
        EntryType::Directory => "one folder more than may be",
        _ => "of no known kind",
    }
}

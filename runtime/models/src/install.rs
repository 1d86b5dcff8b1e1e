//! Fetching ONNX Runtime: the pinned wheel by the user's own pip, or from a file that was carried to the box.
//!
//! The wheel's digest and the library's digest are part of this program, so it does not matter where the bytes came
//! from. Only the library and its licences are unpacked, into a folder that appears whole or not at all.

mod error;
mod pip;
mod wheel;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use trackside_spec::Digest;

pub use error::InstallError;

/// The version that is installed.
pub const PINNED_VERSION: &str = "1.32.0";

/// What is pinned for one processor.
struct Pin {
    arch: &'static str,
    /// SHA-256 of `onnxruntime-1.32.0-cp311-cp311-manylinux_2_28_ARCH.whl` on PyPI.
    wheel: [u8; 32],
    /// SHA-256 of `onnxruntime/capi/libonnxruntime.so.1.32.0` in it.
    library: [u8; 32],
}

const PINS: [Pin; 2] = [
    Pin {
        arch: "x86_64",
        wheel: hex("5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d"),
        library: hex("6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f"),
    },
    Pin {
        arch: "aarch64",
        wheel: hex("2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c"),
        library: hex("49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a"),
    },
];

/// Bytes of 64 hexadecimal digits; a wrong digit does not compile.
const fn hex(text: &str) -> [u8; 32] {
    const fn nibble(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("not a hexadecimal digit"),
        }
    }
    let text = text.as_bytes();
    let mut bytes = [0; 32];
    let mut index = 0;
    while index < 32 {
        bytes[index] = nibble(text[2 * index]) << 4 | nibble(text[2 * index + 1]);
        index += 1;
    }
    bytes
}

fn pin() -> Result<&'static Pin, InstallError> {
    let arch = std::env::consts::ARCH;
    let fits = cfg!(all(target_os = "linux", target_env = "gnu"));
    PINS.iter()
        .find(|pin| fits && pin.arch == arch)
        .ok_or(InstallError::Unsupported { system: format!("{} on {arch}", std::env::consts::OS) })
}

/// The digest that the pinned library must have on this box.
pub(crate) fn pinned_library_digest() -> Option<Digest> {
    pin().ok().map(|pin| Digest::from_bytes(pin.library))
}

/// Where the pinned version lies below a data folder.
pub(crate) fn engine_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("engine").join(format!("onnxruntime-{PINNED_VERSION}"))
}

/// What there is after an installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The library.
    pub library: PathBuf,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// Whether it was there already and nothing was done.
    pub already_there: bool,
}

/// What an installation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// pip is downloading about 24 MB.
    Downloading,
    /// The wheel's digest is compared.
    Verifying,
    /// The library is unpacked and flushed to disk.
    Unpacking,
}

/// Fetches the pinned wheel with `python -m pip download` and installs the library from it below `data_dir`. Does
/// nothing when it is there and undamaged.
///
/// # Errors
/// Any [`InstallError`]; what was installed before is still there then.
pub fn install_onnxruntime(
    data_dir: &Path,
    python: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Installed, InstallError> {
    let pin = pin()?;
    if let Some(installed) = installed(data_dir, pin) {
        return Ok(installed);
    }
    let staging = Staging::new(data_dir)?;
    progress(Progress::Downloading);
    let wheel = pip::download(python, pin.arch, staging.path())?;
    from_wheel(data_dir, &wheel, pin, &staging, progress)
}

/// Installs from a wheel that is on the box already: the same file that [`install_onnxruntime`] would fetch.
///
/// # Errors
/// Any [`InstallError`]; what was installed before is still there then.
pub fn install_onnxruntime_from(
    data_dir: &Path,
    wheel: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Installed, InstallError> {
    let pin = pin()?;
    if let Some(installed) = installed(data_dir, pin) {
        return Ok(installed);
    }
    let staging = Staging::new(data_dir)?;
    from_wheel(data_dir, wheel, pin, &staging, progress)
}

/// The name of the wheel that fits this box, for messages and for those who carry it there.
///
/// # Errors
/// [`InstallError::Unsupported`] where there is none.
pub fn wheel_name() -> Result<String, InstallError> {
    pin().map(|pin| wheel_file_name(pin.arch))
}

fn wheel_file_name(arch: &str) -> String {
    format!("onnxruntime-{PINNED_VERSION}-cp311-cp311-manylinux_2_28_{arch}.whl")
}

fn library_name() -> String {
    format!("libonnxruntime.so.{PINNED_VERSION}")
}

/// What is installed, if it is whole.
fn installed(data_dir: &Path, pin: &Pin) -> Option<Installed> {
    let library = engine_dir(data_dir).join(library_name());
    let digest = read_digest(&library).ok().filter(|digest| *digest == Digest::from_bytes(pin.library))?;
    Some(Installed { library, version: PINNED_VERSION.to_owned(), digest, already_there: true })
}

fn from_wheel(
    data_dir: &Path,
    wheel: &Path,
    pin: &Pin,
    staging: &Staging,
    progress: &mut dyn FnMut(Progress),
) -> Result<Installed, InstallError> {
    progress(Progress::Verifying);
    expect_digest(wheel, pin.wheel)?;
    progress(Progress::Unpacking);
    let unpacked = staging.path().join("new");
    wheel::unpack(wheel, &unpacked, &library_name())?;
    expect_digest(&unpacked.join(library_name()), pin.library)?;
    let target = engine_dir(data_dir);
    // A folder cannot be renamed over a full one: the damaged or partial one goes aside first.
    if target.symlink_metadata().is_ok() {
        let aside = staging.path().join("old");
        fs::rename(&target, &aside).map_err(|error| InstallError::io("move aside", &target, error))?;
    }
    fs::rename(&unpacked, &target).map_err(|error| InstallError::io("put into place", &target, error))?;
    let parent = target.parent().unwrap_or(data_dir);
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| InstallError::io("flush", parent, error))?;
    let library = target.join(library_name());
    let digest = Digest::from_bytes(pin.library);
    Ok(Installed { library, version: PINNED_VERSION.to_owned(), digest, already_there: false })
}

fn expect_digest(path: &Path, expected: [u8; 32]) -> Result<(), InstallError> {
    let found = read_digest(path).map_err(|error| InstallError::io("read", path, error))?;
    let expected = Digest::from_bytes(expected);
    if found == expected { Ok(()) } else { Err(InstallError::Digest { path: path.to_owned(), expected, found }) }
}

/// The digest of a file, streamed.
pub(crate) fn read_digest(path: &Path) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut Hasher(&mut hasher))?;
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

struct Hasher<'a>(&'a mut Sha256);

impl io::Write for Hasher<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A folder beside the target, on the same file system, that goes away whatever happens. One installation at a time
/// holds the lock, so leftovers of a power cut are nobody's and are removed.
struct Staging {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Staging {
    fn new(data_dir: &Path) -> Result<Self, InstallError> {
        const PREFIX: &str = ".installing-";
        // Absolute, because pip runs in another folder.
        let parent = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned()).join("engine");
        fs::create_dir_all(&parent).map_err(|error| InstallError::io("create", &parent, error))?;
        let lock = parent.join(".lock");
        let held = File::create(&lock).map_err(|error| InstallError::io("create", &lock, error))?;
        held.try_lock().map_err(|_| InstallError::Busy { lock: lock.clone() })?;
        for leftover in fs::read_dir(&parent).into_iter().flatten().flatten() {
            if leftover.file_name().to_string_lossy().starts_with(PREFIX) {
                fs::remove_dir_all(leftover.path())
                    .map_err(|error| InstallError::io("remove", &leftover.path(), error))?;
            }
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent);
        let folder = folder.map_err(|error| InstallError::io("create a folder in", &parent, error))?;
        Ok(Self { folder, _lock: held })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

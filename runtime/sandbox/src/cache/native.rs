//! Turning verified native code into a component or module: the crate's only `unsafe`.
//!
//! wasmtime cannot check native code; its contract is that the bytes were made by the same version of it and that
//! nobody changes them while they are mapped. [`Code`] carries both promises in its type: a value of it is made only
//! from bytes that this process has just compiled ([`trust_compiler`]), that a process of this very program has compiled for
//! it ([`trust_worker`]), or while a MAC was computed over them (a [`CodeWriter`] that `entry::read` seals *after* the MAC
//! was found right), and its bytes live in memory that cannot be written any more.

#![expect(unsafe_code, reason = "wasmtime loads native code only through unsafe functions; argued at each call")]

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::fs::FileExt},
};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use wasmtime::{Engine, Module, component::Component};

/// Native code that may be executed. Not `Clone`, not constructible outside this module.
pub(crate) struct Code(Bytes);

enum Bytes {
    /// A memory file, sealed against writing, growing and shrinking. The engine maps it, so only touched pages count.
    Sealed(File),
    /// Where memory files are not to be had: a private copy.
    Private(Vec<u8>),
}

/// Collects code before it is trusted.
pub(super) struct CodeWriter(Bytes);

impl CodeWriter {
    /// For code of this length.
    pub(super) fn new(length: u64) -> Self {
        match memfd_create("trackside-code", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING) {
            Ok(fd) => Self(Bytes::Sealed(fd.into())),
            Err(_) => Self(Bytes::Private(Vec::with_capacity(usize::try_from(length).unwrap_or(0)))),
        }
    }

    pub(super) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Bytes::Sealed(file) => file.write_all(chunk),
            Bytes::Private(bytes) => bytes.write_all(chunk),
        }
    }

    /// Ends the writing for good. To be called only when the bytes were found trustworthy.
    pub(super) fn seal(self) -> io::Result<Code> {
        if let Bytes::Sealed(file) = &self.0 {
            fcntl_add_seals(file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        }
        Ok(Code(self.0))
    }
}

impl Code {
    /// Its length in bytes.
    pub(super) fn length(&self) -> io::Result<u64> {
        match &self.0 {
            Bytes::Sealed(file) => Ok(file.metadata()?.len()),
            Bytes::Private(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Gives it out piece by piece.
    pub(super) fn pieces(&self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let file = match &self.0 {
            Bytes::Sealed(file) => file,
            Bytes::Private(bytes) => return take(bytes),
        };
        let mut buffer = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let count = file.read_at(&mut buffer, offset)?;
            if count == 0 {
                return Ok(());
            }
            take(&buffer[..count])?;
            offset += count as u64;
        }
    }
}

/// Bytes that are copied at a time.
const PIECE: usize = 256 << 10;

/// Accepts what `engine` has just compiled in this process: a component, or a core module.
pub(crate) fn trust_compiler(engine: &Engine, wasm: &[u8], is_module: bool) -> wasmtime::Result<Code> {
    let bytes = if is_module { engine.precompile_module(wasm)? } else { engine.precompile_component(wasm)? };
    let mut writer = CodeWriter::new(bytes.len() as u64);
    writer.write(&bytes)?;
    Ok(writer.seal()?)
}

/// Accepts what a compile worker gives: `compile::parent` started it from this very program, gave it only bytes to read,
/// and holds the only other end of the pipe `source`. It must give exactly `length` bytes.
pub(crate) fn trust_worker(source: &mut dyn Read, length: u64) -> io::Result<Code> {
    let mut writer = CodeWriter::new(length);
    let mut buffer = vec![0; PIECE];
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        source.read_exact(&mut buffer[..wanted])?;
        writer.write(&buffer[..wanted])?;
        left -= wanted as u64;
    }
    writer.seal()
}

/// What native code can be loaded as. wasmtime itself refuses code of another kind, version or settings.
pub(crate) trait Loadable: Sized {
    /// # Safety
    /// The file's content must come from wasmtime's compiler and never change.
    unsafe fn map(engine: &Engine, path: &str) -> wasmtime::Result<Self>;

    /// # Safety
    /// The bytes must come from wasmtime's compiler.
    unsafe fn copy(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Self>;
}

impl Loadable for Component {
    unsafe fn map(engine: &Engine, path: &str) -> wasmtime::Result<Self> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { Self::deserialize_file(engine, path) }
    }

    unsafe fn copy(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Self> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { Self::deserialize(engine, bytes) }
    }
}

impl Loadable for Module {
    unsafe fn map(engine: &Engine, path: &str) -> wasmtime::Result<Self> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { Self::deserialize_file(engine, path) }
    }

    unsafe fn copy(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Self> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { Self::deserialize(engine, bytes) }
    }
}

/// Loads code.
pub(crate) fn load<T: Loadable>(engine: &Engine, code: &Code) -> wasmtime::Result<T> {
    match &code.0 {
        Bytes::Sealed(file) => {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            // SAFETY: the bytes come from this engine's compiler or carried a valid MAC of an entry that it wrote (see
            // `Code`). The path names the memory file that `file` keeps open, not a file on disk, and its seals forbid
            // every later write, so they do not change while they are mapped.
            let mapped = unsafe { T::map(engine, &path) };
            mapped.or_else(|mapping| {
                // Without /proc, or under a policy against executable memory files, a private copy does as well.
                let bytes = read_all(file).map_err(|_| mapping)?;
                deserialize(engine, &bytes)
            })
        }
        Bytes::Private(bytes) => deserialize(engine, bytes),
    }
}

fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn deserialize<T: Loadable>(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<T> {
    // SAFETY: only called with the bytes of a `Code` (see there); wasmtime copies them before it uses them.
    unsafe { T::copy(engine, bytes) }
}

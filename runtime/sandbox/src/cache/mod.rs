//! Compiled code on disk: made once per component and engine, authenticated before it is used.
//!
//! A compiled plugin is native code that the process will jump into, so a file counts only with a valid
//! HMAC-SHA256 under this installation's key. What is verified is what is executed: the bytes are copied into a sealed
//! memory file while the MAC runs over them, and the engine maps that memory file, never the one on disk. Every doubt
//! ends in a fresh compilation.
//!
//! - `key`: the installation's key
//! - `entry`: the file format and its verification
//! - `folder`: names, look-up, atomic writes, pruning
//! - `native`: the only `unsafe` code of the crate

mod entry;
mod folder;
mod key;
mod native;

pub(crate) use folder::{CodeCache, Lookup};
pub(crate) use native::{Code, load, trust_compiler, trust_worker};

/// Largest native code of one plugin, in bytes.
pub(crate) const CODE_LIMIT: u64 = 1 << 30;

//! A model as it is kept, moved and signed: its files, and a manifest that says all about them.
//!
//! - `manifest`: what the manifest says, and its form
//! - `limits`, `path`: how much a package may be, and what a file in one may be called
//! - `draft`: a file or folder that somebody gives, read into the list of what belongs to the model
//! - `folder`: packages on the disk: written whole or not at all, found, removed
//! - `archive`: one file of it all, on a stick or on the way to a node
//! - `triton`: the layout of Triton's model repository
//!
//! It knows no registry: which version a package is, is somebody else's business.

mod archive;
mod draft;
mod error;
mod folder;
mod limits;
mod manifest;
mod path;
mod triton;

pub use archive::{Exported, Unpacked, exported_as, pack, unpack};
pub use draft::{About, Draft, DraftFile, GOLDEN, MODEL};
pub use error::PackageError;
pub use folder::{Incoming, Kept, Shelf, expect_room};
pub use limits::PackageLimits;
pub use manifest::{FileEntry, MANIFEST, Manifest, SIGNATURES, Signature};
pub use path::check as check_path;
#[cfg(fuzzing)]
pub(crate) use triton::triton_config;
pub use triton::{Labels, TritonVersion, triton_versions};

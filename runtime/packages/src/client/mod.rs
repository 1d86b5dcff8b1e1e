//! A registry's client: what of the OCI distribution protocol pulling and pushing components needs.
//!
//! - `access`: how a registry is reached and who we are there
//! - `transport`: one request over one connection, with limits and deadlines
//! - `auth`: what a registry asks for before it answers
//! - `session`: requests with what `auth` found out, redirects of downloads
//! - `manifest`: what a registry keeps about a component
//! - `pull`, `push`: the two directions
//! - `model`: models, which are pulled file by file

mod access;
mod auth;
mod manifest;
mod model;
mod pull;
mod push;
mod session;
mod transport;

pub use access::{Access, Password};
pub use manifest::WasmConfig;
pub(crate) use manifest::{Blob, Manifest};
pub use model::{RemoteFile, RemoteModel};
pub use pull::Component;
pub use push::Pushed;
pub use session::RegistryClient;

/// Largest component that is pulled or pushed, in bytes; the sandbox loads no larger one.
pub const LIMIT: u64 = 64 << 20;

//! Where plugins and models come from: registries, signatures, the project's lock file, and the folder of what is installed.
//!
//! The node reads the lock file and the installed components ([`Lock`], [`Installed`]) and checks signatures against the
//! keys of its config ([`Keyring`]); it never calls a registry. The command line pulls and pushes ([`RegistryClient`]), signs
//! ([`SigningKey`]) and changes what is installed ([`Installer`]). This room may never run or compile a component, never
//! take a byte from outside whose digest it did not compute, and never send a password to any place but the registry
//! that it is for.
//!
//! - `client`: the registry's protocol, over connections of its own
//! - `signature`: keys, detached signatures, signatures in cosign's layout
//! - `oms`: signatures of models, as OpenSSF Model Signing has them
//! - `model_signatures`: the signatures that are kept with a version of a model
//! - `store`: the lock file, the content-addressed folder, changes that happen whole or not at all

mod client;
mod error;
mod model_signatures;
pub mod oms;
mod signature;
mod store;

pub use client::{Access, Component, LIMIT, Password, Pushed, RegistryClient, RemoteFile, RemoteModel, WasmConfig};
pub use error::{InstallError, RegistryError};
pub use model_signatures::{ModelSignature, ModelSignatures, ModelSigner, SignedModel};
pub use signature::{
    Algorithm, Curve, KeyError, KeyFault, Keyring, Proof, PublicKey, SIGNATURE_SUFFIX, SigningKey, Verdict,
};
pub use store::{Installed, Installer, LOCK_FILE, Lock, LockError, Locked, NewPlugin, Receipt, Source};

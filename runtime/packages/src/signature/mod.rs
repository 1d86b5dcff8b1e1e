//! Who vouches for a component: signatures over its digest, checked offline against the keys of the config.
//!
//! - `key`: Ed25519 and ECDSA P-256 keys in PEM files
//! - `proof`: the two forms that a signature comes in, and what each of them proves
//! - `keyring`: the keys whose signatures count
//! - `cosign`: the layout in which cosign keeps signatures in a registry

mod cosign;
mod key;
mod keyring;
mod proof;

pub(crate) use cosign::{SIGNATURE_ANNOTATION, SIGNATURE_LAYER, payload, signature_config};
pub use key::{Algorithm, KeyError, KeyFault, PublicKey, SigningKey};
pub use keyring::{Keyring, Verdict};
pub use proof::{Proof, SIGNATURE_SUFFIX};

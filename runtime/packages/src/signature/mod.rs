//! Who vouches for a component: signatures over its digest, checked offline against the keys of the config.
//!
//! - `key`: Ed25519 and ECDSA keys in PEM files
//! - `curve`: P-256, P-384 and P-521
//! - `proof`: the two forms that a signature comes in, and what each of them proves
//! - `keyring`: the keys whose signatures count
//! - `cosign`: the layout in which cosign keeps signatures in a registry

mod cosign;
mod curve;
mod key;
mod keyring;
mod proof;

pub(crate) use cosign::{SIGNATURE_ANNOTATION, SIGNATURE_LAYER, payload, signature_config};
pub use curve::Curve;
pub use key::{Algorithm, KeyError, KeyFault, PublicKey, SigningKey};
pub use keyring::{Keyring, Verdict};
pub use proof::{Proof, SIGNATURE_SUFFIX};

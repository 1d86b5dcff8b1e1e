//! OpenSSF Model Signing 1.0: whether somebody whose key counts vouches for a model's files.
//!
//! A signature is a Sigstore bundle around a DSSE envelope around an in-toto statement that lists the model's files with their
//! digests. It is checked offline, with the keys that the box has; transparency logs and certificates are not asked.
//!
//! - `key`: ECDSA keys on P-256, P-384 and P-521, those that the standard wants
//! - `bundle`: the bundle and the envelope, and what of them is signed
//! - `statement`: what is said of the files, and whether files are what is said

mod bundle;
mod key;
mod statement;

pub use bundle::{OmsError, Signed, sign, verify};
pub use key::{Curve, OmsKey, OmsSigner};
pub use statement::{Files, SignedFile};

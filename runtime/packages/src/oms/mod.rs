//! Signatures of models as OpenSSF Model Signing 1.0 has them: a Sigstore bundle with a DSSE envelope with an in-toto statement that
//! names every file and its digest. Signed with a key; what certificates and identities sign is refused by name.
//!
//! - `bundle`: the bundle and the envelope, and what of them is signed
//! - `statement`: what is said of the files, and whether files are what is said
//! - `paths`: what a file may be called, and parts of files
//! - `error`: why a signature does not count

mod bundle;
mod error;
mod paths;
mod statement;

pub(crate) use bundle::encoded;
pub use bundle::{Bundle, LARGEST_BUNDLE, Signed, sign};
pub use error::OmsError;
pub(crate) use paths::shown;
pub use statement::{Files, ReadSeek, SignedFile};

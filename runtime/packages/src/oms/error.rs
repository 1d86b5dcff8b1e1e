//! Why a model's signature does not count.

use std::io;

use trackside_codes::{Code, Coded, code};

use super::paths::shown;
use crate::signature::{KeyError, KeyFault, PublicKey};

/// Digits of a key's name that a message shows.
const SHOWN: usize = 16;

/// Why a model's signature does not count, or none could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OmsError {
    /// It is none.
    #[error(
        "[{code}] this is no signature of OpenSSF Model Signing: {reason}; sign the model again with `trackside model sign`, or with \
         `model_signing sign key`", code = self.code()
    )]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It was made in a way that is not checked here.
    #[error(
        "[{code}] the model's signature {how}, which is not checked here; sign the model with a key (P-256, P-384 or P-521) and SHA-256",
        code = self.code()
    )]
    Method {
        /// What it does.
        how: String,
    },
    /// No key that counts has made it.
    #[error(
        "[{code}] the model's signature{hint} is by none of the keys that count here ({keys}), or what it signs was changed afterwards; \
         sign the model with one of them, or add the signer's key to [policy] model_keys", code = self.code()
    )]
    NoKey {
        /// The key that it names, as ` (key e845…)`.
        hint: String,
        /// Those that count.
        keys: String,
    },
    /// It names a file by a path that leads elsewhere.
    #[error(
        "[{code}] the signature names {path:?}, which is no path within the model; nothing is looked for there: find out who made it, \
         and sign the model again", code = self.code()
    )]
    Path {
        /// The path.
        path: String,
    },
    /// A file is not there.
    #[error(
        "[{code}] the signature names {path:?}, and the model has no such file; add the folder as it was signed, or sign what is added",
        code = self.code()
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// A file is another one.
    #[error(
        "[{code}] {path:?} has another content than when the model was signed; find out who changed it, and take the file that was \
         signed, or sign the model again", code = self.code()
    )]
    Other {
        /// The file, or the part of it.
        path: String,
    },
    /// A file is not signed.
    #[error(
        "[{code}] {path:?} is part of the model, and the signature does not name it; take it away, or sign the model with it",
        code = self.code()
    )]
    NotNamed {
        /// The file.
        path: String,
    },
    /// What is said of the files is not signed.
    #[error(
        "[{code}] {what}, and a signature over the files does not say so; sign what is said of them, too: `trackside model export --sign`, \
         and import that", code = self.code()
    )]
    Beyond {
        /// What is said.
        what: String,
    },
    /// There is none, and there must be one.
    #[error(
        "[{code}] {what} is not signed, and signed_models in [policy] of trackside.toml takes signed models only: {reason}; sign it \
         with one of the keys that count (`trackside model sign`), and add it with its signature", code = self.code()
    )]
    NotSigned {
        /// The model.
        what: String,
        /// What there is instead.
        reason: String,
    },
    /// A file can not be read.
    #[error("[{code}] cannot read {path:?} to check the model's signature: {source}", code = self.code())]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A key of the config can not be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key does not sign.
    #[error("[{code}] the model is not signed: {0}", code = self.code())]
    Fault(#[from] KeyFault),
}

impl OmsError {
    pub(super) fn says(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into() }
    }

    /// None of these keys has made a signature; `hint` is the key that it says has.
    pub(crate) fn by_nobody(keys: &[(String, PublicKey)], hint: Option<&str>) -> Self {
        let names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
        let keys = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
        let short = |hint: &str| shown(hint).chars().take(SHOWN).collect::<String>();
        Self::NoKey { hint: hint.map(|hint| format!(" (key {}…)", short(hint))).unwrap_or_default(), keys }
    }

    pub(super) fn method(how: impl Into<String>) -> Self {
        Self::Method { how: how.into() }
    }
}

impl Coded for OmsError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed { .. } => code!("TS-0590"),
            Self::Method { .. } => code!("TS-0591"),
            Self::NoKey { .. } => code!("TS-0592"),
            Self::Path { .. } => code!("TS-0593"),
            Self::Missing { .. } | Self::Other { .. } | Self::NotNamed { .. } | Self::Beyond { .. } => code!("TS-0594"),
            Self::NotSigned { .. } => code!("TS-0595"),
            Self::Read { .. } => code!("TS-0562"),
            Self::Key(error) => error.code(),
            Self::Fault(error) => error.code(),
        }
    }
}

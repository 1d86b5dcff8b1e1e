//! The bundle, the envelope in it, and what of them is signed.

use std::{collections::BTreeSet, io};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_codes::{Code, Coded, code};

use super::{
    key::{OmsKey, OmsSigner},
    statement::{Files, Statement},
};
use crate::signature::KeyFault;

/// How the kinds of bundles begin that are read: 0.1 to 0.3.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The kind that is written.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What is in the envelope.
const PAYLOAD: &str = "application/vnd.in-toto+json";
/// Largest bundle.
const LARGEST: usize = 32 << 20;

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OmsError {
    /// It is none.
    #[error("[{code}] this is no signature of OpenSSF Model Signing: {reason}", code = self.code())]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It was made in a way that is not checked here.
    #[error("[{code}] the model is signed {how}, which is not checked here; sign it with a key", code = self.code())]
    Method {
        /// How it was made.
        how: &'static str,
    },
    /// No key that counts has made it.
    #[error("[{code}] none of the {keys} keys that count has made this signature, or it was changed", code = self.code())]
    NoKey {
        /// How many there are.
        keys: usize,
    },
    /// It names a file by a path that leads elsewhere.
    #[error("[{code}] the signature names {path:?}, which is no path within the model", code = self.code())]
    Path {
        /// The path.
        path: String,
    },
    /// A file is not there.
    #[error("[{code}] the signature names {path:?}, and the model has no such file", code = self.code())]
    Missing {
        /// The file.
        path: String,
    },
    /// A file is another one.
    #[error("[{code}] {path:?} has another content than when it was signed", code = self.code())]
    Other {
        /// The file, or the part of it.
        path: String,
    },
    /// A file is not signed.
    #[error("[{code}] {path:?} is part of the model, and the signature does not name it", code = self.code())]
    NotNamed {
        /// The file.
        path: String,
    },
    /// A file can not be read.
    #[error("[{code}] {path:?} can not be read: {error}", code = self.code())]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// The key does not sign.
    #[error("[{code}] the model is not signed: {0}", code = self.code())]
    Key(#[from] KeyFault),
}

impl OmsError {
    pub(super) fn says(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into() }
    }
}

impl Coded for OmsError {
    fn code(&self) -> Code {
        match self {
            Self::Malformed { .. } => code!("TS-0590"),
            Self::Method { .. } => code!("TS-0591"),
            Self::NoKey { .. } => code!("TS-0592"),
            Self::Path { .. } => code!("TS-0593"),
            Self::Missing { .. } | Self::Other { .. } | Self::NotNamed { .. } => code!("TS-0594"),
            Self::Read { .. } => code!("TS-0595"),
            Self::Key(error) => error.code(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

/// Keys of it that are not known say nothing of the files.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Value>,
    #[serde(default)]
    tlog_entries: Vec<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Signature {
    sig: String,
    #[serde(default)]
    keyid: Option<String>,
}

/// A signature that a key that counts has made.
#[derive(Debug)]
pub struct Signed {
    statement: Statement,
    /// Which of the keys.
    pub key: OmsKey,
}

impl Signed {
    /// Whether a model's files are those that were signed. `beside` are files that are no part of it, the signature itself first of all.
    ///
    /// # Errors
    /// The first file that is missing, other, or not named.
    pub fn covers(&self, files: &dyn Files, beside: &BTreeSet<String>) -> Result<(), OmsError> {
        self.statement.covers(files, beside)
    }
}

/// What is signed: DSSE's encoding of the payload with its type.
fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Reads a signature and checks it with the keys that count.
///
/// # Errors
/// When it is none, was made in another way, or none of the keys has made it.
pub fn verify(bundle: &[u8], keys: &[OmsKey]) -> Result<Signed, OmsError> {
    if bundle.len() > LARGEST {
        return Err(OmsError::says(format!("it has {} bytes, and at most {LARGEST} are read", bundle.len())));
    }
    let bundle: Bundle = serde_json::from_slice(bundle).map_err(|error| OmsError::says(error.to_string()))?;
    if !bundle.media_type.starts_with(BUNDLE) {
        return Err(OmsError::says("it is no bundle of Sigstore"));
    }
    let Material { public_key, x509_certificate_chain, certificate, .. } = &bundle.verification_material;
    match (public_key, x509_certificate_chain, certificate) {
        (Some(_), None, None) => {}
        (None, Some(_), None) => return Err(OmsError::Method { how: "with a certificate" }),
        (None, None, Some(_)) => return Err(OmsError::Method { how: "with an identity of Sigstore" }),
        _ => return Err(OmsError::says("it says not, or in several ways, how it is to be checked")),
    }
    let envelope = &bundle.dsse_envelope;
    if envelope.payload_type != PAYLOAD {
        return Err(OmsError::says("what is signed is no statement of in-toto"));
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(OmsError::says("it must have one signature"));
    };
    let decoded = |text: &str, what: &str| {
        STANDARD.decode(text).map_err(|_| OmsError::says(format!("its {what} is no base64")))
    };
    let payload = decoded(&envelope.payload, "payload")?;
    let signature = decoded(&signature.sig, "signature")?;
    let message = encoded(&envelope.payload_type, &payload);
    // Before anything of it is believed.
    let key = keys.iter().find(|key| key.verifies(&message, &signature)).ok_or(OmsError::NoKey { keys: keys.len() })?;
    let statement: Statement = serde_json::from_slice(&payload).map_err(|error| OmsError::says(error.to_string()))?;
    statement.check()?;
    Ok(Signed { statement, key: key.clone() })
}

/// Signs a model's files; `name` is the model's, for people. Gives the bundle.
///
/// # Errors
/// When a file can not be read, or the system has no randomness.
pub fn sign(name: &str, files: &dyn Files, signer: &OmsSigner) -> Result<Vec<u8>, OmsError> {
    let statement = Statement::of(name, files)?;
    let payload = serde_json::to_vec(&statement).map_err(|error| OmsError::says(error.to_string()))?;
    let signature = signer.sign(&encoded(PAYLOAD, &payload))?;
    let bundle = Bundle {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: Material {
            public_key: Some(serde_json::json!({ "hint": signer.public().hint() })),
            ..Material::default()
        },
        dsse_envelope: Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD.to_owned(),
            signatures: vec![Signature { sig: STANDARD.encode(signature), keyid: Some(String::new()) }],
        },
    };
    serde_json::to_vec_pretty(&bundle).map_err(|error| OmsError::says(error.to_string()))
}

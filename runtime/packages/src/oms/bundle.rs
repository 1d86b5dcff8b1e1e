//! The bundle, the envelope in it, and what of them is signed.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    OmsError,
    paths::shown,
    statement::{Files, Statement},
};
use crate::signature::{Algorithm, PublicKey, SigningKey};

/// How the kinds of bundles begin that are read.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// The kind that is written.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What is in the envelope.
const PAYLOAD: &str = "application/vnd.in-toto+json";
/// Largest bundle, in bytes: some thousands of files, or parts of files, fewer the longer their names are.
pub const LARGEST_BUNDLE: u64 = 2 << 20;

/// What a file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
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

/// A bundle that was made with a key. Nothing in it is believed yet.
#[derive(Debug)]
pub struct Bundle {
    hint: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What a key that counts has signed.
#[derive(Debug)]
pub struct Signed {
    statement: Statement,
}

impl Bundle {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or was made in another way than with a key.
    pub fn read(bytes: &[u8]) -> Result<Self, OmsError> {
        if bytes.len() as u64 > LARGEST_BUNDLE {
            return Err(OmsError::says(format!("it has {} bytes, and at most {LARGEST_BUNDLE} are read", bytes.len())));
        }
        let document: Document = serde_json::from_slice(bytes).map_err(|error| OmsError::says(error.to_string()))?;
        if !document.media_type.starts_with(BUNDLE) {
            return Err(OmsError::says(format!("it is {:?}, and no bundle of Sigstore", shown(&document.media_type))));
        }
        let Material { public_key, x509_certificate_chain, certificate, .. } = document.verification_material;
        let key = match (public_key, x509_certificate_chain, certificate) {
            (Some(key), None, None) => key,
            (None, Some(_), None) => return Err(OmsError::method("was made with a certificate")),
            (None, None, Some(_)) => {
                return Err(OmsError::method("was made with an identity of Sigstore, without a key"));
            }
            _ => return Err(OmsError::says("it says not, or in several ways, how it is to be checked")),
        };
        let envelope = document.dsse_envelope;
        if envelope.payload_type != PAYLOAD {
            let kind = shown(&envelope.payload_type);
            return Err(OmsError::says(format!("what is signed is {kind:?}, and no statement of in-toto")));
        }
        let [signature] = envelope.signatures.as_slice() else {
            return Err(OmsError::says(format!("it has {} signatures instead of one", envelope.signatures.len())));
        };
        let decoded = |text: &str, what: &str| {
            STANDARD.decode(text).map_err(|_| OmsError::says(format!("its {what} is no base64")))
        };
        Ok(Self {
            hint: key.get("hint").and_then(Value::as_str).map(str::to_owned),
            payload: decoded(&envelope.payload, "payload")?,
            signature: decoded(&signature.sig, "signature")?,
        })
    }

    /// Which of the keys has made it, and what it says then; each key with its name.
    ///
    /// # Errors
    /// When none has, or what was signed is no statement that can be held against files.
    pub fn by<'k>(&self, keys: &'k [(String, PublicKey)]) -> Result<(&'k (String, PublicKey), Signed), OmsError> {
        let message = encoded(PAYLOAD, &self.payload);
        let is_by =
            |key: &PublicKey| matches!(key.algorithm(), Algorithm::Ecdsa(_)) && key.verifies(&message, &self.signature);
        // Before anything of it is believed.
        let key = keys.iter().find(|(_, key)| is_by(key));
        let key = key.ok_or_else(|| OmsError::by_nobody(keys, self.hint()))?;
        Ok((key, self.unproved()?))
    }

    /// What it says, whoever has said so.
    ///
    /// # Errors
    /// When that is no statement that can be held against files.
    pub fn unproved(&self) -> Result<Signed, OmsError> {
        let statement: Statement =
            serde_json::from_slice(&self.payload).map_err(|error| OmsError::says(error.to_string()))?;
        statement.check()?;
        Ok(Signed { statement })
    }

    /// The name of the key that it says has made it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Signed {
    /// Whether a model's files are those that were signed, all of them and no others.
    ///
    /// # Errors
    /// The first file that is missing, other, or not named.
    pub fn covers(&self, files: &dyn Files) -> Result<(), OmsError> {
        self.statement.covers(files)
    }

    /// The files that were signed. `itself` is the one that is meant where it is about one and says no name.
    #[must_use]
    pub fn paths(&self, itself: &str) -> BTreeSet<String> {
        self.statement.paths(itself)
    }

    /// How many files were signed.
    #[must_use]
    pub fn files(&self) -> usize {
        self.statement.paths("").len()
    }

    /// The digest in hexadecimal digits that each file must have, by its path; nothing where files were signed in parts. `itself` is
    /// the file that is meant where it is about one and says no name.
    #[must_use]
    pub fn digests(&self, itself: &str) -> Option<BTreeMap<String, String>> {
        self.statement.digests(itself)
    }

    /// Whether the signer has left this path out, on purpose.
    #[must_use]
    pub fn leaves_out(&self, path: &str) -> bool {
        self.statement.leaves_out(path)
    }
}

/// What is signed: DSSE's encoding of the payload with its type.
pub(crate) fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Signs a model's files; `name` is the model's, for people, and `left_out` what lies beside the files and is no part of the model. Gives
/// the bundle.
///
/// # Errors
/// When a file can not be read, the key is of another kind, or the system has no randomness.
pub fn sign(name: &str, files: &dyn Files, left_out: &[String], key: &SigningKey) -> Result<Vec<u8>, OmsError> {
    if key.public().algorithm() == Algorithm::Ed25519 {
        return Err(OmsError::method("would be by an Ed25519 key"));
    }
    let statement = Statement::of(name, files, left_out)?;
    let payload = serde_json::to_vec(&statement).map_err(|error| OmsError::says(error.to_string()))?;
    let signature = key.sign(&encoded(PAYLOAD, &payload))?;
    let document = Document {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: Material {
            public_key: Some(serde_json::json!({ "hint": key.public().hint() })),
            ..Material::default()
        },
        dsse_envelope: Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD.to_owned(),
            signatures: vec![Signature { sig: STANDARD.encode(signature), keyid: Some(String::new()) }],
        },
    };
    serde_json::to_vec_pretty(&document).map_err(|error| OmsError::says(error.to_string()))
}

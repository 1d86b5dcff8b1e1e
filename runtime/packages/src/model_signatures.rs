//! The signatures that are kept with a version of a model, and whether one of them counts.
//!
//! Of three forms: a bundle of OpenSSF Model Signing, over the model's files, which any tool of that standard makes and checks; one of
//! the house over the manifest, which travels with an export and vouches for all that the manifest says; and one of the registry that a
//! model was pulled from, in cosign's layout, over the registry's own manifest.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use trackside_codes::Reason;
use trackside_spec::Digest;

use crate::{
    client::Blob,
    oms::{self, Bundle, Files, OmsError, Signed},
    signature::{KeyFault, Keyring, Proof, PublicKey, SIGNATURE_SUFFIX, SigningKey},
};

/// The form that this program writes.
const FORMAT: u32 = 1;
/// Most signatures of a version.
const MOST: usize = 8;
/// What a signature over a manifest is over, as DSSE calls the type of a payload.
const MANIFEST: &str = "application/vnd.trackside.model-manifest+json";

/// The signatures of a version, the newest first. Nothing in them is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSignatures {
    format: u32,
    signatures: Vec<ModelSignature>,
}

/// A signature of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "lowercase", deny_unknown_fields)]
pub enum ModelSignature {
    /// A bundle of OpenSSF Model Signing.
    Files {
        /// Its bytes, base64.
        bundle: String,
    },
    /// Over the manifest.
    Manifest {
        /// Base64.
        signature: String,
    },
    /// Over the manifest of the registry that it came from, whose layers are the model's files.
    Registry {
        /// As plugins have it.
        proof: Proof,
    },
}

/// A version whose signatures are to be judged.
#[derive(Clone, Copy)]
pub struct SignedModel<'a> {
    /// The bytes of its manifest.
    pub manifest: &'a [u8],
    /// Its files.
    pub files: &'a dyn Files,
    /// What the manifest says of the files that the files alone do not say, so that no signature over them covers it; none where it says
    /// no more.
    pub beyond: Option<&'a str>,
}

/// Who vouches for a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSigner {
    /// The key's file, as the config names it.
    pub key: String,
    /// The key's id.
    pub id: Digest,
    /// What it has signed: `files`, `manifest` or `registry`.
    pub form: String,
}

impl SignedModel<'_> {
    fn says_no_more(&self) -> Result<(), OmsError> {
        self.beyond.map_or(Ok(()), |what| Err(OmsError::Beyond { what: what.to_owned() }))
    }
}

impl Default for ModelSignatures {
    fn default() -> Self {
        Self { format: FORMAT, signatures: Vec::new() }
    }
}

impl ModelSignatures {
    /// As they are kept and travel.
    ///
    /// # Errors
    /// When they are none.
    pub fn read(bytes: &[u8]) -> Result<Self, OmsError> {
        let wrong = |reason: String| OmsError::Malformed { reason: format!("signatures.json: {reason}") };
        let read: Self = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if read.format != FORMAT {
            return Err(wrong(format!("it has the form {}, this program knows {FORMAT}", read.format)));
        }
        if read.signatures.len() > MOST {
            return Err(wrong(format!("it holds {} signatures, and at most {MOST} are read", read.signatures.len())));
        }
        Ok(read)
    }

    /// As they are kept and travel.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts and a number: they always have a form.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// With a bundle of OpenSSF Model Signing.
    ///
    /// # Errors
    /// When it is none.
    pub fn with_bundle(self, bundle: &[u8]) -> Result<Self, OmsError> {
        Bundle::read(bundle)?;
        Ok(self.with(ModelSignature::Files { bundle: STANDARD.encode(bundle) }))
    }

    /// With a signature over these bytes of a manifest.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn with_manifest(self, manifest: &[u8], key: &SigningKey) -> Result<Self, KeyFault> {
        let signature = STANDARD.encode(key.sign(&oms::encoded(MANIFEST, manifest))?);
        Ok(self.with(ModelSignature::Manifest { signature }))
    }

    /// With one of the registry that the files came from.
    #[must_use]
    pub fn with_proof(self, proof: Proof) -> Self {
        self.with(ModelSignature::Registry { proof })
    }

    /// With those of another list that it has not. Of too many, those go first that do not count here, then the oldest: whoever brings
    /// many that nobody trusts takes nobody's place.
    #[must_use]
    pub fn joined(self, newer: Self, counts: impl Fn(&ModelSignature) -> bool) -> Self {
        let mut signatures = newer.signatures;
        for signature in self.signatures {
            if !signatures.contains(&signature) {
                signatures.push(signature);
            }
        }
        let mut too_many = signatures.len().saturating_sub(MOST);
        if too_many > 0 {
            let counts: Vec<bool> = signatures.iter().map(counts).collect();
            for at in (0..signatures.len()).rev() {
                if too_many > 0 && !counts[at] {
                    signatures.remove(at);
                    too_many -= 1;
                }
            }
            signatures.truncate(MOST);
        }
        Self { signatures, ..self }
    }

    fn with(mut self, signature: ModelSignature) -> Self {
        if !self.signatures.contains(&signature) {
            self.signatures.insert(0, signature);
            self.signatures.truncate(MOST);
        }
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ModelSignature> {
        self.signatures.iter()
    }
}

impl ModelSignature {
    /// What it is over: `files`, `manifest` or `registry`.
    #[must_use]
    pub const fn form(&self) -> &'static str {
        match self {
            Self::Files { .. } => "files",
            Self::Manifest { .. } => "manifest",
            Self::Registry { .. } => "registry",
        }
    }

    /// What it says of the files, whoever has said so; none where it is of another form, or says nothing.
    #[must_use]
    pub fn unproved(&self) -> Option<Signed> {
        self.bundle().and_then(|bundle| bundle.unproved().ok())
    }

    fn bundle(&self) -> Option<Bundle> {
        let Self::Files { bundle } = self else { return None };
        STANDARD.decode(bundle).ok().and_then(|bundle| Bundle::read(&bundle).ok())
    }

    /// The name of the key that it says has made it, and how many files it names, where it says so.
    #[must_use]
    pub fn says(&self) -> (Option<String>, Option<usize>) {
        let bundle = self.bundle();
        let files = self.unproved().map(|signed| signed.files());
        (bundle.and_then(|bundle| bundle.hint().map(str::to_owned)), files)
    }
}

impl Keyring {
    /// Which key has made a bundle, and what it says.
    ///
    /// # Errors
    /// When none has, or it says nothing that can be held against files.
    pub fn prove(&self, bundle: &Bundle) -> Result<(&str, Signed), OmsError> {
        bundle.by(self.keys()).map(|((name, _), signed)| (name.as_str(), signed))
    }

    /// Who vouches for a version: the first of its signatures that holds.
    ///
    /// # Errors
    /// When none holds: why the newest does not, of those by a key that counts where there are any.
    pub fn judge_model(&self, model: &SignedModel<'_>, signatures: &ModelSignatures) -> Result<ModelSigner, OmsError> {
        let mut why: Option<OmsError> = None;
        for signature in signatures.iter() {
            match self.judge_one(model, signature) {
                Ok(signer) => return Ok(signer),
                Err(error) => match &why {
                    None => why = Some(error),
                    Some(OmsError::NoKey { .. }) if !matches!(error, OmsError::NoKey { .. }) => why = Some(error),
                    Some(_) => {}
                },
            }
        }
        Err(why.unwrap_or_else(|| OmsError::NotSigned {
            what: "the model".to_owned(),
            reason: "there is no signature".to_owned(),
        }))
    }

    /// Whether one signature of a version holds.
    ///
    /// # Errors
    /// When it does not: why.
    pub fn judge_one(&self, model: &SignedModel<'_>, signature: &ModelSignature) -> Result<ModelSigner, OmsError> {
        let decoded = |text: &str| {
            STANDARD.decode(text).map_err(|_| OmsError::Malformed { reason: "the signature is no base64".to_owned() })
        };
        let signer = |(name, key): &(String, PublicKey)| ModelSigner {
            key: name.clone(),
            id: key.id(),
            form: signature.form().to_owned(),
        };
        match signature {
            ModelSignature::Files { bundle } => {
                let bundle = Bundle::read(&decoded(bundle)?)?;
                let (key, signed) = bundle.by(self.keys())?;
                signed.covers(model.files)?;
                model.says_no_more()?;
                Ok(signer(key))
            }
            ModelSignature::Manifest { signature } => {
                let (signature, message) = (decoded(signature)?, oms::encoded(MANIFEST, model.manifest));
                let by = self.keys().iter().find(|(_, key)| key.verifies(&message, &signature));
                by.map(signer).ok_or_else(|| OmsError::by_nobody(self.keys(), None))
            }
            ModelSignature::Registry { proof } => {
                let wrong = |reason: Reason| OmsError::Malformed { reason: reason.to_string() };
                for key in self.keys() {
                    let (manifest, is_by) = proof.manifest_by(&key.1).map_err(wrong)?;
                    if is_by {
                        covers(&manifest.files().map_err(wrong)?, model.files)?;
                        model.says_no_more()?;
                        return Ok(signer(key));
                    }
                }
                Err(OmsError::by_nobody(self.keys(), None))
            }
        }
    }
}

/// Whether the files of a model are those of a registry's manifest. Signatures that lie there are no part of the model.
fn covers(named: &[(&str, &Blob)], files: &dyn Files) -> Result<(), OmsError> {
    let files = files.list();
    for (path, blob) in named {
        match files.iter().find(|file| file.path == *path) {
            Some(file) if file.size == blob.size && file.sha256.as_deref() == Some(blob.digest.hex().as_str()) => {}
            Some(_) => return Err(OmsError::Other { path: oms::shown(path) }),
            None if path.ends_with(SIGNATURE_SUFFIX) => {}
            None => return Err(OmsError::Missing { path: oms::shown(path) }),
        }
    }
    let is_named = |path: &str| named.iter().any(|(name, _)| *name == path);
    match files.iter().find(|file| !is_named(&file.path)) {
        Some(file) => Err(OmsError::NotNamed { path: oms::shown(&file.path) }),
        None => Ok(()),
    }
}

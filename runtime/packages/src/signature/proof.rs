//! The two forms that a signature comes in, kept beside an installed component so that it can be checked again at every
//! load.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use trackside_codes::Reason;
use trackside_spec::Digest;

use super::{cosign, key::PublicKey};
use crate::client::Manifest;

/// What the file of a detached signature ends in, after the component's whole name.
pub const SIGNATURE_SUFFIX: &str = ".sig";
/// Longest base64 text of a signature.
const LONGEST: usize = 1024;

/// A signature with all that is needed to check that it is for a component. Nothing in it is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "lowercase", deny_unknown_fields)]
pub enum Proof {
    /// Over the component itself, as `openssl dgst -sha256 -sign` and `cosign sign-blob` make it.
    Detached {
        /// Base64.
        signature: String,
    },
    /// Over a document that names a manifest that names the component.
    Cosign {
        /// Base64.
        signature: String,
        /// The document, base64.
        payload: String,
        /// The manifest, base64.
        manifest: String,
    },
}

impl Proof {
    /// Of the text of a `.sig` file. `None` when that is no base64.
    #[must_use]
    pub fn detached(text: &str) -> Option<Self> {
        let signature = text.trim();
        let fits = (1..=LONGEST).contains(&signature.len()) && STANDARD.decode(signature).is_ok();
        fits.then(|| Self::Detached { signature: signature.to_owned() })
    }

    /// Of what lies in a registry.
    #[must_use]
    pub fn cosign(signature: &str, payload: &[u8], manifest: &[u8]) -> Self {
        let signature = signature.trim().chars().take(LONGEST).collect();
        Self::Cosign { signature, payload: STANDARD.encode(payload), manifest: STANDARD.encode(manifest) }
    }

    /// Whether it proves that the holder of `key` vouches for `component`. The error is a sentence about the proof itself;
    /// `Ok(false)` is a good proof by another key.
    pub(super) fn is_by(&self, key: &PublicKey, component: &[u8], digest: &Digest) -> Result<bool, Reason> {
        match self {
            Self::Detached { signature } => Ok(key.verifies(component, &decode(signature)?)),
            Self::Cosign { .. } => {
                let (manifest, is_by) = self.manifest_by(key)?;
                let layer = manifest.component()?.digest;
                if layer != *digest {
                    return Err(
                        format!("the signature is for a manifest of {layer}, which is another component").into()
                    );
                }
                Ok(is_by)
            }
        }
    }

    /// The manifest that it is about, and whether the holder of `key` vouches for that. The error is a sentence about the proof itself.
    pub(crate) fn manifest_by(&self, key: &PublicKey) -> Result<(Manifest, bool), Reason> {
        let Self::Cosign { signature, payload, manifest } = self else {
            return Err("the signature names no manifest".into());
        };
        let (payload, manifest) = (decode(payload)?, decode(manifest)?);
        let signed = cosign::signed_digest(&payload)?;
        if signed != Digest::of(&manifest) {
            return Err(format!("the signature is for {signed}, which is another manifest").into());
        }
        Ok((Manifest::parse(&manifest)?, key.verifies(&payload, &decode(signature)?)))
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Reason> {
    STANDARD.decode(text).map_err(|_| "the signature is no base64".into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signature::{Algorithm, Curve, SigningKey, payload};

    fn manifest(component: &Digest) -> Vec<u8> {
        let layer = json!({ "mediaType": "application/wasm", "digest": component, "size": 4 });
        serde_json::to_vec(&json!({ "schemaVersion": 2, "layers": [layer] })).unwrap()
    }

    fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::from_pem(SigningKey::generate(algorithm).unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn a_signature_in_a_registry_holds_only_as_long_as_every_link_to_the_component_does() {
        let (component, other) = (b"\0asm".as_slice(), b"\0ASM".as_slice());
        let digest = Digest::of(component);
        for algorithm in [Algorithm::Ed25519, Algorithm::Ecdsa(Curve::P256)] {
            let key = key(algorithm);
            let manifest = manifest(&digest);
            let document = payload("r.example/a", &Digest::of(&manifest));
            let signature = key.sign_base64(&document).unwrap();
            let proof = Proof::cosign(&signature, &document, &manifest);
            assert!(proof.is_by(&key.public(), component, &digest).unwrap());
            assert!(!proof.is_by(&self::key(algorithm).public(), component, &digest).unwrap());
            // Another component, another manifest, another document.
            assert!(
                proof
                    .is_by(&key.public(), other, &Digest::of(other))
                    .unwrap_err()
                    .to_string()
                    .contains("another component")
            );
            let foreign = self::manifest(&Digest::of(other));
            let swapped = Proof::cosign(&signature, &document, &foreign);
            assert!(
                swapped
                    .is_by(&key.public(), other, &Digest::of(other))
                    .unwrap_err()
                    .to_string()
                    .contains("another manifest")
            );
            let forged = Proof::cosign(&signature, &payload("r.example/a", &Digest::of(&foreign)), &foreign);
            assert!(!forged.is_by(&key.public(), other, &Digest::of(other)).unwrap());
        }
    }

    #[test]
    fn a_document_of_another_type_vouches_for_nothing() {
        let key = key(Algorithm::Ed25519);
        let digest = Digest::of(b"x");
        let manifest = manifest(&digest);
        let document = String::from_utf8(payload("a", &Digest::of(&manifest)))
            .unwrap()
            .replace("container image", "atomic container");
        let signature = key.sign_base64(document.as_bytes()).unwrap();
        let proof = Proof::cosign(&signature, document.as_bytes(), &manifest);
        assert!(proof.is_by(&key.public(), b"x", &digest).unwrap_err().to_string().contains("atomic"));
    }

    #[test]
    fn the_signed_document_is_written_as_cosign_writes_it() {
        let digest: Digest = "sha256:87ef60f558bad79beea6425a3b28989f01dd417164150ab3baab98dcbf04def8".parse().unwrap();
        let expected = "{\"critical\":{\"identity\":{\"docker-reference\":\"registry.example/a\"},\"image\":\
                        {\"docker-manifest-digest\":\"sha256:87ef60f558bad79beea6425a3b28989f01dd417164150ab3baab98dcbf04def8\
                        \"},\"type\":\"cosign container image signature\"},\"optional\":null}";
        assert_eq!(String::from_utf8(payload("registry.example/a", &digest)).unwrap(), expected);
    }

    #[test]
    fn rubbish_is_no_detached_signature() {
        assert!(Proof::detached("").is_none());
        assert!(Proof::detached("no base64!").is_none());
        assert!(Proof::detached(&"A".repeat(4096)).is_none());
        assert!(Proof::detached(" QUJD\n").is_some());
    }
}

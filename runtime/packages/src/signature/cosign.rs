//! The layout in which cosign keeps signatures in a registry: beside the manifest lies one with the tag
//! `sha256-HEX.sig`, each of its layers is a signed document that names the manifest's digest, and the signature is an
//! annotation of the layer.

use serde::Deserialize;
use serde_json::{Value, json};
use trackside_codes::{Class, Reason};
use trackside_spec::Digest;

/// The type of a signed document.
pub(crate) const SIGNATURE_LAYER: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation that holds the signature, base64.
pub(crate) const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// What a signed document says that it is.
const TYPE: &str = "cosign container image signature";

/// A signed document, as far as it is checked. What else is in it (`optional`, the reference) is the signer's.
#[derive(Deserialize)]
struct Document {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: Digest,
}

/// The document for a manifest, byte for byte as cosign writes it.
pub(crate) fn payload(reference: &str, manifest: &Digest) -> Vec<u8> {
    let document = json!({
        "critical": {
            "identity": { "docker-reference": reference },
            "image": { "docker-manifest-digest": manifest },
            "type": TYPE,
        },
        "optional": null,
    });
    document.to_string().into_bytes()
}

/// The digest of the manifest that a document vouches for. The error is a sentence.
pub(super) fn signed_digest(payload: &[u8]) -> Result<Digest, Reason> {
    let document: Document = serde_json::from_slice(payload).map_err(|error| {
        Reason::by(Class::BadInput, error).told(|text| format!("what was signed can not be read: {text}"))
    })?;
    if document.critical.kind != TYPE {
        return Err(format!("what was signed is {}", crate::error::one_line(&document.critical.kind)).into());
    }
    Ok(document.critical.image.digest)
}

/// The config beside signatures: an image without files, which is what cosign's own library makes.
pub(crate) fn signature_config(layers: &[Digest]) -> Value {
    json!({
        "architecture": "",
        "created": "0001-01-01T00:00:00Z",
        "history": layers.iter().map(|_| json!({ "created": "0001-01-01T00:00:00Z" })).collect::<Vec<_>>(),
        "os": "",
        "rootfs": { "type": "layers", "diff_ids": layers },
        "config": {},
    })
}

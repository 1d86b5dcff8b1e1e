//! From a registry to this box.

use hyper::{Method, StatusCode, header};
use trackside_spec::{Digest, OciReference};

use super::{
    LIMIT,
    manifest::{self, Blob, Manifest},
    session::{Ask, RegistryClient},
};
use crate::{
    error::RegistryError,
    signature::{Proof, SIGNATURE_ANNOTATION, SIGNATURE_LAYER},
};

/// Signatures of one manifest that are looked at.
const SIGNATURES: usize = 16;
/// Largest signed payload; cosign's has about 300 bytes.
const PAYLOAD: u64 = 64 << 10;

/// A component that was pulled. Every byte of it was checked against the digests on the way to it.
#[derive(Debug, Clone)]
pub struct Component {
    /// The manifest, as the registry gave it.
    pub manifest: Vec<u8>,
    /// The manifest's digest: what a reference names and a signature is over.
    pub manifest_digest: Digest,
    /// The component.
    pub bytes: Vec<u8>,
    /// The component's digest.
    pub digest: Digest,
}

impl RegistryClient {
    /// Pulls the component that a reference of this registry names.
    ///
    /// # Errors
    /// Any [`RegistryError`].
    pub async fn pull(&self, reference: &OciReference) -> Result<Component, RegistryError> {
        let wrong = |reason| RegistryError::NotAComponent { what: reference.to_string(), reason };
        let (bytes, manifest_digest) = self.manifest(reference).await?;
        let manifest = Manifest::parse(&bytes).map_err(wrong)?;
        let layer = manifest.component().map_err(wrong)?;
        let component = self.blob(&reference.repository, layer, LIMIT).await?;
        Ok(Component { manifest: bytes, manifest_digest, bytes: component, digest: layer.digest })
    }

    /// The signatures of a manifest in cosign's layout: the tag `sha256-HEX.sig`. Nothing about them is checked but their digests.
    ///
    /// # Errors
    /// Any [`RegistryError`]; that there are none is no error.
    pub async fn signatures(&self, repository: &str, signed: &[u8]) -> Result<Vec<Proof>, RegistryError> {
        let Some((_, manifest)) = self.signature_manifest(repository, &Digest::of(signed)).await? else {
            return Ok(Vec::new());
        };
        let mut proofs = Vec::new();
        for layer in manifest.layers.iter().filter(|layer| layer.media_type == SIGNATURE_LAYER).take(SIGNATURES) {
            let Some(signature) = layer.annotations.get(SIGNATURE_ANNOTATION) else { continue };
            let payload = self.blob(repository, layer, PAYLOAD).await?;
            proofs.push(Proof::cosign(signature, &payload, signed));
        }
        Ok(proofs)
    }

    pub(super) async fn signature_manifest(
        &self,
        repository: &str,
        signed: &Digest,
    ) -> Result<Option<(Vec<u8>, Manifest)>, RegistryError> {
        let tag = Some(format!("sha256-{}.sig", signed.hex()));
        let reference =
            OciReference { registry: self.host.clone(), repository: repository.to_owned(), tag, digest: None };
        let bytes = match self.manifest(&reference).await {
            Ok((bytes, _)) => bytes,
            Err(RegistryError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest =
            Manifest::parse(&bytes).map_err(|reason| self.malformed(&format!("the signatures of {signed}"), reason))?;
        Ok(Some((bytes, manifest)))
    }

    /// A manifest and its digest, which is the reference's if that has one.
    pub(super) async fn manifest(&self, reference: &OciReference) -> Result<(Vec<u8>, Digest), RegistryError> {
        let OciReference { repository, tag, digest, .. } = reference;
        let name = digest.map(|digest| digest.to_string()).or_else(|| tag.clone()).unwrap_or_default();
        let separator = if digest.is_some() { '@' } else { ':' };
        let what = format!("the manifest {repository}{separator}{name}");
        let target = self.root.at(format!("/v2/{repository}/manifests/{name}"));
        let ask = Ask::new(Method::GET, target, &what).header(header::ACCEPT, manifest::ACCEPT);
        let answer = self.ask(&ask).await?;
        if answer.head().status != StatusCode::OK {
            return Err(self.failure(answer, &what).await);
        }
        let said = answer.header("docker-content-digest").map(str::to_owned);
        let bytes = answer.bytes(manifest::LIMIT).await?;
        let found = Digest::of(&bytes);
        // A digest that was asked for decides; one that the registry only states must at least be true.
        let stated = said.and_then(|said| said.parse::<Digest>().ok());
        for wanted in digest.iter().chain(&stated) {
            if *wanted != found {
                return Err(RegistryError::Digest { host: self.host.clone(), what, found, wanted: *wanted });
            }
        }
        Ok((bytes, found))
    }

    pub(super) async fn blob(&self, repository: &str, blob: &Blob, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let what = format!("the blob {}@{}", repository, blob.digest);
        if blob.size > limit {
            return Err(RegistryError::TooLarge { host: self.host.clone(), what, limit });
        }
        let target = self.root.at(format!("/v2/{repository}/blobs/{}", blob.digest));
        let answer = self.download(&Ask::new(Method::GET, target, &what)).await?;
        if answer.head().status != StatusCode::OK {
            return Err(self.failure(answer, &what).await);
        }
        let bytes = answer.bytes(blob.size).await?;
        let found = Digest::of(&bytes);
        if found != blob.digest {
            return Err(RegistryError::Digest { host: self.host.clone(), what, found, wanted: blob.digest });
        }
        Ok(bytes)
    }
}

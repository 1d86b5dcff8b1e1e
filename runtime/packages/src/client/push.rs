//! From this box to a registry.

use std::collections::BTreeMap;

use hyper::{Method, StatusCode, body::Bytes, header};
use trackside_codes::Reason;
use trackside_spec::{Digest, OciReference};

use super::{
    LIMIT,
    manifest::{Blob, Manifest, OCI_MANIFEST, WASM_CONFIG, WASM_LAYER, WasmConfig},
    session::{Ask, RegistryClient, shown},
};
use crate::{
    error::RegistryError,
    signature::{SIGNATURE_ANNOTATION, SIGNATURE_LAYER, SigningKey, payload, signature_config},
};

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest's digest: what to name in a reference.
    pub manifest_digest: Digest,
    /// The component's digest.
    pub digest: Digest,
}

impl RegistryClient {
    /// Pushes a component: blobs first, the manifest last, so that the tag never leads to something incomplete.
    ///
    /// # Errors
    /// Any [`RegistryError`]. Blobs may stay behind; the registry collects what no manifest names.
    pub async fn push(
        &self,
        reference: &OciReference,
        component: Vec<u8>,
        config: &WasmConfig,
        annotations: BTreeMap<String, String>,
    ) -> Result<Pushed, RegistryError> {
        let OciReference { repository, .. } = reference;
        if component.len() as u64 > LIMIT {
            let what = format!("what is to become {reference}");
            return Err(RegistryError::TooLarge { host: self.host.clone(), what, limit: LIMIT });
        }
        let config = json(config);
        let layer = Blob::of(WASM_LAYER, &component);
        let manifest = Manifest::new(Blob::of(WASM_CONFIG, &config), vec![layer.clone()], annotations);
        let manifest = json(&manifest);
        let manifest_digest = Digest::of(&manifest);
        if let Some(wanted) = reference.digest.filter(|wanted| *wanted != manifest_digest) {
            let what = format!("the manifest of {reference}");
            return Err(RegistryError::Digest { host: self.host.clone(), what, found: manifest_digest, wanted });
        }
        self.put_blob(repository, component).await?;
        self.put_blob(repository, config).await?;
        let name = reference.tag.clone().unwrap_or_else(|| manifest_digest.to_string());
        self.put_manifest(repository, &name, manifest).await?;
        Ok(Pushed { manifest_digest, digest: layer.digest })
    }

    /// Signs a manifest in cosign's layout. Signatures that are there already stay.
    ///
    /// # Errors
    /// Any [`RegistryError`].
    pub async fn sign(&self, reference: &OciReference, signed: Digest, key: &SigningKey) -> Result<(), RegistryError> {
        let OciReference { repository, .. } = reference;
        let payload = payload(&format!("{}/{repository}", self.host), &signed);
        let signature =
            key.sign_base64(&payload).map_err(|fault| self.malformed("the signature", Reason::of(fault)))?;
        let mut layer = Blob::of(SIGNATURE_LAYER, &payload);
        layer.annotations.insert(SIGNATURE_ANNOTATION.to_owned(), signature);
        let known = self.signature_manifest(repository, &signed).await?;
        let mut layers = known.map(|(_, manifest)| manifest.layers).unwrap_or_default();
        // An Ed25519 signature is the same each time; one of ECDSA is not, and a second one does no harm.
        if !layers.iter().any(|known| known.annotations == layer.annotations) {
            layers.push(layer);
        }
        let digests: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
        let config = json(&signature_config(&digests));
        let manifest =
            Manifest::new(Blob::of("application/vnd.oci.image.config.v1+json", &config), layers, BTreeMap::default());
        self.put_blob(repository, payload).await?;
        self.put_blob(repository, config).await?;
        self.put_manifest(repository, &format!("sha256-{}.sig", signed.hex()), json(&manifest)).await
    }

    /// The digest that a reference leads to now.
    ///
    /// # Errors
    /// Any [`RegistryError`].
    pub async fn resolve(&self, reference: &OciReference) -> Result<Digest, RegistryError> {
        Ok(self.manifest(reference).await?.1)
    }

    async fn put_blob(&self, repository: &str, bytes: Vec<u8>) -> Result<(), RegistryError> {
        let digest = Digest::of(&bytes);
        let what = format!("the blob {repository}@{digest}");
        let there = self.root.at(format!("/v2/{repository}/blobs/{digest}"));
        let answer = self.ask(&Ask::new(Method::HEAD, there, &what)).await?;
        if answer.head().status == StatusCode::OK {
            return Ok(());
        }
        let uploads = self.root.at(format!("/v2/{repository}/blobs/uploads/"));
        let begin = Ask::new(Method::POST, uploads.clone(), &what).header(header::CONTENT_LENGTH, "0");
        let answer = self.ask(&begin).await?;
        if answer.head().status != StatusCode::ACCEPTED {
            return Err(self.failure(answer, &what).await);
        }
        let location = answer.header(header::LOCATION).unwrap_or_default().to_owned();
        let target = uploads.join(&location).map_err(|_| self.malformed(&what, "it says no place for an upload"))?;
        if target.origin() != self.root.origin() {
            return Err(RegistryError::Redirect {
                host: self.host.clone(),
                what,
                target: shown(&target),
                reason: "an upload goes with the password, and only to the registry itself",
            });
        }
        let put = Ask::new(Method::PUT, target.with_query("digest", &digest.to_string()), &what)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(Bytes::from(bytes));
        let answer = self.ask(&put).await?;
        if answer.head().status != StatusCode::CREATED {
            return Err(self.failure(answer, &what).await);
        }
        Ok(())
    }

    async fn put_manifest(&self, repository: &str, name: &str, bytes: Vec<u8>) -> Result<(), RegistryError> {
        let wanted = Digest::of(&bytes);
        let what = format!("the manifest {repository}:{name}");
        let target = self.root.at(format!("/v2/{repository}/manifests/{name}"));
        let put =
            Ask::new(Method::PUT, target, &what).header(header::CONTENT_TYPE, OCI_MANIFEST).body(Bytes::from(bytes));
        let answer = self.ask(&put).await?;
        if answer.head().status != StatusCode::CREATED {
            return Err(self.failure(answer, &what).await);
        }
        match answer.header("docker-content-digest").map(str::parse::<Digest>) {
            Some(Ok(found)) if found != wanted => {
                Err(RegistryError::Digest { host: self.host.clone(), what, found, wanted })
            }
            _ => Ok(()),
        }
    }
}

/// Types whose JSON form always exists.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

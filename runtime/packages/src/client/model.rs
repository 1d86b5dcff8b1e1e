//! Models: artifacts of files, as oras and tools of the CNCF's model format push them.

use std::{fs::File, io::Write as _, path::Path};

use hyper::{Method, StatusCode};
use ring::digest::{Context, SHA256};
use trackside_spec::{Digest, OciReference};

use super::{
    manifest::{Blob, Manifest},
    session::{Ask, RegistryClient},
};
use crate::error::RegistryError;

/// A model in a registry. Its files are still there.
#[derive(Debug, Clone)]
pub struct RemoteModel {
    /// The manifest, as the registry gave it.
    pub manifest: Vec<u8>,
    /// The manifest's digest.
    pub manifest_digest: Digest,
    /// Its files, in the manifest's order.
    pub files: Vec<RemoteFile>,
}

/// A file of a model in a registry.
#[derive(Debug, Clone)]
pub struct RemoteFile {
    /// Its path, as whoever pushed it wrote it: nothing of it is checked.
    pub path: String,
    layer: Blob,
}

impl RemoteFile {
    /// Its size in bytes; more of it is never taken.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.layer.size
    }
}

impl RegistryClient {
    /// What the files of the model are that a reference of this registry names.
    ///
    /// # Errors
    /// Any [`RegistryError`].
    pub async fn model(&self, reference: &OciReference) -> Result<RemoteModel, RegistryError> {
        let wrong = |reason| RegistryError::NotAModel { what: reference.to_string(), reason };
        let (bytes, manifest_digest) = self.manifest(reference).await?;
        let manifest = Manifest::parse(&bytes).map_err(wrong)?;
        let files = manifest.files().map_err(wrong)?;
        let file = |(path, layer): (&str, &Blob)| RemoteFile { path: path.to_owned(), layer: layer.clone() };
        let files = files.into_iter().map(file).collect();
        Ok(RemoteModel { manifest: bytes, manifest_digest, files })
    }

    /// Writes one of the files to `to`, a new file. What is there at an error is not the file.
    ///
    /// # Errors
    /// Any [`RegistryError`].
    pub async fn model_file(&self, repository: &str, file: &RemoteFile, to: &Path) -> Result<(), RegistryError> {
        let RemoteFile { layer, .. } = file;
        let what = format!("the blob {repository}@{}", layer.digest);
        let target = self.root.at(format!("/v2/{repository}/blobs/{}", layer.digest));
        let answer = self.download(&Ask::new(Method::GET, target, &what)).await?;
        if answer.head().status != StatusCode::OK {
            return Err(self.failure(answer, &what).await);
        }
        let failed = |source| RegistryError::Keep { path: to.to_owned(), source };
        let mut written = File::create_new(to).map_err(failed)?;
        let mut context = Context::new(&SHA256);
        answer
            .each(layer.size, |piece| {
                context.update(piece);
                written.write_all(piece).map_err(failed)
            })
            .await?;
        let found = digest(context);
        if found != layer.digest {
            return Err(RegistryError::Digest { host: self.host.clone(), what, found, wanted: layer.digest });
        }
        Ok(())
    }
}

fn digest(context: Context) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Digest::from_bytes(bytes)
}

//! Getting a component: from a file, or from a registry as the project's config says.

use crate::failure::Exit;
use std::path::{Path, PathBuf};
use trackside_codes::code;

use trackside_node::{Project, proof_beside};
use trackside_packages::{Access, LIMIT, Proof, RegistryClient, RegistryError, Source};
use trackside_spec::{Digest, OciReference};

use crate::{context::runtime, failure::Failure};

/// A component with what came along with it.
pub struct Fetched {
    /// Its bytes; their digests were checked on the way where there were any.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    /// Where it came from.
    pub source: Source,
    /// The digest of its manifest.
    pub manifest: Option<Digest>,
    /// Signatures; nothing about them is checked yet.
    pub proofs: Vec<Proof>,
}

/// A reference, or the path of a file.
pub fn parse(project: &Project, text: &str) -> Result<Source, Failure> {
    if OciReference::is_meant(text) {
        let reference = text.parse()?;
        return Ok(Source::Registry(reference));
    }
    let unreadable =
        |error: std::io::Error| Failure::ended(Exit::Usage, code!("TS-0602"), format!("cannot read {text}: {error}"));
    let path = Path::new(text).canonicalize().map_err(unreadable)?;
    let path = path.strip_prefix(&project.root).unwrap_or(&path);
    let path = path
        .to_str()
        .ok_or_else(|| Failure::ended(Exit::Usage, code!("TS-0602"), format!("the path {text} is no UTF-8")))?;
    Ok(Source::File(path.to_owned()))
}

/// Fetches it. With `at`, the manifest of that digest.
pub fn fetch(project: &Project, source: &Source, at: Option<Digest>) -> Result<Fetched, Failure> {
    match source {
        Source::File(path) => {
            let path = project.root.join(path);
            let bytes = read_file(&path)?;
            let digest = Digest::of(&bytes);
            Ok(Fetched { bytes, digest, source: source.clone(), manifest: None, proofs: proof_beside(&path) })
        }
        Source::Registry(reference) => {
            let exact = at.map_or_else(|| reference.clone(), |digest| reference.at(digest));
            let client = client(project, reference)?;
            let (component, proofs) = runtime()?.block_on(async {
                let component = client.pull(&exact).await?;
                let proofs = client.signatures(&exact.repository, &component.manifest).await?;
                Ok::<_, RegistryError>((component, proofs))
            })?;
            let (manifest, digest) = (Some(component.manifest_digest), component.digest);
            Ok(Fetched { bytes: component.bytes, digest, source: source.clone(), manifest, proofs })
        }
    }
}

/// A client of the registry that a reference names.
pub fn client(project: &Project, reference: &OciReference) -> Result<RegistryClient, Failure> {
    let registries = &project.config.registries;
    let config = registries.get(&reference.registry).cloned().unwrap_or_default();
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let access = Access::from_config(&reference.registry, &config, &project.root, credentials.as_deref())?;
    let plain = registries.iter().filter(|(_, config)| config.plain_http).map(|(host, _)| host.clone()).collect();
    Ok(RegistryClient::new(&reference.registry, access, plain)?)
}

/// Reads a component's file.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let unreadable =
        |error: std::io::Error| Failure::ended(Exit::Usage, code!("TS-0602"), format!("cannot read {shown}: {error}"));
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(Failure::ended(Exit::Usage, code!("TS-0602"), format!("{shown} is not a file")));
    }
    if meta.len() > LIMIT {
        return Err(Failure::ended(
            Exit::Usage,
            code!("TS-0310"),
            format!("{shown} has {} bytes; the limit is {LIMIT}", meta.len()),
        ));
    }
    std::fs::read(path).map_err(unreadable)
}

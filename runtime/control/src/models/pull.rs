//! Models from the registries that plugins come from too. What is pulled lies in the data folder until it is added: other places may be
//! memory, and too small.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

use rustix::fs::FlockOperation;
use tempfile::TempDir;
use trackside_models::package::{About, Draft, PackageError, PackageLimits, check_path, expect_room};
use trackside_node::Project;
use trackside_packages::{ModelSignatures, Proof, RegistryClient, RemoteModel};
use trackside_spec::OciReference;
use trackside_store::{PULL_FOLDER, PullTurn, clear_pulls, pull_turn};

use super::{
    GivenVersion, ModelsError,
    given::{given_archive, given_versions},
};

/// How the file of an export ends.
const ARCHIVE: &str = "tar";

/// A model that was pulled. It is gone with this value.
#[derive(Debug)]
pub struct PulledModel {
    /// The reference that always leads to it.
    pub exact: OciReference,
    files: Vec<String>,
    proofs: Vec<Proof>,
    folder: TempDir,
    _busy: File,
}

/// Pulls what a reference names: every file of it is what the registry's manifest says, and that is what the reference says where it has
/// a digest. One after the other: `waits` is called where another pull is under way.
///
/// # Errors
/// When it is no model, can not be had, or there is no room for it.
pub async fn pull_model(
    project: &Project,
    client: &RegistryClient,
    reference: &OciReference,
    waits: impl FnOnce(),
) -> Result<PulledModel, ModelsError> {
    let remote = client.model(reference).await?;
    let limits = PackageLimits::of(&project.config.model_limits);
    let bytes = check(&remote, &limits)?;
    let (folder, busy) = place(&project.data_dir(), waits).await?;
    expect_room(folder.path(), bytes, project.config.node.min_free.as_bytes())?;
    for file in &remote.files {
        let to = folder.path().join(&file.path);
        if let Some(above) = to.parent().filter(|above| *above != folder.path()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(above);
            made.map_err(|source| PackageError::Io { action: "create", path: above.to_owned(), source })?;
        }
        client.model_file(&reference.repository, file, &to).await?;
    }
    let proofs = client.signatures(&reference.repository, &remote.manifest).await?;
    let exact = OciReference { tag: None, ..reference.at(remote.manifest_digest) };
    let files = remote.files.into_iter().map(|file| file.path).collect();
    Ok(PulledModel { exact, files, proofs, folder, _busy: busy })
}

/// What is announced, before any of it is there. Gives how much it is.
fn check(remote: &RemoteModel, limits: &PackageLimits) -> Result<u64, PackageError> {
    let (count, most) = (remote.files.len(), limits.bytes.as_bytes());
    if count > limits.files {
        return Err(PackageError::TooMuch {
            what: format!("it has {count} files; {} are taken (`files` in [model_limits])", limits.files),
        });
    }
    remote.files.iter().try_for_each(|file| check_path(&file.path, limits))?;
    let bytes = remote.files.iter().fold(0u64, |sum, file| sum.saturating_add(file.size()));
    if bytes > most {
        return Err(PackageError::TooMuch {
            what: format!("its files have {bytes} bytes; {} are taken (`bytes` in [model_limits])", limits.bytes),
        });
    }
    Ok(bytes)
}

/// A new folder, and the right to have one. What a command that died has left is removed.
async fn place(data_dir: &Path, waits: impl FnOnce()) -> Result<(TempDir, File), PackageError> {
    let root = data_dir.join(PULL_FOLDER);
    let turn = beside(&root, |root| {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
        made.map_err(|error| ("create", error))?;
        pull_turn(root).map_err(|error| ("lock", error))
    });
    let busy = match turn.await? {
        PullTurn::Ours(busy) => busy,
        PullTurn::Taken(busy) => {
            waits();
            // Who pulls at this moment comes first.
            let locked = move |_: &Path| {
                let locked = rustix::fs::flock(&busy, FlockOperation::LockExclusive);
                locked.map(|()| busy).map_err(|error| ("lock", error.into()))
            };
            beside(&root, locked).await?
        }
    };
    let folder = beside(&root, |root| {
        clear_pulls(root).map_err(|error| ("clear", error))?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let made = tempfile::Builder::new().permissions(private).tempdir_in(root);
        made.map_err(|error| ("create a folder in", error))
    });
    Ok((folder.await?, busy))
}

/// Does something with a folder on a thread that may wait.
async fn beside<T: Send + 'static>(
    root: &Path,
    work: impl FnOnce(&Path) -> Result<T, (&'static str, io::Error)> + Send + 'static,
) -> Result<T, PackageError> {
    let path = root.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    let done = done.unwrap_or_else(|error| Err(("use", io::Error::other(error))));
    done.map_err(|(action, source)| PackageError::Io { action, path: root.to_owned(), source })
}

impl PulledModel {
    /// What there is to add for a model of this name: an export's archive, or files as [`given_versions`] has them.
    ///
    /// # Errors
    /// When it is nothing to add.
    pub fn given(
        &self,
        project: &Project,
        name: &str,
        golden: Option<&Path>,
        signature: Option<&Path>,
        about: About,
    ) -> Result<Vec<GivenVersion>, ModelsError> {
        let folder = self.folder.path();
        if let [only] = self.files.as_slice()
            && Path::new(only).extension().is_some_and(|extension| extension == ARCHIVE)
        {
            let path = folder.join(only);
            if golden.is_some() || signature.is_some() || about != About::default() {
                let reason = "it is an export, which has all this with it; add it without --golden, --signature and what is said about it";
                return Err(PackageError::Given { path, reason: reason.to_owned() }.into());
            }
            let (_, given) = given_archive(&path)?;
            return Ok(vec![GivenVersion { number: None, left_out: Vec::new(), note: None, given }]);
        }
        let about = About { origin: about.origin.or_else(|| Some(self.exact.to_string())), ..about };
        // Where it lies for now is nobody's business.
        let here = format!("{}/", folder.display());
        let given = given_versions(project, name, folder, golden, signature, &about);
        let mut versions = given.map_err(|error| match error {
            ModelsError::Package(PackageError::Given { path, reason }) if path == folder => {
                PackageError::Given { path: self.exact.to_string().into(), reason }.into()
            }
            other => other,
        })?;
        for version in &mut versions {
            version.note = version.note.take().map(|note| note.replace(&here, ""));
        }
        if let [only] = versions.as_mut_slice() {
            only.with_proofs(&self.proofs)?;
        }
        Ok(versions)
    }
}

impl GivenVersion {
    fn with_proofs(&mut self, proofs: &[Proof]) -> Result<(), ModelsError> {
        let super::GivenModel::Draft(draft) = &mut self.given else { return Ok(()) };
        if proofs.is_empty() {
            return Ok(());
        }
        let known = draft.signatures().map_or_else(|| Ok(ModelSignatures::default()), ModelSignatures::read)?;
        let all = proofs.iter().rev().fold(known, |all, proof| all.with_proof(proof.clone()));
        **draft = Draft::clone(draft).with_signatures(all.to_bytes());
        Ok(())
    }
}

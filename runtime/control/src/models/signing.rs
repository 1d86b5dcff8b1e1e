//! Signatures of models: found beside what is added, made for a folder or a file, looked at on a version that is kept.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use trackside_codes::Coded as _;
use trackside_models::{
    ModelLimits,
    package::{Draft, DraftFile, PackageError, PackageLimits},
};
use trackside_node::{
    MODEL_SIGNATURE, ModelTrust, PackageFiles, Project, beyond_the_files, read_bundle, read_signature,
    signatures_beside, signatures_of, signed_model,
};
use trackside_packages::{
    ModelSignatures, SigningKey,
    oms::{Bundle, Files, LARGEST_BUNDLE, OmsError, ReadSeek, SignedFile, sign},
};
use trackside_spec::{Digest, ModelRef};
use trackside_store::Reader;

use super::{ModelsError, model_package, place::prober};

/// Names that begin with a dot, as many as a folder tells; and names that are told.
const TOLD: usize = 16;

/// Puts the signature with the files that it is for: the one that is named, or one that lies where tools put it. What the signer has
/// left out is no part of the model. Gives what there is to say of it; one that was found and is not of this model is an error where
/// there must be one, and else left out.
pub(super) fn with_signature(
    draft: Draft,
    path: &Path,
    named: Option<&Path>,
    is_required: bool,
) -> Result<(Draft, Option<String>), ModelsError> {
    if let Some(named) = named {
        let bytes = read_signature(named)?;
        let bundle = Bundle::read(&bytes)?;
        let (draft, _) = bare(draft, path);
        let (draft, note) = apart(draft, named, &bundle)?;
        return Ok((draft.with_signatures(kept(&bytes)?), note));
    }
    for found in places(&draft, path).into_iter().filter(|place| place.symlink_metadata().is_ok()) {
        let shown = found.display();
        let bytes = read_signature(&found)?;
        let is_too_long = bytes.len() as u64 > LARGEST_BUNDLE;
        let bundle = match Bundle::read(&bytes) {
            // Nothing else that is called so is that long.
            Err(error) if is_too_long => return Err(error.into()),
            Ok(bundle) => bundle,
            // Something else that is called so, and a part of the model where it lies in its folder.
            Err(OmsError::Malformed { .. }) => continue,
            Err(error) if is_required => return Err(error.into()),
            Err(error) => {
                let draft = draft.without(|file| is_same(&file.source, &found));
                return Ok((draft, Some(format!("{shown} is left out: {}", error.message()))));
            }
        };
        let (signed, note) = apart(bare(draft.clone(), path).0, &found, &bundle)?;
        return match bundle.unproved().and_then(|said| names_agree(&signed, &said.paths(signed.model()))) {
            Ok(()) => Ok((signed.with_signatures(kept(&bytes)?), note)),
            Err(error) if is_required => Err(error.into()),
            Err(error) => {
                let draft = draft.without(|file| is_same(&file.source, &found));
                Ok((draft, Some(format!("{shown} is not taken as the signature of this model: {}", error.message()))))
            }
        };
    }
    Ok((draft, None))
}

fn kept(bundle: &[u8]) -> Result<Vec<u8>, OmsError> {
    Ok(ModelSignatures::default().with_bundle(bundle)?.to_bytes())
}

/// Without the signature itself, and without what the signer has left out; and which files those are, to be told.
fn apart(draft: Draft, signature: &Path, bundle: &Bundle) -> Result<(Draft, Option<String>), OmsError> {
    let said = bundle.unproved()?;
    let draft = draft.without(|file| is_same(&file.source, signature));
    let model = draft.model().to_owned();
    let is_out = |file: &DraftFile| file.path != model && said.leaves_out(&file.path);
    let mut out: Vec<&str> = draft.files().iter().filter(|file| is_out(file)).map(|file| file.path.as_str()).collect();
    let many = out.len();
    out.truncate(TOLD);
    let more = if many > TOLD { format!(" and {} more", many - TOLD) } else { String::new() };
    let note =
        (many > 0).then(|| format!("left out, because whoever signed the model left it out: {}{more}", out.join(", ")));
    Ok((draft.without(is_out), note))
}

/// Without the signatures that lie with the files, and what these are called: no signature is part of a model, so that all who sign it sign
/// the same.
fn bare(draft: Draft, path: &Path) -> (Draft, Vec<String>) {
    let found: Vec<PathBuf> = places(&draft, path).into_iter().filter(|place| read_bundle(place).is_ok()).collect();
    let is_one = |file: &DraftFile| found.iter().any(|other| is_same(&file.source, other));
    let names = draft.files().iter().filter(|file| is_one(file)).map(|file| file.path.clone()).collect();
    (draft.without(is_one), names)
}

fn is_same(file: &Path, other: &Path) -> bool {
    matches!((file.canonicalize(), other.canonicalize()), (Ok(file), Ok(other)) if file == other)
}

/// Whether the files are those that are named. Their content is looked at where the model is kept.
fn names_agree(draft: &Draft, named: &std::collections::BTreeSet<String>) -> Result<(), OmsError> {
    let has = |path: &String| draft.files().iter().any(|file| file.path == *path);
    if let Some(path) = named.iter().find(|path| !has(path)) {
        return Err(OmsError::Missing { path: path.clone() });
    }
    match draft.files().iter().find(|file| !named.contains(&file.path)) {
        Some(file) => Err(OmsError::NotNamed { path: file.path.clone() }),
        None => Ok(()),
    }
}

/// Where tools put the signature of what is added: in a folder, or beside it or a file.
fn places(draft: &Draft, path: &Path) -> Vec<PathBuf> {
    // In a folder also that of the model's file alone.
    let alone = format!("{}.sig", draft.model());
    let in_folder = |name: &str| draft.files().iter().find(|file| file.path == name).map(|file| file.source.clone());
    let own = in_folder(MODEL_SIGNATURE).into_iter().chain(in_folder(&alone));
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let [named, beside] = signatures_beside(&path);
    let beside = (!path.is_dir()).then_some(beside);
    own.chain([named]).chain(beside).collect()
}

/// A signature that was made.
#[derive(Debug, Clone, Serialize)]
pub struct MadeSignature {
    /// Its file.
    pub signature: PathBuf,
    /// The files that it names.
    pub files: usize,
    /// The key's id.
    pub key: Digest,
}

/// Signs a model where it lies: a folder, or an .onnx file with the weights beside it. Without `to` the signature is `model.sig` in the
/// folder, or `FILE.sig`.
///
/// # Errors
/// When it is no model, can not be read, or the signature can not be written.
pub fn sign_model(
    project: &Project,
    path: &Path,
    to: Option<&Path>,
    key: &SigningKey,
) -> Result<MadeSignature, ModelsError> {
    let limits = PackageLimits::of(&project.config.model_limits);
    let is_folder = path.is_dir();
    let draft = if is_folder {
        Draft::of_folder(path, &limits)?
    } else {
        let weights = prober(project)?.weights(path, ModelLimits::of(&project.config.model_limits))?;
        Draft::of_file(path, &weights)?
    };
    let to = to.map_or_else(
        || if is_folder { path.join(MODEL_SIGNATURE) } else { signatures_beside(path)[0].clone() },
        Path::to_owned,
    );
    if to.symlink_metadata().is_ok() && read_bundle(&to).is_err() {
        let reason = "it is there already, and is no signature; name another file with --signature".to_owned();
        return Err(PackageError::Given { path: to, reason }.into());
    }
    let in_folder = draft.files().iter().find(|file| is_same(&file.source, &to)).map(|file| file.path.clone());
    // It may not be there yet.
    let in_folder = in_folder.or_else(|| {
        let name = to.file_name()?.to_str()?.to_owned();
        (is_folder && to.parent().is_some_and(|folder| is_same(folder, path))).then_some(name)
    });
    let draft = draft.without(|file| Some(&file.path) == in_folder.as_ref());
    let (draft, beside) = bare(draft, path);
    if draft.left_out.len() >= TOLD {
        let what = format!("{} holds {TOLD} names or more that begin with a dot", path.display());
        return Err(PackageError::TooMuch { what }.into());
    }
    let left_out: Vec<String> = draft.left_out.iter().cloned().chain(in_folder).chain(beside).collect();
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = real.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
    let manifest = draft.manifest(&limits)?;
    let files: Vec<SignedFile> = manifest
        .files
        .iter()
        .map(|entry| SignedFile { path: entry.path.clone(), size: entry.size, sha256: Some(entry.digest.hex()) })
        .collect();
    let listed = Listed { model: draft.model().to_owned(), files };
    let bundle = sign(&name, &listed, &left_out, key)?;
    if bundle.len() as u64 > LARGEST_BUNDLE {
        let (count, bytes) = (listed.files.len(), bundle.len());
        let what = format!("a signature that names {count} files has {bytes} bytes; {LARGEST_BUNDLE} are read");
        return Err(PackageError::TooMuch { what }.into());
    }
    let io = |source| PackageError::Io { action: "write", path: to.clone(), source };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    io::Write::write_all(&mut part, &bundle).and_then(|()| part.as_file().sync_all()).map_err(io)?;
    // Everybody may read it, as the model itself.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    part.as_file().set_permissions(everybody).map_err(io)?;
    part.persist(&to).map_err(|error| io(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    Ok(MadeSignature { signature: to, files: listed.files.len(), key: key.public().id() })
}

/// Files whose digests are known.
struct Listed {
    model: String,
    files: Vec<SignedFile>,
}

impl Files for Listed {
    fn itself(&self) -> &str {
        &self.model
    }

    fn list(&self) -> Vec<SignedFile> {
        self.files.clone()
    }

    fn open(&self, _path: &str) -> io::Result<Box<dyn ReadSeek + '_>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What the signatures of a version are worth.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedModel {
    /// The model.
    pub name: String,
    /// The version.
    pub version: u32,
    /// Of its manifest.
    pub digest: Digest,
    /// The key that vouches for it, as the config names it; none where no signature counts.
    pub key: Option<String>,
    /// Its files, whose content is what the manifest says.
    pub files: Vec<String>,
    /// Its signatures, the newest first.
    pub signatures: Vec<VerifiedSignature>,
    /// Whether the policy wants one.
    pub required: bool,
}

/// What a signature is worth.
#[derive(Debug, Clone, Serialize)]
pub struct VerifiedSignature {
    /// What it is over: `files` (OpenSSF Model Signing) or `manifest` (an export of Trackside).
    pub form: String,
    /// The key that has made it, as the config names it, and the key's id.
    pub key: Option<String>,
    /// The key's id.
    pub id: Option<Digest>,
    /// The key that it says has made it.
    pub hint: Option<String>,
    /// How many files it names.
    pub names: Option<usize>,
    /// Why it does not count.
    pub problem: Option<String>,
}

/// Reads a version's files through and judges its signatures.
///
/// # Errors
/// When the reference leads nowhere, or files are not what the manifest says.
pub fn verify_model(project: &Project, reader: &Reader, reference: &ModelRef) -> Result<VerifiedModel, ModelsError> {
    let (resolved, package) = model_package(project, reader, reference)?;
    package.verify()?;
    let trust = ModelTrust::of(&project.root, &project.config.policy);
    let (keyring, files, beyond) = (trust.keyring()?, PackageFiles(&package), beyond_the_files(&package.manifest));
    let model = signed_model(&package, &files, beyond.as_deref());
    let signatures = signatures_of(&package)?;
    let signatures: Vec<VerifiedSignature> = signatures
        .iter()
        .map(|signature| {
            let (hint, names) = signature.says();
            let judged = keyring.judge_one(&model, signature);
            let signer = judged.as_ref().ok();
            VerifiedSignature {
                form: signature.form().to_owned(),
                key: signer.map(|signer| signer.key.clone()),
                id: signer.map(|signer| signer.id),
                hint,
                names,
                problem: judged.as_ref().err().map(trackside_codes::Coded::told),
            }
        })
        .collect();
    Ok(VerifiedModel {
        name: resolved.name,
        version: resolved.version.version,
        digest: resolved.version.digest,
        key: signatures.iter().find_map(|signature| signature.key.clone()),
        files: package.manifest.files.iter().map(|file| file.path.clone()).collect(),
        signatures,
        required: trust.is_required(),
    })
}

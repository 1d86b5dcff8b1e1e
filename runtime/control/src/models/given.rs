//! From a path on this box to what is added: a model file with its weights, a folder, Triton's layout, an archive.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use trackside_models::{
    ModelLimits,
    package::{About, Draft, PackageError, PackageLimits, exported_as, triton_versions},
};
use trackside_node::Project;

use super::{GivenModel, ModelsError, place::prober, signing::with_signature};

/// A version that is to be added.
#[derive(Debug)]
pub struct GivenVersion {
    /// Its number in Triton's repository, where it comes from one.
    pub number: Option<u64>,
    /// What lies in the folder and is not taken.
    pub left_out: Vec<String>,
    /// What there is to say of a signature that was found.
    pub note: Option<String>,
    /// Its files.
    pub given: GivenModel,
}

/// What a path gives for a model of this name: one version, or several, in their order, of Triton's layout.
///
/// # Errors
/// When it is nothing to add.
pub fn given_versions(
    project: &Project,
    name: &str,
    path: &Path,
    golden: Option<&Path>,
    signature: Option<&Path>,
    about: &About,
) -> Result<Vec<GivenVersion>, ModelsError> {
    let limits = PackageLimits::of(&project.config.model_limits);
    let found =
        fs::metadata(path).map_err(|source| PackageError::Io { action: "look at", path: path.to_owned(), source })?;
    let drafts = if found.is_dir() {
        match triton(name, path)? {
            Some(versions) => {
                let draft = |version: &trackside_models::package::TritonVersion| {
                    Ok((Some(version.number), version.draft(&limits)?))
                };
                versions.iter().map(draft).collect::<Result<Vec<_>, PackageError>>()?
            }
            None => vec![(None, Draft::of_folder(path, &limits)?)],
        }
    } else if path.extension().is_some_and(|extension| extension == "onnx") {
        // Where it really lies: its weights are beside it there.
        let file = path.canonicalize();
        let file = file.map_err(|source| PackageError::Io { action: "look at", path: path.to_owned(), source })?;
        // Only another process looks into a file that nobody knows.
        let weights = prober(project)?.weights(&file, ModelLimits::of(&project.config.model_limits))?;
        let draft = Draft::of_file(&file, &weights)?;
        vec![(None, draft)]
    } else {
        let reason =
            "it is neither an .onnx file nor a folder; an archive is taken by `trackside model import`".to_owned();
        return Err(PackageError::Given { path: path.to_owned(), reason }.into());
    };
    if let Some(golden) = golden.filter(|_| drafts.len() > 1) {
        let reason = "golden vectors are of one version, and several are added here: put each beside its version as golden.safetensors";
        return Err(PackageError::Given { path: golden.to_owned(), reason: reason.to_owned() }.into());
    }
    if let Some(signature) = signature.filter(|_| drafts.len() > 1) {
        let reason =
            "a signature is of one version, and several are added here: put each beside its version as model.sig";
        return Err(PackageError::Given { path: signature.to_owned(), reason: reason.to_owned() }.into());
    }
    let is_one = drafts.len() == 1;
    let version = |(number, draft): (Option<u64>, Draft)| {
        let draft = draft.about(about.clone());
        let draft = if let Some(golden) = golden { draft.with_golden(golden) } else { draft };
        // Of several versions each has its own, in its folder.
        let beside = if is_one { path.to_owned() } else { path.join(number.unwrap_or_default().to_string()) };
        let (draft, note) = with_signature(draft, &beside, signature, project.config.policy.signed_models)?;
        Ok(GivenVersion { number, left_out: draft.left_out.clone(), note, given: GivenModel::Draft(Box::new(draft)) })
    };
    drafts.into_iter().map(version).collect()
}

/// The versions in a folder that is one of Triton's for a model, or a whole repository with one for this name.
fn triton(name: &str, path: &Path) -> Result<Option<Vec<trackside_models::package::TritonVersion>>, PackageError> {
    match triton_versions(path)? {
        Some(versions) => Ok(Some(versions)),
        None => triton_versions(&path.join(name)),
    }
}

/// The names of the models in a repository of Triton's layout, in order; none where the folder is no such repository.
///
/// # Errors
/// When the folder or a config in it can not be read.
pub fn triton_models(path: &Path) -> Result<Vec<String>, ModelsError> {
    let io = |source| PackageError::Io { action: "read the folder", path: path.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let folder = entry.path();
        if let Some(name) = entry.file_name().to_str()
            && folder.is_dir()
            && triton_versions(&folder)?.is_some()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// An archive, and under which name the version in it was known.
///
/// # Errors
/// When it can not be read, or is no archive.
pub fn given_archive(path: &Path) -> Result<(Option<String>, GivenModel), ModelsError> {
    let open = || {
        let opened = File::open(path);
        opened.map_err(|source| PackageError::Io { action: "read", path: path.to_owned(), source })
    };
    let exported = exported_as(open()?)?;
    Ok((exported.map(|exported| exported.name), GivenModel::Archive(Box::new(open()?))))
}

/// The name that a folder of Triton's layout gives its model; none where it is no such folder.
///
/// # Errors
/// When its config can not be read.
pub fn triton_name(path: &Path) -> Result<Option<String>, ModelsError> {
    let path: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    Ok(triton_versions(&path)?.and(name))
}

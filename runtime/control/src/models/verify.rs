//! Whether the files of the registry's models are all there and are still what they were.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use trackside_codes::Coded;
use trackside_models::package::{Kept, MANIFEST, PackageError, Shelf};
use trackside_spec::{Digest, MODEL_FOLDERS, model_folder, model_folder_digest};
use trackside_store::Reader;

use crate::QueryError;

/// A folder that nobody names may be that of a version which is being added: it is there before its row.
const BEING_ADDED: Duration = Duration::from_secs(60);

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct ModelCheck {
    /// How many versions' folders were looked at.
    pub checked: u64,
    /// The bytes of their files.
    pub bytes: u64,
    /// What is wrong.
    pub problems: Vec<ModelFault>,
}

/// Something that is wrong with the files of a model.
#[derive(Debug, PartialEq, Eq)]
pub struct ModelFault {
    /// The versions whose files they are, as `pump@3`; none of a folder that nobody names.
    pub models: Vec<String>,
    /// Where, from the data folder on: a folder, or a file in it. Empty where rows of the database are damaged.
    pub place: String,
    /// What is wrong, and what mends it.
    pub reason: String,
}

/// Reads the files of all versions through and compares them with their manifests; looks for folders that are gone, and for those that no
/// version names.
///
/// # Errors
/// When the folder of models can not be listed, or the database refuses.
pub fn check_models(data_dir: &Path, reader: &Reader) -> Result<ModelCheck, QueryError> {
    // Before the rows are asked for: a version that is added meanwhile has its row by then.
    let folders = folders(&data_dir.join(MODEL_FOLDERS)).map_err(QueryError::Artifacts)?;
    let mut check = ModelCheck::default();
    let mut named: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for model in reader.models()? {
        for version in &model.versions {
            named.entry(version.digest).or_default().push(format!("{}@{}", model.name, version.version));
        }
        for reason in model.damaged {
            let reason = format!("a row of the registry is damaged: {reason}; restore trackside.db from a copy");
            check.problems.push(ModelFault { models: vec![model.name.clone()], place: String::new(), reason });
        }
    }
    let shelf = Shelf::of(data_dir);
    for (digest, models) in &named {
        let faults = look(&shelf, digest, &mut check);
        // A version that was removed meanwhile has lost its row first.
        if faults.is_empty() || reader.model_versions_with(digest)? == 0 {
            continue;
        }
        for (place, wrong) in faults {
            let reason = format!(
                "{wrong}; add or import the same content again, which puts it back, restore {MODEL_FOLDERS}/{} from a copy, or \
                 take the version away with `trackside model remove {}`",
                model_folder(digest),
                models.first().map_or("", String::as_str),
            );
            check.problems.push(ModelFault { models: models.clone(), place, reason });
        }
    }
    for (digest, changed) in folders.into_iter().filter(|(digest, _)| !named.contains_key(digest)) {
        let is_old = changed.is_none_or(|changed| changed.elapsed().is_ok_and(|age| age > BEING_ADDED));
        // A row that is damaged may be the one that names it.
        let is_nobodys = is_old && reader.model_versions_with(&digest)? == 0;
        if is_nobodys && shelf.folder(&digest).is_dir() {
            let reason = "no version of a model names it; remove it, or restore the trackside.db that does".to_owned();
            check.problems.push(ModelFault { models: Vec::new(), place: of_folder(&digest), reason });
        }
    }
    Ok(check)
}

fn of_folder(digest: &Digest) -> String {
    format!("{MODEL_FOLDERS}/{}", model_folder(digest))
}

/// The folders of versions, and when each was changed last.
fn folders(root: &Path) -> io::Result<Vec<(Digest, Option<SystemTime>)>> {
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(digest) = entry.file_name().to_str().and_then(model_folder_digest) {
            found.push((digest, entry.metadata().and_then(|about| about.modified()).ok()));
        }
    }
    found.sort();
    Ok(found)
}

/// What is wrong in a version's folder: where, and what.
fn look(shelf: &Shelf, digest: &Digest, check: &mut ModelCheck) -> Vec<(String, String)> {
    check.checked += 1;
    let place = of_folder(digest);
    if !shelf.folder(digest).is_dir() {
        return vec![(place, "the folder is missing".to_owned())];
    }
    let kept: Kept = match shelf.open(digest) {
        Ok(kept) => kept,
        Err(error) => return vec![(format!("{place}/{MANIFEST}"), told(&error))],
    };
    let mut wrong = Vec::new();
    for entry in &kept.manifest.files {
        check.bytes += entry.size;
        if let Err(error) = kept.verify_file(entry) {
            wrong.push((format!("{place}/{}", entry.path), told(&error)));
        }
    }
    wrong
}

fn told(error: &PackageError) -> String {
    match error {
        PackageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => "it is missing".to_owned(),
        PackageError::Damaged { reason } => reason.clone(),
        error => error.message(),
    }
}

//! Whether the files of the registry's models are all there and are still what they were.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use trackside_codes::Coded;
use trackside_models::package::{Kept, MANIFEST, PackageError, SIGNATURES, Shelf};
use trackside_node::{ModelTrust, Project, signatures_of};
use trackside_spec::{Digest, MODEL_FOLDERS, model_folder, model_folder_digest};
use trackside_store::Reader;

use crate::QueryError;

/// A folder that nobody names may be that of a version which is being added: it is there before its row.
const BEING_ADDED: Duration = Duration::from_secs(60);
/// Signatures on their way to the disk.
const BEING_SIGNED: &str = ".signatures.part";
/// Files that a manifest does not name, of one version: more are not told one by one.
const MOST_UNNAMED: usize = 20;

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

/// Reads the files of all versions through and compares them with their manifests; looks at their signatures, and judges them where the
/// policy wants some; looks for files that no manifest names, for folders that are gone, and for those that no version names.
///
/// # Errors
/// When the folder of models can not be listed, or the database refuses.
pub fn check_models(project: &Project, reader: &Reader) -> Result<ModelCheck, QueryError> {
    let (data_dir, trust) = (project.data_dir(), ModelTrust::of(&project.root, &project.config.policy));
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
    let shelf = Shelf::of(&data_dir);
    for (digest, models) in &named {
        let title = models.first().map_or("", String::as_str);
        let faults = look(&shelf, digest, &format!("the model {title}"), &trust, &mut check);
        // A version that was removed meanwhile has lost its row first.
        if faults.is_empty() || reader.model_versions_with(digest)? == 0 {
            continue;
        }
        for Fault { place, wrong, is_damage } in faults {
            let reason = match is_damage {
                true => format!(
                    "{wrong}; add or import the same content again, which puts it back, restore {MODEL_FOLDERS}/{} from a copy, or \
                     take the version away with `trackside model remove {title}`",
                    model_folder(digest),
                ),
                false => wrong,
            };
            check.problems.push(ModelFault { models: models.clone(), place, reason });
        }
    }
    for (digest, changed) in folders.into_iter().filter(|(digest, _)| !named.contains_key(digest)) {
        // A row that is damaged may be the one that names it.
        let is_nobodys = is_old(changed) && reader.model_versions_with(&digest)? == 0;
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

/// Something that is wrong in a version's folder.
struct Fault {
    place: String,
    wrong: String,
    /// Whether content is not what it was; otherwise the text says what helps.
    is_damage: bool,
}

/// What is wrong in the folder of a version, which messages call `what`.
fn look(shelf: &Shelf, digest: &Digest, what: &str, trust: &ModelTrust, check: &mut ModelCheck) -> Vec<Fault> {
    check.checked += 1;
    let place = of_folder(digest);
    let damage = |place, wrong| Fault { place, wrong, is_damage: true };
    if !shelf.folder(digest).is_dir() {
        return vec![damage(place, "the folder is missing".to_owned())];
    }
    let kept: Kept = match shelf.open(digest) {
        Ok(kept) => kept,
        Err(error) => return vec![damage(format!("{place}/{MANIFEST}"), told(&error))],
    };
    let mut wrong = Vec::new();
    for entry in &kept.manifest.files {
        check.bytes += entry.size;
        if let Err(error) = kept.verify_file(entry) {
            wrong.push(damage(format!("{place}/{}", entry.path), told(&error)));
        }
    }
    if let Err(error) = signatures_of(&kept).and_then(|_| trust.permit(what, &kept)) {
        wrong.push(Fault { place: format!("{place}/{SIGNATURES}"), wrong: error.message(), is_damage: false });
    }
    match unnamed(&kept) {
        Ok(found) => wrong.extend(found.into_iter().map(|(path, wrong)| Fault {
            place: format!("{place}/{path}"),
            wrong,
            is_damage: false,
        })),
        Err(error) => {
            wrong.push(Fault { place, wrong: format!("the folder can not be listed: {error}"), is_damage: false })
        }
    }
    wrong
}

/// What lies in the folder of a version, and is none of it: where, and what it is.
fn unnamed(kept: &Kept) -> io::Result<Vec<(String, String)>> {
    let (mut found, mut folders) = (Vec::new(), vec![kept.folder.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&kept.folder).unwrap_or(&path).to_string_lossy().into_owned();
            let is_named = kept.manifest.file(&name).is_some() || [MANIFEST, SIGNATURES].contains(&name.as_str());
            if is_named || (name == BEING_SIGNED && !is_old(entry.metadata()?.modified().ok())) {
                continue;
            }
            if found.len() == MOST_UNNAMED {
                found.push((name, "there are more files that the manifest does not name; remove them".to_owned()));
                return Ok(found);
            }
            let what = if kind.is_symlink() {
                "a link"
            } else if kind.is_file() {
                "a file"
            } else {
                "something"
            };
            found.push((
                name,
                format!("the manifest of the version does not name it: {what} that somebody has put there; remove it"),
            ));
        }
    }
    found.sort();
    Ok(found)
}

fn is_old(changed: Option<SystemTime>) -> bool {
    changed.is_none_or(|changed| changed.elapsed().is_ok_and(|age| age > BEING_ADDED))
}

fn told(error: &PackageError) -> String {
    match error {
        PackageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => "it is missing".to_owned(),
        PackageError::Damaged { reason } => reason.clone(),
        error => error.message(),
    }
}

//! What would become of the files that lie in a trigger's folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use trackside_node::Project;
use trackside_spec::{Digest, FileTrigger, Identity, Trigger};
use trackside_store::Reader;
use trackside_triggers::files::{Wanted, wants};

use super::Outlook;
use crate::QueryError;

/// Files that are told of at most.
const MAX_FILES: usize = 200;
/// Entries of folders that are looked at at most.
const MAX_ENTRIES: usize = 20_000;
/// A larger file is not read to know whether the ledger has it.
const MAX_READ: u64 = 64 << 20;

/// Each file that fits.
pub(super) fn files(
    project: &Project,
    trigger: &Trigger,
    file: &FileTrigger,
    reader: Option<&Reader>,
    paused: bool,
) -> Result<Vec<Outlook>, QueryError> {
    let folder = project.root.join(&file.path);
    let mut found = Vec::new();
    for relative in below(&folder) {
        let wanted = wants(file, &relative)?;
        if wanted == Wanted::No {
            continue;
        }
        if found.len() == MAX_FILES {
            let detail = format!("only the first {MAX_FILES} are told");
            found.push(Outlook { about: "more files".to_owned(), would: "look", detail, at_ms: None });
            break;
        }
        let (would, detail) = match wanted {
            Wanted::Excluded | Wanted::No => ("excluded", "`exclude` leaves it out".to_owned()),
            Wanted::Yes => fate(&folder.join(&relative), trigger, file, reader, paused)?,
        };
        found.push(Outlook { about: relative, would, detail, at_ms: None });
    }
    Ok(found)
}

fn fate(
    path: &Path,
    trigger: &Trigger,
    file: &FileTrigger,
    reader: Option<&Reader>,
    paused: bool,
) -> Result<(&'static str, String), QueryError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Ok(("blocked", error.to_string())),
    };
    if let Some(reader) = reader {
        let known = match file.identity {
            Identity::Content if metadata.len() > MAX_READ => None,
            Identity::Content => match digest(path) {
                Ok(digest) => reader.ledger(&trigger.id, &digest)?,
                Err(error) => return Ok(("blocked", error.to_string())),
            },
            Identity::Stat => None,
        };
        if let Some(row) = known {
            let run = match row.run {
                None => String::new(),
                Some(run) if reader.run(run)?.is_some() => format!(", run {run}"),
                Some(run) => format!(", run {run}, which is no longer kept"),
            };
            return Ok(("deduped", format!("the ledger knows it as {}{run}", row.path)));
        }
    }
    if paused {
        return Ok(("stay", "the trigger is paused".to_owned()));
    }
    let age = metadata.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
    if age < file.settle.to_std() {
        return Ok(("wait", format!("it has not stood still for {}", file.settle)));
    }
    let unread = metadata.len() > MAX_READ && file.identity == Identity::Content;
    let detail = match (unread, &file.batch) {
        (true, _) => "unless the ledger knows it; it is too large to be read for this".to_owned(),
        (false, Some(batch)) => format!("together with up to {} others", batch.max_files.saturating_sub(1)),
        (false, None) => String::new(),
    };
    Ok(("start", detail))
}

fn digest(path: &Path) -> std::io::Result<String> {
    // At most MAX_READ, which is what a person waits for gladly.
    Ok(Digest::of(&fs::read(path)?).to_string())
}

/// Regular files below a folder, by path; links are not followed.
fn below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    let mut seen = 0;
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(folder.join(&next)).into_iter().flatten().flatten() {
            seen += 1;
            let Ok(kind) = entry.file_type() else { continue };
            let path = next.join(entry.file_name());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push(path.to_string_lossy().into_owned());
            }
        }
        if seen > MAX_ENTRIES {
            break;
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_in_subfolders_are_found_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/x.csv"), "x").unwrap();
        fs::write(folder.path().join("a.csv"), "a").unwrap();
        std::os::unix::fs::symlink(folder.path().join("a.csv"), folder.path().join("link.csv")).unwrap();
        assert_eq!(below(folder.path()), ["a.csv", "b/x.csv"]);
        assert!(below(&folder.path().join("missing")).is_empty());
    }
}

//! Files of the project that a workflow names as a step's input.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use trackside_codes::Reason;

use trackside_engine::StepError;
use trackside_spec::{ArtifactRef, media_type};
use trackside_store::Hold;

use crate::workshop::Workshop;

/// Copies a file of the project into the artifact store.
pub async fn stage(workshop: &Arc<Workshop>, hold: &Hold, path: &str) -> Result<ArtifactRef, StepError> {
    let (hold, project, path) = (hold.clone(), workshop.project.clone(), path.to_owned());
    let staged = tokio::task::spawn_blocking(move || {
        let refuse = |reason: Reason| StepError::fatal("bad-input", format!("{path:?} of the project: {reason}"));
        let full = project_file(&project, &path).map_err(refuse)?;
        let mut file = std::fs::File::open(&full).map_err(|error| refuse(Reason::disk(error)))?;
        let name = Path::new(&path).file_name().and_then(|name| name.to_str()).unwrap_or("file");
        hold.store(&mut file, name, media_type(name)).map_err(|error| refuse(Reason::disk(error)))
    });
    staged.await.map_err(|error| StepError::fatal("internal-error", error.to_string()))?
}

/// The real path of a file that a workflow names for a step, when that is a regular file below the project folder. The one
/// rule for what is staged, when it runs and when it is checked.
///
/// # Errors
/// Why it may not be used, without its name.
pub fn project_file(project: &Path, path: &str) -> Result<PathBuf, Reason> {
    let root = project.canonicalize().map_err(Reason::disk)?;
    let full = root.join(path).canonicalize().map_err(Reason::disk)?;
    if !full.starts_with(&root) {
        return Err("it lies outside the project folder".into());
    }
    if !full.is_file() {
        return Err("it is not a file".into());
    }
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_project_are_staged() {
        let project = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(project.path().join("a.json"), "{}").unwrap();
        std::os::unix::fs::symlink(outside.path(), project.path().join("link")).unwrap();
        assert!(project_file(project.path(), "a.json").is_ok());
        for bad in ["../x", "link", "/etc/hostname", ".", "missing"] {
            assert!(project_file(project.path(), bad).is_err(), "{bad}");
        }
    }
}

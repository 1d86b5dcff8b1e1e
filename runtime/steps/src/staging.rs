//! Files of the project that a workflow names as a step's input.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use trackside_engine::StepError;
use trackside_spec::{ArtifactRef, media_type};
use trackside_store::Hold;

use crate::workshop::Workshop;

/// Why a file that a workflow names is not staged. The texts say it without its name.
#[derive(Debug, thiserror::Error)]
pub enum NotStaged {
    /// It can not be reached or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A link or `..` leads out of the project.
    #[error("it lies outside the project folder")]
    Outside,
    /// A folder, a pipe, a device.
    #[error("it is not a file")]
    NotAFile,
}

/// Copies a file of the project into the artifact store.
pub async fn stage(workshop: &Arc<Workshop>, hold: &Hold, path: &str) -> Result<ArtifactRef, StepError> {
    let (hold, project, path) = (hold.clone(), workshop.project.clone(), path.to_owned());
    let staged = tokio::task::spawn_blocking(move || {
        let stored = project_file(&project, &path).and_then(|full| {
            let name = Path::new(&path).file_name().and_then(|name| name.to_str()).unwrap_or("file");
            Ok(hold.store(&mut std::fs::File::open(full)?, name, media_type(name))?)
        });
        stored.map_err(|reason| StepError::fatal("bad-input", format!("{path:?} of the project: {reason}")))
    });
    staged.await.map_err(|error| StepError::fatal("internal-error", error.to_string()))?
}

/// The real path of a file that a workflow names for a step, when that is a regular file below the project folder. The one
/// rule for what is staged, when it runs and when it is checked.
///
/// # Errors
/// Why it may not be used.
pub fn project_file(project: &Path, path: &str) -> Result<PathBuf, NotStaged> {
    let root = project.canonicalize()?;
    let full = root.join(path).canonicalize()?;
    if !full.starts_with(&root) {
        return Err(NotStaged::Outside);
    }
    if !full.is_file() {
        return Err(NotStaged::NotAFile);
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

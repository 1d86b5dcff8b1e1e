//! Files of the project that a workflow names as a step's input.

use std::{path::Path, sync::Arc};

use trackside_engine::StepError;
use trackside_spec::ArtifactRef;
use trackside_store::Hold;
use trackside_triggers::files::media_type;

use crate::executor::Workshop;

/// Copies a file of the project into the artifact store.
pub async fn stage(workshop: &Arc<Workshop>, hold: &Hold, path: &str) -> Result<ArtifactRef, StepError> {
    let (hold, project, path) = (hold.clone(), workshop.project.clone(), path.to_owned());
    let staged = tokio::task::spawn_blocking(move || {
        let refuse = |reason: String| StepError::fatal("bad-input", format!("{path:?} of the project: {reason}"));
        let full = inside(&project, &path).map_err(refuse)?;
        let mut file = std::fs::File::open(&full).map_err(|error| refuse(error.to_string()))?;
        let name = Path::new(&path).file_name().and_then(|name| name.to_str()).unwrap_or("file");
        hold.store(&mut file, name, media_type(name)).map_err(|error| refuse(error.to_string()))
    });
    staged.await.map_err(|error| StepError::fatal("internal-error", error.to_string()))?
}

/// The file's real path, when that is a regular file below the project.
fn inside(project: &Path, path: &str) -> Result<std::path::PathBuf, String> {
    let root = project.canonicalize().map_err(|error| error.to_string())?;
    let full = root.join(path).canonicalize().map_err(|error| error.to_string())?;
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
        assert!(inside(project.path(), "a.json").is_ok());
        for bad in ["../x", "link", "/etc/hostname", ".", "missing"] {
            assert!(inside(project.path(), bad).is_err(), "{bad}");
        }
    }
}

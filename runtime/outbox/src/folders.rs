//! Folders that the node makes for others to use.

use std::{fs, io, path::Path};

/// Makes `folder` with what is missing above it, each flushed into the folder that it lies in, so that a power cut takes
/// none of them from below a file that is already said to be there.
///
/// `root` is never made: a project that was moved away, or whose disk is not mounted, is not begun anew under its old name,
/// where it would be in the way when it comes back.
///
/// # Errors
/// When `root` is above `folder` and not there, or the system refuses.
pub fn make(root: &Path, folder: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for place in folder.ancestors().take_while(|place| !place.is_dir()) {
        if place == root {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the project's folder is not there"));
        }
        missing.push(place);
    }
    for place in missing.into_iter().rev() {
        match fs::create_dir(place) {
            Ok(()) => place.parent().map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all())?,
            // By somebody else, in the meantime.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && place.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::make;

    #[test]
    fn what_is_missing_is_made_below_the_project_and_never_the_project() {
        let base = tempfile::tempdir().unwrap();
        let (root, outside) = (base.path().join("project"), base.path().join("disk"));
        assert!(make(&root, &root.join("a/b")).is_err());
        assert!(!root.exists());
        std::fs::create_dir(&root).unwrap();
        for folder in [root.join("a/b/c"), root.join("a/b/c"), root.join("./d/../e"), outside.join("f/g")] {
            make(&root, &folder).unwrap();
            assert!(folder.is_dir(), "{}", folder.display());
        }
        std::fs::write(root.join("file"), "").unwrap();
        assert!(make(&root, &root.join("file")).is_err());
        assert!(make(&root, &root.join("file/below")).is_err());
    }
}

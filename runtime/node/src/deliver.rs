//! Puts an artifact below a granted folder: temporary file, flush, rename, flush of the folder.
//!
//! The path comes from a plugin and is hostile: every component is opened without following links, so nothing is ever
//! written outside the folder. Doing it again after a crash does nothing: a file with the same bytes counts as done.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags, RenameFlags, fsync, mkdirat, open, openat, renameat, renameat_with, unlinkat},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use trackside_spec::{ArtifactRef, Digest};
use trackside_store::Artifacts;

use crate::folders;

/// An outbox entry: one file to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// What.
    pub artifact: ArtifactRef,
    /// The granted folder, as the workflow names it.
    pub folder: String,
    /// Below the folder, with `/`.
    pub path: String,
    /// What to do when something lies there already.
    pub present: Present,
}

/// What to do when a file lies at the target already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Present {
    /// Leave it and report a refusal.
    Refuse,
    /// Leave it and call that done.
    Keep,
    /// Overwrite it.
    Replace,
    /// Deliver beside it as `name-1.ext`, `name-2.ext`, …
    Number,
}

/// How a delivery failed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// It can never succeed.
    #[error("{0}")]
    Refused(String),
    /// It may succeed later.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// No more names are tried for [`Present::Number`].
const MAX_NUMBER: u32 = 10_000;

impl Delivery {
    /// The target as people read it.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{}/{}", self.folder.trim_end_matches('/'), self.path)
    }

    /// Carries the delivery out; relative folders are below `project`.
    ///
    /// # Errors
    /// [`DeliveryError::Refused`] when no repeat can help, [`DeliveryError::Io`] when one may.
    pub fn carry_out(&self, artifacts: &Artifacts, project: &Path) -> Result<PathBuf, DeliveryError> {
        let folder = project.join(&self.folder);
        let failed = |action| {
            let path = folder.join(&self.path);
            move |errno: Errno| DeliveryError::Io { action, path, source: errno.into() }
        };
        let (parents, name) = split(&self.path)?;
        folders::make(project, &folder).map_err(|source| DeliveryError::Io {
            action: "create the folder",
            path: folder.clone(),
            source,
        })?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut dir = open(&folder, flags, Mode::empty()).map_err(failed("open the folder of"))?;
        for parent in &parents {
            dir = descend(&dir, parent).map_err(|errno| match errno {
                Errno::LOOP | Errno::NOTDIR => {
                    let target = self.target();
                    DeliveryError::Refused(format!("{parent:?} in {target} is a link or a file, not a folder"))
                }
                errno => failed("open a folder of")(errno),
            })?;
        }
        let reached = parents.iter().fold(folder.clone(), |path, parent| path.join(parent));
        let mut source = artifacts.open_artifact(&self.artifact.digest).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                return DeliveryError::Refused(format!("artifact {} is not in the store", self.artifact.digest));
            }
            DeliveryError::Io { action: "read the artifact for", path: reached.join(name), source }
        })?;
        if self.present != Present::Number {
            return self.place(&dir, name, &mut source).map_err(failed_or("write", &reached, name))?.map_or_else(
                || Err(DeliveryError::Refused(format!("{} exists already", self.target()))),
                |()| Ok(reached.join(name)),
            );
        }
        for number in 0..MAX_NUMBER {
            let name = numbered(name, number);
            if self.place(&dir, &name, &mut source).map_err(failed_or("write", &reached, &name))?.is_some() {
                return Ok(reached.join(name));
            }
        }
        Err(DeliveryError::Refused(format!("{} and {MAX_NUMBER} numbered names beside it exist", self.target())))
    }

    /// Writes the file under this name; `None` when another file has it and may not be replaced.
    fn place(&self, dir: &OwnedFd, name: &str, source: &mut File) -> io::Result<Option<()>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let occupied = match openat(dir, name, flags, Mode::empty()) {
            Ok(existing) => {
                if self.present == Present::Keep || holds(&mut File::from(existing), &self.artifact)? {
                    // An earlier attempt may have got this far; its rename may not be on disk yet.
                    fsync(dir)?;
                    return Ok(Some(()));
                }
                true
            }
            // A link: never followed, replaced only when asked.
            Err(Errno::LOOP) => true,
            Err(Errno::NOENT) => false,
            Err(errno) => return Err(errno.into()),
        };
        if occupied && self.present != Present::Replace {
            return Ok(if self.present == Present::Keep { Some(()) } else { None });
        }
        let temp = format!(".{}.trackside-part", self.artifact.digest.short());
        // A leftover of a crash: this is the only process and the only thread that delivers.
        match unlinkat(dir, &temp, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(dir, &temp, flags, Mode::from_raw_mode(0o644))?);
        let written = io::Seek::rewind(source).and_then(|()| io::copy(source, &mut file)).and_then(|_| file.sync_all());
        let renamed = written.and_then(|()| match self.present {
            Present::Replace => Ok(renameat(dir, &temp, dir, name)?),
            _ => Ok(renameat_with(dir, &temp, dir, name, RenameFlags::NOREPLACE)?),
        });
        if let Err(error) = renamed {
            // What stays is removed by the next attempt.
            let _ = unlinkat(dir, &temp, AtFlags::empty());
            return if error.kind() == io::ErrorKind::AlreadyExists { Ok(None) } else { Err(error) };
        }
        fsync(dir)?;
        Ok(Some(()))
    }
}

fn failed_or<'a>(
    action: &'static str,
    folder: &'a Path,
    name: &'a str,
) -> impl FnOnce(io::Error) -> DeliveryError + 'a {
    move |source| DeliveryError::Io { action, path: folder.join(name), source }
}

/// Whether the file holds exactly the artifact's bytes.
fn holds(file: &mut File, artifact: &ArtifactRef) -> io::Result<bool> {
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() != artifact.size {
        return Ok(false);
    }
    Ok(Digest::of_reader(file)? == artifact.digest)
}

fn split(path: &str) -> Result<(Vec<&str>, &str), DeliveryError> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let bad = |part: &&str| {
        part.is_empty() || *part == "." || *part == ".." || part.len() > 255 || part.chars().any(char::is_control)
    };
    if parts.len() > 32 || parts.iter().any(bad) {
        return Err(DeliveryError::Refused(format!("{path:?} is not a plain relative path")));
    }
    let name = parts.pop().unwrap_or_default();
    Ok((parts, name))
}

fn descend(dir: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            match mkdirat(dir, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            fsync(dir)?;
            openat(dir, name, flags, Mode::empty())
        }
        other => other,
    }
}

fn numbered(name: &str, number: u32) -> String {
    if number == 0 {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}-{number}.{extension}"),
        _ => format!("{name}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trackside_store::{Committer, Durability};

    struct Case {
        folder: tempfile::TempDir,
        committer: Committer,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let committer = Committer::open(&folder.path().join("data"), Durability::Full).unwrap();
            Self { folder, committer }
        }

        fn deliver(&self, bytes: &[u8], path: &str, present: Present) -> Result<PathBuf, DeliveryError> {
            let artifact = self.committer.artifacts().store(&mut &*bytes, "x", "text/plain").unwrap();
            let delivery = Delivery { artifact, folder: "out".into(), path: path.into(), present };
            delivery.carry_out(self.committer.artifacts(), self.folder.path())
        }

        fn read(&self, path: &str) -> String {
            std::fs::read_to_string(self.folder.path().join("out").join(path)).unwrap()
        }
    }

    #[test]
    fn a_file_is_delivered_once_however_often_it_is_tried() {
        let case = Case::new();
        for _ in 0..3 {
            case.deliver(b"one", "a/b/c.txt", Present::Refuse).unwrap();
            case.deliver(b"two", "n.txt", Present::Number).unwrap();
        }
        assert_eq!(case.read("a/b/c.txt"), "one");
        let names: Vec<_> = std::fs::read_dir(case.folder.path().join("out")).unwrap().collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn what_lies_there_is_treated_as_asked() {
        let case = Case::new();
        case.deliver(b"one", "f.txt", Present::Refuse).unwrap();
        assert!(matches!(case.deliver(b"two", "f.txt", Present::Refuse), Err(DeliveryError::Refused(_))));
        case.deliver(b"two", "f.txt", Present::Keep).unwrap();
        assert_eq!(case.read("f.txt"), "one");
        case.deliver(b"two", "f.txt", Present::Number).unwrap();
        assert_eq!(case.read("f-1.txt"), "two");
        case.deliver(b"three", "f.txt", Present::Replace).unwrap();
        assert_eq!(case.read("f.txt"), "three");
    }

    #[test]
    fn nothing_is_written_outside_the_folder() {
        let case = Case::new();
        let outside = tempfile::tempdir().unwrap();
        let out = case.folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        std::os::unix::fs::symlink(outside.path(), out.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("target"), out.join("file")).unwrap();
        for path in ["../x", "/x", "a//b", "a/../../x", "", ".", "link/x", "a\0b"] {
            let result = case.deliver(b"one", path, Present::Replace);
            assert!(matches!(result, Err(DeliveryError::Refused(_))), "{path}: {result:?}");
        }
        // A link at the target itself is replaced, not followed.
        case.deliver(b"one", "file", Present::Replace).unwrap();
        assert_eq!(case.read("file"), "one");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

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
    fs::{
        AtFlags, FileType, Mode, OFlags, RenameFlags, fsync, linkat, mkdirat, open, openat, renameat, renameat_with,
        statat, unlinkat,
    },
    io::Errno,
};
use trackside_facts::{Delivery, Present};
use trackside_spec::{
    ArtifactRef, Digest,
    delivery::{LONGEST_NAME, MOST_PARTS},
};
use trackside_store::Artifacts;

use crate::folders;

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

/// Carries the delivery out; relative folders are below `project`.
///
/// # Errors
/// [`DeliveryError::Refused`] when no repeat can help, [`DeliveryError::Io`] when one may.
pub fn carry_out(delivery: &Delivery, artifacts: &Artifacts, project: &Path) -> Result<PathBuf, DeliveryError> {
    let folder = project.join(&delivery.folder);
    let failed = |action| {
        let path = folder.join(&delivery.path);
        move |errno: Errno| DeliveryError::Io { action, path, source: errno.into() }
    };
    let (parents, name) = split(&delivery.path)?;
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
                let target = delivery.target();
                DeliveryError::Refused(format!("{parent:?} in {target} is a link or a file, not a folder"))
            }
            errno if no_name(errno) => {
                DeliveryError::Refused(format!("{parent:?} in {}: {}", delivery.target(), no_such_name(errno)))
            }
            errno => failed("open a folder of")(errno),
        })?;
    }
    let reached = parents.iter().fold(folder.clone(), |path, parent| path.join(parent));
    let mut source = artifacts.open_artifact(&delivery.artifact.digest).map_err(|source| {
        // Where the store as a whole is away (a disk that is not mounted), its artifacts come back with it.
        if source.kind() == io::ErrorKind::NotFound && artifacts.is_there() {
            return DeliveryError::Refused(format!("artifact {} is not in the store", delivery.artifact.digest));
        }
        DeliveryError::Io { action: "read the artifact for", path: reached.join(name), source }
    })?;
    for number in 0..MAX_NUMBER {
        let name = numbered(name, number);
        let path = reached.join(&name);
        let placed = place(delivery, &dir, &name, &mut source);
        match placed.map_err(|source| DeliveryError::Io { action: "write", path: path.clone(), source })? {
            Placed::Done => return Ok(path),
            Placed::Never(reason) => {
                return Err(DeliveryError::Refused(format!("{} can not be written: {reason}", delivery.target())));
            }
            Placed::Taken if delivery.present == Present::Number => {}
            Placed::Taken => return Err(DeliveryError::Refused(format!("{} exists already", delivery.target()))),
        }
    }
    Err(DeliveryError::Refused(format!("{} and {MAX_NUMBER} numbered names beside it exist", delivery.target())))
}

/// Writes the file under this name, unless another file has it and may not be replaced.
fn place(delivery: &Delivery, dir: &OwnedFd, name: &str, source: &mut File) -> io::Result<Placed> {
    match (lies_there(delivery, dir, name)?, delivery.present) {
        // An earlier attempt may have got this far; its rename may not be on disk yet.
        (There::Same, _) | (There::Other, Present::Keep) => {
            fsync(dir)?;
            return Ok(Placed::Done);
        }
        (There::Never(reason), _) => return Ok(Placed::Never(reason)),
        (There::Folder, Present::Number) => return Ok(Placed::Taken),
        (There::Folder, _) => return Ok(Placed::Never("it is a folder".to_owned())),
        (There::Other, Present::Refuse | Present::Number) => return Ok(Placed::Taken),
        (There::Other, Present::Replace) | (There::Nothing, _) => {}
    }
    let temp = format!(".{}.trackside-part", delivery.artifact.digest.short());
    // A leftover of a crash: this is the only process and the only thread that delivers.
    match unlinkat(dir, &temp, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(dir, &temp, flags, Mode::from_raw_mode(0o644))?);
    let written = io::Seek::rewind(source).and_then(|()| io::copy(source, &mut file)).and_then(|_| file.sync_all());
    let named = written.map(|()| match delivery.present {
        Present::Replace => renameat(dir, &temp, dir, name),
        _ => rename_beside(dir, &temp, name),
    });
    if !matches!(named, Ok(Ok(()))) {
        // What stays is removed by the next attempt.
        let _ = unlinkat(dir, &temp, AtFlags::empty());
    }
    match named? {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(Placed::Taken),
        Err(errno) if no_name(errno) => return Ok(Placed::Never(no_such_name(errno))),
        Err(errno) => return Err(errno.into()),
    }
    fsync(dir)?;
    Ok(Placed::Done)
}

/// What has this name.
fn lies_there(delivery: &Delivery, dir: &OwnedFd, name: &str) -> io::Result<There> {
    let look = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(look) => look,
        Err(Errno::NOENT) => return Ok(There::Nothing),
        Err(errno) if no_name(errno) => return Ok(There::Never(no_such_name(errno))),
        Err(errno) => return Err(errno.into()),
    };
    match FileType::from_raw_mode(look.st_mode) {
        FileType::Directory => return Ok(There::Folder),
        FileType::RegularFile => {}
        // A link, which is never followed, a pipe, a socket: nothing that was delivered.
        _ => return Ok(There::Other),
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Ok(existing) => {
            Ok(if holds(&mut File::from(existing), &delivery.artifact)? { There::Same } else { There::Other })
        }
        // Somebody else's, or gone since.
        Err(Errno::ACCESS | Errno::PERM | Errno::LOOP) => Ok(There::Other),
        Err(Errno::NOENT) => Ok(There::Nothing),
        Err(errno) => Err(errno.into()),
    }
}

/// What became of an attempt to write a file under a name.
enum Placed {
    /// It is there.
    Done,
    /// Something else has the name.
    Taken,
    /// No repeat can help; why.
    Never(String),
}

/// What lies under a name.
enum There {
    Nothing,
    /// A file with the bytes to deliver.
    Same,
    /// Another one, or no file at all.
    Other,
    Folder,
    /// Nothing can lie there; why.
    Never(String),
}

/// Whether it is the name that the system does not take: too long, or with characters that its file system does not have.
/// No repeat helps, and everything that goes to the same folder would wait behind it.
fn no_name(errno: Errno) -> bool {
    matches!(errno, Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ)
}

fn no_such_name(errno: Errno) -> String {
    format!("the file system takes no such name: {}", io::Error::from(errno))
}

/// Gives the file its name without replacing anything, also where a rename can not refuse that (NFS).
fn rename_beside(dir: &OwnedFd, temp: &str, name: &str) -> Result<(), Errno> {
    match renameat_with(dir, temp, dir, name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        done => return done,
    }
    match linkat(dir, temp, dir, name, AtFlags::empty()) {
        Ok(()) => unlinkat(dir, temp, AtFlags::empty()),
        // No hard links either: nothing was there a moment ago.
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => renameat(dir, temp, dir, name),
        Err(errno) => Err(errno),
    }
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
        part.is_empty()
            || *part == "."
            || *part == ".."
            || part.len() > LONGEST_NAME
            || part.chars().any(char::is_control)
    };
    if parts.len() > MOST_PARTS || parts.iter().any(bad) {
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

/// `name-1.ext`, cut where it would be longer than a name may be.
fn numbered(name: &str, number: u32) -> String {
    if number == 0 {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let end = format!("-{number}{extension}");
    format!("{}{end}", &stem[..stem.floor_char_boundary(LONGEST_NAME.saturating_sub(end.len()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use trackside_store::{Committer, Content, Durability, Hold, LARGEST_SMALL};

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
            // In memory or in a file, as large as it is.
            let hold = Hold::new(self.committer.artifacts());
            let artifact = hold.store(&mut &*bytes, "x", "text/plain").unwrap();
            let delivery = Delivery { artifact, folder: "out".into(), path: path.into(), present };
            carry_out(&delivery, self.committer.artifacts(), self.folder.path())
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
    fn a_store_that_is_away_is_waited_for_and_an_artifact_that_is_gone_is_not() {
        let case = Case::new();
        let (store, away) = (case.folder.path().join("data/artifacts"), case.folder.path().join("away"));
        let hold = Hold::new(case.committer.artifacts());
        let large = vec![b'x'; LARGEST_SMALL + 1];
        let artifact = hold.store(&mut large.as_slice(), "x", "text/plain").unwrap();
        let delivery = Delivery { artifact, folder: "out".into(), path: "a".into(), present: Present::Refuse };
        let try_it = || carry_out(&delivery, case.committer.artifacts(), case.folder.path());
        std::fs::rename(&store, &away).unwrap();
        assert!(matches!(try_it(), Err(DeliveryError::Io { .. })));
        std::fs::rename(&away, &store).unwrap();
        let found = case.committer.artifacts().content(&delivery.artifact.digest).unwrap();
        let Content::File(_, file) = found else { panic!("it is large") };
        std::fs::rename(&file, &away).unwrap();
        assert!(matches!(try_it(), Err(DeliveryError::Refused(_))));
        std::fs::rename(&away, &file).unwrap();
        try_it().unwrap();
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

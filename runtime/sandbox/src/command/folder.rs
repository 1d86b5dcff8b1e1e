//! The folder that a program sees as `/in`: exactly the given artifacts, regular files, under the given names.
//!
//! It is made for one call and removed at its end. The program cannot write to it: its handle on the folder is
//! read-only. Nothing in it leads out: there are no links, and names are checked.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Longest name of a file.
const NAME: usize = 128;

/// A folder for one call. Dropping it removes it.
#[derive(Debug)]
pub struct InputFolder {
    path: PathBuf,
}

impl InputFolder {
    /// An empty folder with a name of its own below `parent`. Blocks.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(parent: &Path) -> io::Result<Self> {
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = parent.join(format!("in-{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shows the immutable file at `source` under `name`, by a hard link; copies it where links are not possible.
    /// Blocks.
    ///
    /// # Errors
    /// When the name is none, is taken, or the file is no regular file or cannot be read.
    pub fn link(&self, name: &str, source: &Path) -> io::Result<()> {
        let target = self.target(name)?;
        // Before the link is made, which would not follow a symbolic link either.
        if !source.symlink_metadata()?.is_file() {
            return Err(io::Error::other(format!("{} is not a regular file", source.display())));
        }
        match fs::hard_link(source, &target) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                self.copy(name, &mut File::open(source)?)
            }
            other => other,
        }
    }

    /// Copies `source` to `name`. Blocks.
    ///
    /// # Errors
    /// When the name is none, is taken, or reading or writing fails.
    pub fn copy(&self, name: &str, source: &mut dyn io::Read) -> io::Result<()> {
        let target = self.target(name)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(target)?;
        io::copy(source, &mut file).map(drop)
    }

    fn target(&self, name: &str) -> io::Result<PathBuf> {
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=NAME).contains(&name.len()) && name.chars().all(inside) && !matches!(name, "." | "..");
        if fits {
            Ok(self.path.join(name))
        } else {
            let shown = crate::recorder::one_line(&name.chars().take(NAME).collect::<String>());
            Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{shown}` cannot be the name of a file in /in")))
        }
    }
}

impl Drop for InputFolder {
    fn drop(&mut self) {
        // What is left behind is removed with the folder above it at the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, os::unix::fs::MetadataExt as _};

    use super::*;

    #[test]
    fn it_holds_what_was_given_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let mut source = tempfile::NamedTempFile::new_in(parent.path()).unwrap();
        source.write_all(b"abc").unwrap();
        let folder = InputFolder::new(parent.path()).unwrap();
        folder.link("a.txt", source.path()).unwrap();
        folder.copy("b.txt", &mut File::open(source.path()).unwrap()).unwrap();
        let inode = |path: &Path| path.metadata().unwrap().ino();
        assert_eq!(inode(&folder.path().join("a.txt")), inode(source.path()), "a link costs no copy");
        assert_eq!(fs::read(folder.path().join("b.txt")).unwrap(), b"abc");
        assert!(folder.link("a.txt", source.path()).is_err(), "a name is there once");
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists() && source.path().exists());
    }

    #[test]
    fn no_name_leads_out_and_no_link_gets_in() {
        let parent = tempfile::tempdir().unwrap();
        let secret = parent.path().join("secret");
        fs::write(&secret, "x").unwrap();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        let folder = InputFolder::new(parent.path()).unwrap();
        for bad in ["", ".", "..", "../x", "a/b", "/etc", "a\0", "a b", &"x".repeat(129)] {
            assert!(folder.link(bad, &secret).is_err(), "{bad:?}");
        }
        for bad in [link.as_path(), parent.path()] {
            assert!(folder.link("a", bad).is_err(), "{}", bad.display());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

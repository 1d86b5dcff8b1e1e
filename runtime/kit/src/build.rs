//! Building a plugin project with its own language's tools.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    encode::{Kind, encode},
    error::KitError,
    manifest::Manifest,
};

/// Largest file that a build may make; the node loads none that is larger.
const SIZE: u64 = 64 << 20;

/// A finished plugin.
#[derive(Debug)]
pub struct Built {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What the tools had made.
    pub kind: Kind,
    /// Its length in bytes.
    pub size: u64,
}

/// Builds the project in `folder`: runs its command there with our standard streams, makes a component of the result
/// where it is none yet, and puts it into `dist/`.
///
/// # Errors
/// When the folder is no project, the tool fails, or what it made is no plugin.
pub fn build(folder: &Path) -> Result<Built, KitError> {
    let manifest = Manifest::read(folder)?;
    let [program, arguments @ ..] = manifest.build.command.as_slice() else {
        return Err(KitError::NoProject { folder: folder.to_owned() });
    };
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status()
        .map_err(|source| KitError::NoTool { command: program.clone(), source })?;
    if !status.success() {
        return Err(KitError::BuildFailed { command: manifest.build.command.join(" "), status });
    }
    let output = folder.join(&manifest.build.output);
    let made = read(&output)?;
    let encoded = encode(made).map_err(|reason| KitError::NoPlugin { file: output, reason })?;
    let path = manifest.dist(folder);
    write(&path, &encoded.bytes)?;
    Ok(Built { name: manifest.plugin.name, path, kind: encoded.kind, size: encoded.bytes.len() as u64 })
}

/// Puts a finished plugin into a folder under its name: whoever reads there finds the old one or the new one.
///
/// # Errors
/// When it can not be read or written.
pub fn install_file(built: &Built, folder: &Path) -> Result<PathBuf, KitError> {
    let target = folder.join(format!("{}.wasm", built.name));
    let bytes = fs::read(&built.path).map_err(KitError::io("cannot read", &built.path))?;
    write(&target, &bytes)?;
    Ok(target)
}

fn read(path: &Path) -> Result<Vec<u8>, KitError> {
    let unreadable = || KitError::io("the build did not make", path);
    let size = fs::metadata(path).map_err(unreadable())?.len();
    if size > SIZE {
        let reason = format!("has {size} bytes; the limit is {SIZE}").into();
        return Err(KitError::NoPlugin { file: path.to_owned(), reason });
    }
    fs::read(path).map_err(unreadable())
}

/// Whoever watches the file sees the old one or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), KitError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        // As any file that a build makes: others may read it, unless the umask says no.
        let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o666)).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(KitError::io("cannot write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(command: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[plugin]\nname = \"a\"\n[build]\ncommand = [\"sh\", \"-c\", {command:?}]\noutput = \"out.wasm\"\n"
        );
        fs::write(folder.path().join(crate::MANIFEST), text).unwrap();
        folder
    }

    #[test]
    fn what_the_command_makes_ends_up_in_dist() {
        let folder = project("printf '\\000asm\\015\\000\\001\\000' > out.wasm");
        let built = build(folder.path()).unwrap();
        assert_eq!((built.kind, built.size), (Kind::Component, 8));
        assert_eq!(fs::read(folder.path().join("dist/a.wasm")).unwrap().len(), 8);
    }

    #[test]
    fn a_failed_build_leaves_the_last_plugin() {
        for (command, code) in [("exit 3", "TS-0906"), ("true", "TS-0904"), ("echo x > out.wasm", "TS-0907")] {
            let folder = project(command);
            fs::create_dir(folder.path().join("dist")).unwrap();
            fs::write(folder.path().join("dist/a.wasm"), "old").unwrap();
            let error = build(folder.path()).unwrap_err().to_string();
            assert!(error.contains(code), "{command}: {error}");
            assert_eq!(fs::read(folder.path().join("dist/a.wasm")).unwrap(), b"old");
        }
    }
}

//! `plugin.toml`: what a plugin project is called and how it is built.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use trackside_spec::read_toml;

use crate::error::KitError;

/// The file that makes a folder a plugin project.
pub const MANIFEST: &str = "plugin.toml";

/// A plugin project's own description.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is.
    pub plugin: About,
    /// How it is made.
    pub build: BuildSpec,
}

/// What the plugin is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The name under which workflows find it.
    pub name: String,
}

/// How the plugin is made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildSpec {
    /// The command and its arguments, run in the project's folder.
    pub command: Vec<String>,
    /// The file that the command makes, relative to the folder.
    pub output: PathBuf,
}

impl Manifest {
    /// Reads the manifest of the project in `folder`.
    ///
    /// # Errors
    /// When there is none, or it is wrong.
    pub fn read(folder: &Path) -> Result<Self, KitError> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KitError::NoProject { folder: folder.to_owned() });
            }
            Err(error) => return Err(KitError::io("cannot read", path)(error)),
        };
        let manifest: Self = read_toml(MANIFEST, &text)?;
        check_name(&manifest.plugin.name)?;
        let refused = |reason: &str| KitError::NoPlugin { file: path.clone(), reason: reason.into() };
        if manifest.build.command.first().is_none_or(String::is_empty) {
            return Err(refused("has an empty `build.command`: give the command that builds the plugin"));
        }
        let inside = manifest.build.output.components().all(|part| matches!(part, Component::Normal(_)));
        if !inside || manifest.build.output.as_os_str().is_empty() {
            return Err(refused("has a `build.output` outside of the project: give a relative path without `..`"));
        }
        Ok(manifest)
    }

    /// Where the finished plugin goes.
    #[must_use]
    pub fn dist(&self, folder: &Path) -> PathBuf {
        folder.join("dist").join(format!("{}.wasm", self.plugin.name))
    }
}

/// Whether workflows can call a plugin so.
pub(crate) fn check_name(name: &str) -> Result<(), KitError> {
    let fits = (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits { Ok(()) } else { Err(KitError::BadName { name: name.chars().take(80).collect() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, KitError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(MANIFEST), text).unwrap();
        Manifest::read(folder.path())
    }

    #[test]
    fn a_manifest_says_what_and_how() {
        let text = "[plugin]\nname = \"line-stats\"\n[build]\ncommand = [\"make\"]\noutput = \"out/core.wasm\"\n";
        let manifest = read(text).unwrap();
        assert_eq!(manifest.dist(Path::new("/p")), Path::new("/p/dist/line-stats.wasm"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let good = "[plugin]\nname = \"a\"\n[build]\ncommand = [\"make\"]\noutput = \"a.wasm\"\n";
        for (from, to, says) in [
            ("name = \"a\"", "name = \"A b\"", "TS-0902"),
            ("name = \"a\"", "nam = \"a\"", "TS-0102"),
            ("[\"make\"]", "[]", "build.command"),
            ("\"a.wasm\"", "\"../a.wasm\"", "build.output"),
            ("\"a.wasm\"", "\"/a.wasm\"", "build.output"),
            ("\"a.wasm\"", "\"\"", "build.output"),
        ] {
            let error = read(&good.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{to}: {error}");
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(Manifest::read(empty.path()).unwrap_err().to_string().contains("TS-0901"));
    }
}

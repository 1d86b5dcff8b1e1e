//! New plugin projects, from the templates and SDKs that the binary carries: nothing is fetched.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{error::KitError, manifest::check_name};

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the languages' names")]
pub enum Language {
    Rust,
    C,
    Go,
    Js,
    Ts,
    Python,
    Zig,
    AssemblyScript,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Rust, Self::C, Self::Go, Self::Js, Self::Ts, Self::Python, Self::Zig, Self::AssemblyScript];

    /// As people write it after `--lang`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Go => "go",
            Self::Js => "js",
            Self::Ts => "ts",
            Self::Python => "python",
            Self::Zig => "zig",
            Self::AssemblyScript => "assemblyscript",
        }
    }

    /// The folder of its SDK in the repository; languages without one make WASI commands.
    const fn sdk(self) -> Option<&'static str> {
        match self {
            Self::Rust => Some("plugins/sdk/"),
            Self::C | Self::Zig => Some("plugins/sdk-c/"),
            Self::Go => Some("plugins/sdk-go/"),
            Self::Js | Self::Ts => Some("plugins/sdk-js/"),
            Self::Python => Some("plugins/sdk-python/"),
            Self::AssemblyScript => None,
        }
    }
}

/// A project that was made.
#[derive(Debug)]
pub struct NewProject {
    /// Its folder.
    pub folder: PathBuf,
    /// Its files, relative to the folder; those of the contract and the SDK are left out.
    pub files: Vec<PathBuf>,
}

/// Makes the project `name` in `folder`, which must be empty or not there.
///
/// # Errors
/// When the name is none, the folder holds something, or can not be written.
pub fn create(language: Language, name: &str, folder: &Path) -> Result<NewProject, KitError> {
    check_name(name)?;
    let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file();
    if occupied {
        return Err(KitError::Exists { folder: folder.to_owned() });
    }
    let template = format!("plugins/templates/{}/", language.name());
    let mut files = Vec::new();
    for (path, content) in FILES {
        if let Some(inside) = path.strip_prefix(template.as_str()) {
            let inside = PathBuf::from(filled(inside, name));
            let content = std::str::from_utf8(content).map(|text| filled(text, name).into_bytes());
            write(&folder.join(&inside), &content.unwrap_or_default())?;
            files.push(inside);
        } else if let Some(inside) = language.sdk().and_then(|sdk| path.strip_prefix(sdk)) {
            write(&folder.join("trackside/sdk").join(inside), &moved(content))?;
        } else if language.sdk().is_some() && path.starts_with("wit/") {
            write(&folder.join("trackside").join(path), content)?;
        }
    }
    Ok(NewProject { folder: folder.to_owned(), files })
}

/// An SDK's file where the contract lies beside the SDK: in the repository it is one folder further up.
fn moved(content: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(content) {
        Ok(text) => text.replace("\"../../wit\"", "\"../wit\"").into_bytes(),
        Err(_) => content.to_vec(),
    }
}

/// A template's text with the project's name in it.
fn filled(text: &str, name: &str) -> String {
    text.replace("{{name}}", name).replace("{{name_snake}}", &name.replace('-', "_"))
}

fn write(path: &Path, content: &[u8]) -> Result<(), KitError> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(content)
    };
    write().map_err(KitError::io("cannot write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_makes_a_project_that_can_be_read() {
        for language in Language::ALL {
            let folder = tempfile::tempdir().unwrap();
            let project = create(language, "my-step", &folder.path().join("my-step")).unwrap();
            let manifest = crate::Manifest::read(&project.folder).unwrap();
            assert_eq!(manifest.plugin.name, "my-step", "{language:?}");
            assert!(project.folder.join("README.md").is_file(), "{language:?}");
            let cases = fs::read_dir(project.folder.join("tests")).unwrap();
            let cases: Vec<_> = cases
                .map(|entry| entry.unwrap().path())
                .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
                .collect();
            assert!(!cases.is_empty(), "{language:?}");
            for case in cases {
                crate::Case::read(&case).unwrap();
            }
            for file in &project.files {
                let text = fs::read_to_string(project.folder.join(file)).unwrap();
                assert!(!text.contains("{{") || language == Language::Go, "{language:?} {}", file.display());
            }
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mine"), "").unwrap();
        let error = create(Language::Js, "a", folder.path()).unwrap_err();
        assert!(error.to_string().contains("TS-0903"), "{error}");
        assert!(create(Language::Js, "../a", &folder.path().join("a")).unwrap_err().to_string().contains("TS-0902"));
    }
}

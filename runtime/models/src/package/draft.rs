//! What somebody gives to make a version of: one file and its weights, or a folder.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};
use trackside_spec::{Digest, config::EngineChoice};

use super::{FileEntry, Manifest, PackageError, PackageLimits, limits::key, path};

/// What the golden vectors are called in a package.
pub const GOLDEN: &str = "golden.safetensors";
/// The model in a folder that has several.
pub const MODEL: &str = "model.onnx";

/// What is said about a version besides its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The engine that runs it, unless the box's config says otherwise.
    pub engine: EngineChoice,
    /// Under which licence it may be used.
    pub licence: Option<String>,
    /// Where it comes from.
    pub origin: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// The files of a version-to-be, where they lie now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    model: String,
    files: Vec<DraftFile>,
    golden: Option<String>,
    labels: BTreeMap<String, String>,
    max_batch: Option<u32>,
    about: About,
    signatures: Option<Vec<u8>>,
    /// What lies in the folder and is not taken: names that begin with a dot.
    pub left_out: Vec<String>,
}

/// A file of a version-to-be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftFile {
    /// Its path in the package.
    pub path: String,
    /// Where it lies.
    pub source: PathBuf,
}

impl Draft {
    /// A model file and the weight files beside it.
    ///
    /// # Errors
    /// When it is no file, or has a name that no package takes.
    pub fn of_file(file: &Path, weights: &[String]) -> Result<Self, PackageError> {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| given(file, "its name is no text"))?;
        let mut files = vec![DraftFile { path: name.to_owned(), source: file.to_owned() }];
        let folder = file.parent().unwrap_or(Path::new("."));
        for weight in weights {
            files.push(DraftFile { path: weight.clone(), source: folder.join(weight) });
        }
        Ok(Self::new(name.to_owned(), files))
    }

    /// All files of a folder. The model is its one `.onnx` file, or the one called `model.onnx`; `golden.safetensors` are its
    /// golden vectors.
    ///
    /// # Errors
    /// When it holds no model or several, a link, or more than a package may be.
    pub fn of_folder(folder: &Path, limits: &PackageLimits) -> Result<Self, PackageError> {
        let mut found = Found { files: Vec::new(), left_out: Vec::new(), limits };
        found.look(folder, "", 1)?;
        found.files.sort_by(|a, b| a.path.cmp(&b.path));
        let of_kind = |file: &&DraftFile| file.path.ends_with(".onnx") && !file.path.contains('/');
        let models: Vec<&str> = found.files.iter().filter(of_kind).map(|file| file.path.as_str()).collect();
        let model = match models.as_slice() {
            [] => return Err(given(folder, "it holds no .onnx file")),
            [only] => (*only).to_owned(),
            several if several.contains(&MODEL) => MODEL.to_owned(),
            several => {
                let some = several.iter().take(5).copied().collect::<Vec<_>>().join(", ");
                let reason =
                    format!("it holds several models ({some}); name the one that is meant {MODEL}, or give the file");
                return Err(given(folder, &reason));
            }
        };
        let Found { files, left_out, .. } = found;
        let golden = files.iter().any(|file| file.path == GOLDEN).then(|| GOLDEN.to_owned());
        Ok(Self { golden, left_out, ..Self::new(model, files) })
    }

    fn new(model: String, files: Vec<DraftFile>) -> Self {
        Self {
            model,
            files,
            golden: None,
            labels: BTreeMap::new(),
            max_batch: None,
            about: About::default(),
            signatures: None,
            left_out: Vec::new(),
        }
    }

    /// With signatures, which are no part of it.
    #[must_use]
    pub fn with_signatures(self, signatures: Vec<u8>) -> Self {
        Self { signatures: Some(signatures), ..self }
    }

    /// Its signatures.
    #[must_use]
    pub fn signatures(&self) -> Option<&[u8]> {
        self.signatures.as_deref()
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &[DraftFile] {
        &self.files
    }

    /// The model's path among them.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Without some of the files: what speaks of one that is left out, does not any more.
    #[must_use]
    pub fn without(mut self, is_out: impl Fn(&DraftFile) -> bool) -> Self {
        self.files.retain(|file| !is_out(file));
        let has = |name: &String| self.files.iter().any(|file| file.path == *name);
        self.golden = self.golden.filter(has);
        self
    }

    /// With golden vectors from a file elsewhere.
    #[must_use]
    pub fn with_golden(mut self, file: &Path) -> Self {
        self.files.retain(|known| known.path != GOLDEN);
        self.files.push(DraftFile { path: GOLDEN.to_owned(), source: file.to_owned() });
        Self { golden: Some(GOLDEN.to_owned()), ..self }
    }

    /// With the names of an output's classes from a file elsewhere.
    #[must_use]
    pub fn with_labels(mut self, output: &str, name: &str, file: &Path) -> Self {
        if !self.files.iter().any(|known| known.path == name) {
            self.files.push(DraftFile { path: name.to_owned(), source: file.to_owned() });
        }
        self.labels.insert(output.to_owned(), name.to_owned());
        self
    }

    /// With the largest batch that it is meant for.
    #[must_use]
    pub fn with_max_batch(self, max_batch: Option<u32>) -> Self {
        Self { max_batch, ..self }
    }

    /// With what is said about it.
    #[must_use]
    pub fn about(self, about: About) -> Self {
        Self { about, ..self }
    }

    /// The model's file where it lies now.
    #[must_use]
    pub fn model_path(&self) -> Option<&Path> {
        self.files.iter().find(|file| file.path == self.model).map(|file| file.source.as_path())
    }

    /// Reads all files through and says what they are.
    ///
    /// # Errors
    /// When one can not be read, is a link or no file, or they are more than a package may be.
    pub fn manifest(&self, limits: &PackageLimits) -> Result<Manifest, PackageError> {
        let mut left = limits.bytes.as_bytes();
        let mut files = Vec::new();
        for file in &self.files {
            path::check(&file.path, limits)?;
            let (open, size) = open_file(&file.source)?;
            if size > left {
                return Err(PackageError::TooMuch {
                    what: format!("its files have more than {} together ({})", limits.bytes, key("bytes")),
                });
            }
            // One that grows meanwhile is told when it is copied.
            let digest = Digest::of_reader(&mut open.take(size)).map_err(PackageError::io("read", &file.source))?;
            left -= size;
            files.push(FileEntry { path: file.path.clone(), size, digest });
        }
        let About { engine, licence, origin, description } = self.about.clone();
        let manifest = Manifest {
            golden: self.golden.clone(),
            labels: self.labels.clone(),
            max_batch: self.max_batch,
            engine,
            licence,
            origin,
            description,
            ..Manifest::new(self.model.clone(), files)
        };
        manifest.check(limits)?;
        Ok(manifest)
    }

    /// Opens the file of this path in the package.
    ///
    /// # Errors
    /// When it can not be read, or is not there.
    pub fn open(&self, path: &str) -> Result<File, PackageError> {
        let file = self.files.iter().find(|file| file.path == path);
        let file = file.ok_or_else(|| PackageError::Manifest { reason: format!("there is no file {path}") })?;
        Ok(open_file(&file.source)?.0)
    }
}

fn given(path: &Path, reason: &str) -> PackageError {
    PackageError::Given { path: path.to_owned(), reason: reason.to_owned() }
}

/// Opens a regular file, never a link, and says its size. Never waits, as for a pipe's other end.
pub(super) fn open_file(path: &Path) -> Result<(File, u64), PackageError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => return Err(given(path, "it is a symbolic link; give the file itself")),
        Err(error) => return Err(PackageError::io("read", path)(error.into())),
    };
    let about = file.metadata().map_err(PackageError::io("read", path))?;
    if !about.is_file() {
        return Err(given(path, "it is no regular file"));
    }
    Ok((file, about.len()))
}

/// The files of a folder, as they are found.
struct Found<'a> {
    files: Vec<DraftFile>,
    left_out: Vec<String>,
    limits: &'a PackageLimits,
}

impl Found<'_> {
    fn look(&mut self, folder: &Path, below: &str, depth: usize) -> Result<(), PackageError> {
        for entry in fs::read_dir(folder).map_err(PackageError::io("read the folder", folder))? {
            let entry = entry.map_err(PackageError::io("read the folder", folder))?;
            let source = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| given(&source, "its name is no text"))?;
            let path = format!("{below}{name}");
            if name.starts_with('.') {
                // As many as are told.
                if self.left_out.len() < 16 {
                    self.left_out.push(path);
                }
                continue;
            }
            let kind = entry.file_type().map_err(PackageError::io("look at", &source))?;
            if kind.is_symlink() {
                return Err(given(&source, "it is a symbolic link; a model's files lie in its own folder"));
            }
            if kind.is_dir() {
                if depth >= self.limits.depth {
                    let deep = path::folders(self.limits.depth);
                    let what = format!("{} lies more than {deep} deep ({})", source.display(), key("depth"));
                    return Err(PackageError::TooMuch { what });
                }
                self.look(&source, &format!("{path}/"), depth + 1)?;
                continue;
            }
            if !kind.is_file() {
                return Err(given(&source, "it is no regular file"));
            }
            if self.files.len() >= self.limits.files {
                let most = self.limits.files;
                let what = format!("{} holds more files than the {most} of {}", folder.display(), key("files"));
                return Err(PackageError::TooMuch { what });
            }
            self.files.push(DraftFile { path, source });
        }
        Ok(())
    }
}

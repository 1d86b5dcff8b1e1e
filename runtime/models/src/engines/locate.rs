//! Where a library of ONNX Runtime may be.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Serialize;

use crate::install::{PINNED_VERSION, engine_dir};

/// A place that was looked at, and what was wrong there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// What sent us there: `configuration`, `ORT_DYLIB_PATH`, …
    pub source: &'static str,
    /// The path, or the name that the system's loader was asked for.
    pub path: PathBuf,
    /// Why it did not do.
    pub reason: String,
}

/// One line for messages.
pub(crate) fn tried_lines(tried: &[Tried]) -> String {
    let mut line = String::new();
    for (index, one) in tried.iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        let _ = write!(line, "{separator}{} ({}): {}", one.path.display(), one.source, one.reason);
    }
    if line.is_empty() { "nothing".to_owned() } else { line }
}

/// A library to try.
pub(super) struct Candidate {
    pub(super) source: &'static str,
    pub(super) path: PathBuf,
    /// The system's loader searches for it; everything else is a file.
    pub(super) by_loader: bool,
}

impl Candidate {
    fn file(source: &'static str, path: PathBuf) -> Self {
        Self { source, path, by_loader: false }
    }
}

/// Names that the library goes by, the exact one first.
fn library_names() -> &'static [&'static str] {
    if cfg!(target_os = "macos") { &["libonnxruntime.dylib"] } else { &["libonnxruntime.so.1", "libonnxruntime.so"] }
}

/// The library in `folder`, the highest version when there are several.
pub(super) fn library_in(folder: &Path) -> Option<PathBuf> {
    let mut versioned: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let numbers = name.to_str()?.strip_prefix("libonnxruntime.so.")?;
            let version = numbers.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            Some((version, entry.path()))
        })
        .collect();
    versioned.sort();
    versioned.pop().map(|(_, path)| path).or_else(|| {
        let named = library_names().iter().map(|name| folder.join(name));
        named.into_iter().find(|path| path.is_file())
    })
}

/// A folder stands for the library in it.
fn file_or_folder(path: &Path) -> PathBuf {
    if path.is_dir() { library_in(path).unwrap_or_else(|| path.join(library_names()[0])) } else { path.to_owned() }
}

/// The candidates in order, Python's folder and the loader's path left out: those cost a process, or certainty.
///
/// A path that was configured is the only one: running on another library than the one that was asked for would be
/// worse than a clear refusal.
pub(super) fn files(configured: Option<&Path>, data_dir: &Path) -> Vec<Candidate> {
    if let Some(path) = configured {
        return vec![Candidate::file("configuration", file_or_folder(path))];
    }
    let mut found = Vec::new();
    let pinned = engine_dir(data_dir);
    if let Some(library) = library_in(&pinned) {
        found.push(Candidate::file("data folder", library));
    }
    // Earlier and later versions that an installation has left, newest name first.
    let mut others: Vec<PathBuf> = fs::read_dir(data_dir.join("engine"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    others.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        *path != pinned && name.starts_with("onnxruntime-")
    });
    others.sort();
    found.extend(others.iter().rev().filter_map(|folder| Some(Candidate::file("data folder", library_in(folder)?))));
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        // Made absolute: a bare name would be searched for beside the executable.
        let path = PathBuf::from(path);
        found.push(Candidate::file("ORT_DYLIB_PATH", file_or_folder(&std::path::absolute(&path).unwrap_or(path))));
    }
    if let Some(folder) = env::current_exe().ok().as_deref().and_then(Path::parent) {
        for place in [folder.to_owned(), folder.join("lib"), folder.join("../lib/trackside")] {
            found.extend(library_in(&place).map(|library| Candidate::file("beside the program", library)));
        }
    }
    found
}

/// What the system's loader may find.
pub(super) fn by_loader() -> impl Iterator<Item = Candidate> {
    library_names().iter().map(|name| Candidate { source: "system loader", path: PathBuf::from(name), by_loader: true })
}

/// Whether `library` is the one that `trackside engine install` has put there.
pub(super) fn is_pinned(library: &Path, data_dir: &Path) -> bool {
    library.parent() == Some(engine_dir(data_dir).as_path())
        && library.file_name().and_then(|name| name.to_str()) == Some(&format!("libonnxruntime.so.{PINNED_VERSION}"))
}

//! The manifest: what a version of a model is, in one file. Its digest names the version, so its bytes are kept as they are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use trackside_spec::{Digest, config::EngineChoice};

use super::{PackageError, PackageLimits, limits::key, path};
use crate::onnx::{ModelInspection, Opset, PortInspection};

/// Its name in the package's folder, and the first file of an archive.
pub const MANIFEST: &str = "manifest.json";
/// Signatures of the package, which are no part of it; in an archive they stand right behind the manifest.
pub const SIGNATURES: &str = "signatures.json";
/// The form that this program writes.
const FORMAT: u32 = 1;
/// Longest text about a model.
const LONGEST_TEXT: usize = 16 << 10;

/// What a version of a model is. Keys of later programs are passed over; a form that is not known is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form.
    pub format: u32,
    /// Which of the files is the model.
    pub model: String,
    /// The files, in the order of their paths.
    pub files: Vec<FileEntry>,
    /// What the model takes and gives; nothing while it is on its way to whoever finds out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Which of the files holds inputs with the outputs that belong to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<String>,
    /// Which of the files holds the names of the classes of an output, by the output.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The largest batch that it is meant for, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_batch: Option<u32>,
    /// The engine that runs it, unless the box's config says otherwise.
    #[serde(default)]
    pub engine: EngineChoice,
    /// Under which licence it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The program that made the manifest.
    pub tool: String,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// From the package's folder on, with `/`.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Digest,
}

/// What a model takes and gives, and what made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<PortInspection>,
    /// What it gives.
    pub outputs: Vec<PortInspection>,
    /// Operator sets and their versions.
    pub opsets: Vec<Opset>,
    /// Version of ONNX's intermediate representation.
    pub ir_version: i64,
    /// The tool that wrote the file, and its version.
    pub producer: String,
    /// Free key-value pairs of the author.
    pub metadata: BTreeMap<String, String>,
}

impl Signature {
    /// Of a model that was looked at.
    #[must_use]
    pub fn of(model: &ModelInspection) -> Self {
        Self {
            inputs: model.inputs.clone(),
            outputs: model.outputs.clone(),
            opsets: model.opsets.clone(),
            ir_version: model.ir_version,
            producer: model.producer.clone(),
            metadata: model.metadata.clone(),
        }
    }
}

impl Manifest {
    /// Of these files, of which `model` is the model; the files are put in order.
    #[must_use]
    pub fn new(model: String, mut files: Vec<FileEntry>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            format: FORMAT,
            model,
            files,
            signature: None,
            golden: None,
            labels: BTreeMap::new(),
            max_batch: None,
            engine: EngineChoice::Auto,
            licence: None,
            origin: None,
            description: None,
            tool: concat!("trackside ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Reads one, and checks that it can be what a package is.
    ///
    /// # Errors
    /// [`PackageError::Manifest`], [`PackageError::Name`] or [`PackageError::TooMuch`].
    pub fn read(bytes: &[u8], limits: &PackageLimits) -> Result<Self, PackageError> {
        let size = bytes.len() as u64;
        if size > limits.manifest.as_bytes() {
            return Err(too_long(&format!("{MANIFEST} has {size} bytes"), limits));
        }
        let bad = |reason: String| PackageError::Manifest { reason };
        let form: Form = serde_json::from_slice(bytes).map_err(|error| bad(format!("{MANIFEST}: {error}")))?;
        if form.format != FORMAT {
            let format = form.format;
            return Err(bad(format!(
                "it has the form {format}, this program knows {FORMAT}; use the Trackside that wrote it, or a newer one"
            )));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| bad(format!("{MANIFEST}: {error}")))?;
        manifest.check(limits)?;
        Ok(manifest)
    }

    /// Whether it can be what a package is: as many files as may be, each once, and those that it speaks of among them.
    pub(super) fn check(&self, limits: &PackageLimits) -> Result<(), PackageError> {
        let bad = |reason: String| Err(PackageError::Manifest { reason });
        if self.files.len() > limits.files {
            return Err(PackageError::TooMuch {
                what: format!("it has {} files; {} are taken ({})", self.files.len(), limits.files, key("files")),
            });
        }
        let (mut names, mut bytes) = (BTreeSet::new(), 0u64);
        for file in &self.files {
            path::check(&file.path, limits)?;
            if !names.insert(file.path.as_str()) {
                return bad(format!("the file {} stands twice in it", file.path));
            }
            bytes = bytes.saturating_add(file.size);
        }
        for name in &names {
            let above = name.match_indices('/').map(|(at, _)| &name[..at]);
            if let Some(file) = above.into_iter().find(|above| names.contains(above)) {
                return bad(format!("{file} is a file, and a folder of {name}"));
            }
        }
        if bytes > limits.bytes.as_bytes() {
            return Err(PackageError::TooMuch {
                what: format!("its files have {bytes} bytes; {} are taken ({})", limits.bytes, key("bytes")),
            });
        }
        let spoken_of = [&self.model].into_iter().chain(&self.golden).chain(self.labels.values());
        for name in spoken_of {
            if !names.contains(name.as_str()) {
                return bad(format!("it speaks of the file {name:?}, and does not list it"));
            }
        }
        if !self.model.ends_with(".onnx") {
            return bad(format!("the model {:?} is no .onnx file", self.model));
        }
        for text in [&self.licence, &self.origin, &self.description].into_iter().flatten() {
            if text.len() > LONGEST_TEXT {
                return Err(PackageError::TooMuch {
                    what: format!("a text about it has more than {LONGEST_TEXT} bytes"),
                });
            }
        }
        Ok(())
    }

    /// The bytes that stand for it for ever.
    ///
    /// # Errors
    /// [`PackageError::TooMuch`] where they are more than may be.
    pub fn to_bytes(&self, limits: &PackageLimits) -> Result<Vec<u8>, PackageError> {
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|error| PackageError::Manifest { reason: error.to_string() })?;
        bytes.push(b'\n');
        if bytes.len() as u64 > limits.manifest.as_bytes() {
            let what = format!("its signature and metadata make a manifest of {} bytes", bytes.len());
            return Err(too_long(&what, limits));
        }
        Ok(bytes)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The file of this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether it stands for the same as another: the same files, and the same said about them, whichever program found out what
    /// the model takes.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let bare = |manifest: &Self| Self { signature: None, tool: String::new(), ..manifest.clone() };
        bare(self) == bare(other)
    }
}

/// That a manifest is longer than one may be.
pub(super) fn too_long(what: &str, limits: &PackageLimits) -> PackageError {
    PackageError::TooMuch { what: format!("{what}; {} are taken ({})", limits.manifest, key("manifest")) }
}

/// As much of a manifest as every form has.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64) -> FileEntry {
        FileEntry { path: path.to_owned(), size, digest: Digest::of(path.as_bytes()) }
    }

    #[test]
    fn a_manifest_is_on_disk_as_it_always_was() {
        let limits = PackageLimits::default();
        let mut manifest = Manifest::new("m.onnx".to_owned(), vec![file("w.data", 7), file("m.onnx", 5)]);
        manifest.tool = "trackside 0.1.0".to_owned();
        manifest.licence = Some("MIT".to_owned());
        let golden = include_str!("manifest_1.json");
        assert_eq!(String::from_utf8(manifest.to_bytes(&limits).unwrap()).unwrap(), golden);
        assert_eq!(Manifest::read(golden.as_bytes(), &limits).unwrap(), manifest);
        // Keys of later programs are passed over.
        let later = golden.replace("\"tool\"", "\"later\": [1],\n  \"tool\"");
        assert_eq!(Manifest::read(later.as_bytes(), &limits).unwrap(), manifest);
    }

    #[test]
    fn what_can_be_no_package_is_refused() {
        let limits =
            PackageLimits { files: 3, bytes: trackside_spec::ByteSize::from_bytes(100), ..PackageLimits::default() };
        let with = |files: Vec<FileEntry>| Manifest::new("m.onnx".to_owned(), files);
        let good = with(vec![file("m.onnx", 5)]);
        good.check(&limits).unwrap();
        for (bad, reason) in [
            (with(vec![]), "does not list it"),
            (with(vec![file("m.onnx", 5), file("m.onnx", 5)]), "stands twice"),
            (with(vec![file("m.onnx", 5), file("m.onnx/a", 5)]), "and a folder of"),
            (with(vec![file("m.onnx", u64::MAX), file("a", u64::MAX)]), "bytes; 100"),
            (with(vec![file("m.onnx", 5), file("../a", 5)]), "leads out"),
            (with("abcd".chars().map(|name| file(&name.to_string(), 1)).collect()), "4 files; 3"),
            (Manifest { golden: Some("g".to_owned()), ..good.clone() }, "does not list it"),
            (Manifest::new("m.bin".to_owned(), vec![file("m.bin", 1)]), "no .onnx"),
            (Manifest { licence: Some("x".repeat(20 << 10)), ..good.clone() }, "a text about it"),
        ] {
            let error = bad.check(&limits).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let newer = br#"{"format": 2, "all": "is different"}"#;
        let error = Manifest::read(newer, &limits).unwrap_err().to_string();
        assert!(error.contains("the form 2"), "{error}");
        assert!(Manifest::read(b"[", &limits).is_err());
    }
}

//! Whose signatures of models count here, and whether a model may be loaded.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use trackside_models::package::{FileEntry, GOLDEN, Kept, MODEL, Manifest, PackageLimits};
use trackside_packages::{
    Keyring, ModelSignatures, ModelSigner, SignedModel,
    oms::{Bundle, Files, LARGEST_BUNDLE, OmsError, ReadSeek, SignedFile},
};
use trackside_spec::{Digest, config::Policy};

/// What tools of OpenSSF Model Signing call a signature that nobody gave a name.
pub const MODEL_SIGNATURE: &str = "model.sig";

/// Whose signatures of models count, and whether there must be one. Keys are read anew each time: one that is taken away counts no more.
#[derive(Debug, Clone)]
pub struct ModelTrust {
    root: PathBuf,
    keys: Vec<String>,
    required: bool,
}

impl ModelTrust {
    /// As the policy of the project at `root` says.
    #[must_use]
    pub fn of(root: &Path, policy: &Policy) -> Self {
        Self { root: root.to_owned(), keys: policy.model_keys.clone(), required: policy.signed_models }
    }

    /// Whether models without a signature that counts are refused.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// The keys.
    ///
    /// # Errors
    /// When one of them can not be used.
    pub fn keyring(&self) -> Result<Keyring, OmsError> {
        Ok(Keyring::read(&self.root, &self.keys)?)
    }

    /// Who vouches for a package.
    ///
    /// # Errors
    /// When nobody who counts does: why not.
    pub fn judge(&self, package: &Kept, signatures: &ModelSignatures) -> Result<ModelSigner, OmsError> {
        let (files, beyond) = (PackageFiles(package), beyond_the_files(&package.manifest));
        self.keyring()?.judge_model(&signed_model(package, &files, beyond.as_deref()), signatures)
    }

    /// A package's signatures with others, where there is room first for those that count here.
    #[must_use]
    pub fn join(&self, package: &Kept, before: ModelSignatures, newer: ModelSignatures) -> ModelSignatures {
        let (files, beyond) = (PackageFiles(package), beyond_the_files(&package.manifest));
        let (keyring, model) = (self.keyring().ok(), signed_model(package, &files, beyond.as_deref()));
        before.joined(newer, |signature| {
            keyring.as_ref().is_some_and(|keyring| keyring.judge_one(&model, signature).is_ok())
        })
    }

    /// Whether a package of the registry, which messages call `what`, may be loaded.
    ///
    /// # Errors
    /// When it must be signed, and is not by anybody who counts.
    pub fn permit(&self, what: &str, package: &Kept) -> Result<(), OmsError> {
        if !self.required {
            return Ok(());
        }
        let signatures = signatures_of(package)?;
        self.judge(package, &signatures).map(|_| ()).map_err(|error| about(what, error))
    }

    /// Whether a model file may be loaded, by the signature beside it: `FILE.sig`, or `model.sig` of its folder. What the files beside
    /// it must be then; nothing where no signature is wanted.
    ///
    /// # Errors
    /// When it must be signed, and is not by anybody who counts.
    pub fn permit_file(&self, file: &Path) -> Result<Option<BTreeMap<String, Digest>>, OmsError> {
        if !self.required {
            return Ok(None);
        }
        self.prove_file(file).map(|(_, digests)| Some(digests))
    }

    /// Who vouches for a model file by the signature beside it, and what the files beside it must be then.
    ///
    /// # Errors
    /// When nobody who counts does: why not.
    pub fn prove_file(&self, file: &Path) -> Result<(String, BTreeMap<String, Digest>), OmsError> {
        let beside = signatures_beside(file);
        let mut found = beside.iter().filter(|path| path.symlink_metadata().is_ok()).map(|path| read_bundle(path));
        // Something else may be called so.
        let bundle = match found.next() {
            Some(Err(error @ OmsError::Malformed { .. })) => Some(found.next().unwrap_or(Err(error))),
            found => found,
        };
        let Some(bundle) = bundle else {
            let names = beside.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" nor ");
            let reason = format!("there is neither {names}");
            return Err(OmsError::NotSigned { what: file.display().to_string(), reason });
        };
        let itself = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bundle = bundle?;
        let keys = self.keyring()?;
        let (key, signed) = keys.prove(&bundle)?;
        let digests = signed.digests(&itself).ok_or_else(|| OmsError::Method {
            how: "is over parts of files, where that of a model outside the registry is over whole ones".to_owned(),
        })?;
        if !digests.contains_key(&itself) {
            return Err(OmsError::NotNamed { path: itself });
        }
        let digest = |(path, digits): (String, String)| Some((path, format!("sha256:{digits}").parse().ok()?));
        Ok((key.to_owned(), digests.into_iter().filter_map(digest).collect()))
    }
}

/// A package as signatures are held against it; `beyond` is of [`beyond_the_files`].
#[must_use]
pub fn signed_model<'a>(package: &'a Kept, files: &'a PackageFiles<'a>, beyond: Option<&'a str>) -> SignedModel<'a> {
    SignedModel { manifest: &package.bytes, files, beyond }
}

/// What a manifest says of its files that a folder of just these files does not: a signature over the files covers none of it.
#[must_use]
pub fn beyond_the_files(manifest: &Manifest) -> Option<String> {
    let models: Vec<&str> = manifest
        .files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| path.ends_with(".onnx") && !path.contains('/'))
        .collect();
    let model = match models.as_slice() {
        [only] => Some(*only),
        several => several.iter().find(|name| **name == MODEL).copied(),
    };
    let golden = manifest.file(GOLDEN).map(|file| &file.path);
    if model != Some(manifest.model.as_str()) {
        Some(format!("the manifest says that {} is the model", manifest.model))
    } else if manifest.golden.as_ref() != golden {
        Some("the manifest says which file the golden vectors are".to_owned())
    } else if let Some((output, file)) = manifest.labels.iter().next() {
        Some(format!("the manifest says that {file} has the labels of {output:?}"))
    } else {
        None
    }
}

/// The signatures that are kept with a package.
///
/// # Errors
/// When they can not be read.
pub fn signatures_of(package: &Kept) -> Result<ModelSignatures, OmsError> {
    let bytes = package.signatures(&PackageLimits::MOST);
    let bytes = bytes.map_err(|error| OmsError::Malformed { reason: error.to_string() })?;
    bytes.map_or_else(|| Ok(ModelSignatures::default()), |bytes| ModelSignatures::read(&bytes))
}

/// Where the signature of a model file may lie.
#[must_use]
pub fn signatures_beside(file: &Path) -> [PathBuf; 2] {
    let mut own = file.as_os_str().to_owned();
    own.push(".sig");
    [PathBuf::from(own), file.with_file_name(MODEL_SIGNATURE)]
}

/// Reads the file of a signature.
///
/// # Errors
/// When it can not be read, or is none.
pub fn read_bundle(path: &Path) -> Result<Bundle, OmsError> {
    Bundle::read(&read_signature(path)?)
}

/// Reads the file of a signature as it is.
///
/// # Errors
/// When it can not be read, is no regular file, or is larger than a signature may be.
pub fn read_signature(path: &Path) -> Result<Vec<u8>, OmsError> {
    let failed = |source| OmsError::Read { path: path.display().to_string(), source };
    let about = fs::symlink_metadata(path).map_err(failed)?;
    if !about.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    let mut bytes = Vec::new();
    // One more than is read: what is larger is told.
    File::open(path).and_then(|file| file.take(LARGEST_BUNDLE + 1).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// The files of a package, for who holds a signature against them. Their digests are those of the manifest: whoever reads the files
/// compares them with those.
pub struct PackageFiles<'a>(pub &'a Kept);

impl Files for PackageFiles<'_> {
    fn itself(&self) -> &str {
        &self.0.manifest.model
    }

    fn list(&self) -> Vec<SignedFile> {
        let file = |entry: &FileEntry| SignedFile {
            path: entry.path.clone(),
            size: entry.size,
            sha256: Some(entry.digest.hex()),
        };
        self.0.manifest.files.iter().map(file).collect()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn ReadSeek + '_>> {
        let entry = self.0.manifest.file(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(self.0.open(entry).map_err(|error| io::Error::other(error.to_string()))?))
    }
}

/// Says of which model there is no signature.
fn about(what: &str, error: OmsError) -> OmsError {
    match error {
        OmsError::NotSigned { reason, .. } => OmsError::NotSigned { what: what.to_owned(), reason },
        other => other,
    }
}

//! Reading a model file: once, whole, within limits, never outside its own folder.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use trackside_codes::{Class, Reason};

use prost::Message;
use prost::bytes::Bytes;
use serde::{Deserialize, Serialize};
use trackside_interpreter::Refusal;
use trackside_spec::{ByteSize, Digest, config::ModelLimitsConfig};

use crate::error::ModelError;
use crate::onnx::proto::{ModelProto, TensorProto};
use crate::onnx::scan::{self, Undecodable};
use crate::onnx::{BuiltinVerdict, Program, load, tensors, text};

/// Bounds on what is read from disk for one model: keys of `[model_limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelLimits {
    /// Most bytes of the model file and the weight files beside it together. Default: 2 GiB, which is also protobuf's
    /// own limit for the model file.
    pub bytes: ByteSize,
    /// Most weight files beside the model. Default: 64.
    pub weights: usize,
    /// Most bytes of golden vectors. Default: 1 GiB.
    pub golden: ByteSize,
}

impl ModelLimits {
    /// Those of a box.
    #[must_use]
    pub const fn of(config: &ModelLimitsConfig) -> Self {
        Self { bytes: config.bytes, weights: config.weights as usize, golden: config.golden }
    }

    /// The largest of everything: for a model that was taken once, whatever the limits were then.
    pub const MOST: Self = Self::of(&ModelLimitsConfig::MOST);
}

impl Default for ModelLimits {
    fn default() -> Self {
        Self::of(&ModelLimitsConfig::default())
    }
}

/// A model as it was on disk when it was read. Engines load from these bytes, so what runs is what was digested.
pub struct ModelFile {
    path: PathBuf,
    bytes: Bytes,
    digest: Digest,
    external: Vec<ExternalFile>,
    proto: ModelProto,
    /// On the built-in engine, as soon as somebody asks.
    program: OnceLock<Result<Arc<Program>, Vec<Refusal>>>,
}

/// A weight file beside a model.
pub struct ExternalFile {
    /// Its name as the model writes it: one path component.
    pub name: String,
    /// Its content.
    pub bytes: Arc<[u8]>,
    /// Its digest.
    pub digest: Digest,
}

impl ModelFile {
    /// Reads and checks the model at `path`, and the weight files that it names.
    ///
    /// # Errors
    /// [`ModelError::File`] when it cannot be read, is no regular file or is too large; [`ModelError::NotOnnx`] when
    /// its content is not a model; [`ModelError::TooMuch`] when its structure goes over a limit; [`ModelError::ExternalData`] when a weight file is missing or lies elsewhere.
    pub fn read(path: &Path, limits: &ModelLimits) -> Result<Self, ModelError> {
        let mut left = limits.bytes.as_bytes();
        let (bytes, proto) = decode(path, &mut left, limits)?;
        let mut external = Vec::new();
        for name in external_names(&proto, path, limits).map_err(|(name, reason)| outside(path, name, reason))? {
            let file = path.parent().unwrap_or(Path::new(".")).join(&name);
            if fs::symlink_metadata(&file).is_ok_and(|found| found.is_symlink()) {
                return Err(outside(path, name, "it is a symbolic link".into()));
            }
            let bytes: Arc<[u8]> = match read_regular(&file, &mut left, limits) {
                Ok(bytes) => bytes.into(),
                Err(reason) => return Err(outside(path, name, reason)),
            };
            external.push(ExternalFile { name, digest: Digest::of(&bytes), bytes });
        }
        Ok(Self { path: path.to_owned(), digest: Digest::of(&bytes), bytes, external, proto, program: OnceLock::new() })
    }

    /// A model of these bytes that has no weight files beside it.
    #[cfg(fuzzing)]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (path, bytes) = (Path::new("fuzzed.onnx"), Bytes::copy_from_slice(bytes));
        let proto = decode_bytes(path, &bytes)?;
        let names = external_names(&proto, path, &ModelLimits::default());
        names.map_err(|(name, reason)| outside(path, name, reason))?;
        let (path, digest) = (path.to_owned(), Digest::of(&bytes));
        Ok(Self { path, digest, bytes, external: Vec::new(), proto, program: OnceLock::new() })
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Its digest, weight files beside it not included.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The weight files beside it.
    #[must_use]
    pub fn external(&self) -> &[ExternalFile] {
        &self.external
    }

    /// Its structure.
    #[must_use]
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// The model on the built-in engine. It is loaded once: what was judged is what runs.
    pub(crate) fn program(&self) -> Result<&Arc<Program>, &[Refusal]> {
        self.program.get_or_init(|| load(self).map(Arc::new)).as_ref().map_err(Vec::as_slice)
    }

    /// What the built-in engine makes of it.
    #[must_use]
    pub fn builtin(&self) -> BuiltinVerdict {
        self.program().map_or_else(BuiltinVerdict::of, |_| BuiltinVerdict::default())
    }
}

/// The model file at `path`, read and decoded; its size is taken from what is `left`.
fn decode(path: &Path, left: &mut u64, limits: &ModelLimits) -> Result<(Bytes, ModelProto), ModelError> {
    let fail = |reason: Reason| ModelError::File { path: path.to_owned(), reason };
    let bytes = Bytes::from(read_regular(path, left, limits).map_err(fail)?);
    let proto = decode_bytes(path, &bytes)?;
    Ok((bytes, proto))
}

fn decode_bytes(path: &Path, bytes: &Bytes) -> Result<ModelProto, ModelError> {
    let not_onnx = |reason: Reason| ModelError::NotOnnx { path: path.to_owned(), reason };
    scan::scan(bytes).map_err(|refused| match refused {
        Undecodable::Broken(_) => not_onnx(Reason::by(Class::Unusable, refused)),
        Undecodable::TooMuch(_) => {
            ModelError::TooMuch { path: path.to_owned(), reason: Reason::by(Class::TooLarge, refused) }
        }
    })?;
    ModelProto::decode(bytes.clone()).map_err(|error| not_onnx(Reason::by(Class::Unusable, error)))
}

/// The names of the weight files that the model at `path` wants beside it; they are not looked for.
pub(crate) fn weight_names(path: &Path, limits: &ModelLimits) -> Result<Vec<String>, ModelError> {
    let (_, proto) = decode(path, &mut limits.bytes.as_bytes(), limits)?;
    let names = external_names(&proto, path, limits).map_err(|(name, reason)| outside(path, name, reason))?;
    Ok(names.into_iter().collect())
}

fn outside(path: &Path, name: String, reason: Reason) -> ModelError {
    ModelError::ExternalData { path: path.to_owned(), file: name, reason }
}

/// Reads a regular file into memory and takes its size from what is `left`.
fn read_regular(path: &Path, left: &mut u64, limits: &ModelLimits) -> Result<Vec<u8>, Reason> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let regular = |found: &fs::Metadata| match found.is_file() {
        true => Ok(()),
        false => Err(Reason::from("it is not a regular file")),
    };
    regular(&fs::metadata(path).map_err(Reason::disk)?)?;
    let file = File::open(path).map_err(Reason::disk)?;
    let found = file.metadata().map_err(Reason::disk)?;
    regular(&found)?;
    let too_large = || {
        let most = limits.bytes;
        format!("it is larger than the limit of {most} for a model with its weight files (`bytes` in [model_limits])")
    };
    if found.len() > *left {
        return Err(too_large().into());
    }
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(usize::try_from(found.len()).unwrap_or(usize::MAX))
        .map_err(|_| format!("there is no memory for its {} bytes", found.len()))?;
    // One byte more than allowed tells a file that grew meanwhile.
    file.take(left.saturating_add(1)).read_to_end(&mut bytes).map_err(Reason::disk)?;
    *left = left.checked_sub(bytes.len() as u64).ok_or_else(too_large)?;
    Ok(bytes)
}

/// The names of the weight files that a model wants, each one plain file name that looks like weights: whatever a model
/// reads it can give out again as a result, and a project's folder holds more than models.
fn external_names(model: &ModelProto, path: &Path, limits: &ModelLimits) -> Result<BTreeSet<String>, (String, Reason)> {
    let own = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let mut names = BTreeSet::new();
    for tensor in tensors(model) {
        let Some(name) = external_location(tensor) else { continue };
        let mut components = Path::new(&name).components();
        let plain =
            matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == &*name);
        if !plain || name.contains(['/', '\\', '\0']) {
            return Err((name, "it must be a plain name of a file in the model's own folder".into()));
        }
        let kind = Path::new(&name).extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        let weights =
            kind.starts_with("data") || kind.starts_with("onnx_data") || ["bin", "pb", "weights"].contains(&kind);
        if !weights && (own.is_empty() || !name.starts_with(own)) {
            let reason =
                format!("its name must end in .data, .onnx_data, .bin, .pb or .weights, or begin with {own:?}");
            return Err((name, reason.into()));
        }
        if names.len() >= limits.weights && !names.contains(&name) {
            let reason = format!("it names more than {} of them (`weights` in [model_limits])", limits.weights);
            return Err((name, reason.into()));
        }
        names.insert(name);
    }
    Ok(names)
}

/// The file that a tensor's elements are in, if they are in another file.
pub(crate) fn external_location(tensor: &TensorProto) -> Option<String> {
    if tensor.data_location != Some(1) && tensor.external_data.is_empty() {
        return None;
    }
    let location = tensor.external_data.iter().find(|entry| text(&entry.key) == "location");
    Some(location.map(|entry| text(&entry.value)).unwrap_or_default())
}

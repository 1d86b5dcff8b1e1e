//! Where the models of this box are said: the one thing that this room asks of the house.

use std::{collections::BTreeMap, path::PathBuf};

use trackside_codes::Reason;
use trackside_models::{ModelError, ModelLimits};
use trackside_spec::{
    Digest,
    config::{EngineChoice, Provider},
};

use crate::settings::ModelSettings;

/// Where models are said. Answers may block for as long as the disk takes.
pub trait Catalog: Send + Sync {
    /// What is said of this model now; `None` when there is none of that name.
    ///
    /// # Errors
    /// When it can not be read.
    fn find(&self, name: &str) -> Result<Option<Entry>, Reason>;

    /// Every model's name, in order.
    ///
    /// # Errors
    /// When they can not be read.
    fn names(&self) -> Result<Vec<String>, Reason>;

    /// Whether a version, which messages call `title`, may be loaded: asked each time before it is. What its files must be then, where
    /// that is known better than the version says.
    ///
    /// # Errors
    /// Why it may not.
    fn permit(&self, title: &str, version: &Version) -> Result<Option<BTreeMap<String, Digest>>, ModelError> {
        let _ = (title, version);
        Ok(None)
    }
}

/// A model: its versions, what its aliases name, and how it is to be served.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Versions by number.
    pub versions: BTreeMap<u32, Version>,
    /// What each alias names. One that names no version of these is not served.
    pub aliases: BTreeMap<String, u32>,
    /// Its settings.
    pub settings: ModelSettings,
}

/// A version, which is loaded from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The ONNX file. Weights lie beside it.
    pub path: PathBuf,
    /// Golden vectors.
    pub selftest: Option<PathBuf>,
    /// The engine where the caller asks for none.
    pub engine: EngineChoice,
    /// What is to compute it on ONNX Runtime besides the processor.
    pub providers: Vec<Provider>,
    /// What tells this content from any other at the same path: as long as it is the same, nothing is loaded again.
    pub content: Content,
    /// Labels of an output's places, for classification: by the output's name, or all outputs' under an empty one.
    pub labels: BTreeMap<String, Vec<String>>,
    /// Digests that the files must have, by their names from the model's folder on. Empty where nobody knows.
    pub expected: BTreeMap<String, Digest>,
    /// What is read of it.
    pub limits: ModelLimits,
    /// Why it can not be loaded, where that is known before.
    pub damaged: Option<String>,
}

impl Version {
    /// A file, and nothing else said of it.
    #[must_use]
    pub const fn of(path: PathBuf, content: Content) -> Self {
        Self {
            path,
            selftest: None,
            engine: EngineChoice::Auto,
            providers: Vec::new(),
            content,
            labels: BTreeMap::new(),
            expected: BTreeMap::new(),
            limits: ModelLimits::MOST,
            damaged: None,
        }
    }
}

/// What is known of a version's content before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It never changes.
    Registered(Digest),
    /// How the file looks now: another look is another content.
    Look(Vec<u64>),
}

//! Finding the engines and giving out the right one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use trackside_codes::Reason;

use serde::Serialize;
use trackside_spec::Digest;

use super::locate::{Candidate, Tried, by_loader, files, is_pinned, library_in};
use super::onnxruntime::OnnxRuntime;
use super::rten::Rten;
use super::{Engine, EngineId, EngineKind, python};
use crate::error::ModelError;
use crate::install::{pinned_library_digest, read_digest};
use crate::model::{self, Model, ModelSource};
use crate::processor::Processor;
use crate::warning::{Warning, outdated};

/// Where engines may be and which one is preferred.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The library of ONNX Runtime, or its folder; with a path here no other place is looked at.
    pub configured: Option<PathBuf>,
    /// The node's data folder, below which `trackside engine install` puts the library.
    pub data_dir: PathBuf,
    /// The engine that [`EngineChoice::Auto`](trackside_spec::config::EngineChoice::Auto) tries first.
    pub prefer: EngineKind,
    /// The processor that models are judged for.
    pub processor: Processor,
}

impl EngineSettings {
    /// The defaults: no configured path, ONNX Runtime preferred, the processor of this box.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            configured: None,
            data_dir: data_dir.into(),
            prefer: EngineKind::OnnxRuntime,
            processor: Processor::this(),
        }
    }
}

/// One line of `trackside engine list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineStatus {
    /// Which engine.
    pub kind: EngineKind,
    /// Its version, when it is there.
    pub version: Option<String>,
    /// The library's path; `None` for what is part of the binary or missing.
    pub origin: Option<PathBuf>,
    /// Whether models can be loaded on it.
    pub available: bool,
    /// Why not, and what to do; empty when it is available.
    pub reason: String,
    /// Places that were looked at and did not do.
    pub tried: Vec<Tried>,
    /// What speaks against this version.
    pub warning: Option<Warning>,
}

/// The engines of this box. Making one costs nothing: libraries are loaded when a model needs them.
pub struct Engines {
    settings: EngineSettings,
    rten: Arc<Rten>,
    /// Python's answer, asked for at most once.
    python: OnceLock<Result<PathBuf, Reason>>,
}

impl Engines {
    /// Takes the settings over. Nothing is loaded, started or looked for yet.
    #[must_use]
    pub fn discover(settings: EngineSettings) -> Self {
        // A relative path would mean the program's folder to the library's loader.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let settings = EngineSettings {
            configured: settings.configured.map(absolute),
            data_dir: absolute(settings.data_dir),
            prefer: settings.prefer,
            processor: settings.processor,
        };
        Self { settings, rten: Arc::new(Rten), python: OnceLock::new() }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// The built-in engine.
    #[must_use]
    pub fn rten(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.rten) as Arc<dyn Engine>
    }

    /// ONNX Runtime, looked for and loaded by the first call in the process that finds it. The search order is:
    /// configuration, data folder, `ORT_DYLIB_PATH`, beside the program, Python's package, the system's loader.
    ///
    /// # Errors
    /// [`ModelError::NoOnnxRuntime`] with everything that was tried, or [`ModelError::OtherRuntimeLoaded`].
    pub fn onnxruntime(&self) -> Result<Arc<dyn Engine>, ModelError> {
        let runtime = self.search().map_err(|tried| ModelError::NoOnnxRuntime { tried })?;
        if let (Some(asked), Some(loaded)) = (&self.settings.configured, &runtime.id().origin) {
            let asked = if asked.is_dir() { library_in(asked).unwrap_or_else(|| asked.clone()) } else { asked.clone() };
            if asked.canonicalize().ok() != loaded.canonicalize().ok() {
                return Err(ModelError::OtherRuntimeLoaded { loaded: loaded.clone(), asked });
            }
        }
        Ok(runtime)
    }

    fn search(&self) -> Result<Arc<OnnxRuntime>, Vec<Tried>> {
        let mut tried = Vec::new();
        // A configured file that is not there is an error also when another library is loaded already.
        let candidates = files(self.settings.configured.as_deref(), &self.settings.data_dir);
        let exists = |candidate: &Candidate| candidate.path.is_file();
        if (self.settings.configured.is_none() || candidates.iter().any(exists))
            && let Some(runtime) = OnnxRuntime::loaded()
        {
            return Ok(runtime);
        }
        for candidate in candidates {
            match self.load_library(candidate) {
                Ok(runtime) => return Ok(runtime),
                Err(one) => tried.push(one),
            }
        }
        if self.settings.configured.is_some() {
            return Err(tried);
        }
        let folder = self.python.get_or_init(python::onnxruntime_folder).clone();
        let found = folder.and_then(|folder| {
            library_in(&folder).ok_or_else(|| format!("there is no libonnxruntime in {}", folder.display()).into())
        });
        let from_python = match found {
            Ok(path) => self.load_library(Candidate { source: "python3", path, by_loader: false }),
            Err(reason) => {
                Err(Tried { source: "python3", path: PathBuf::from("onnxruntime package"), reason: reason.to_string() })
            }
        };
        match from_python {
            Ok(runtime) => return Ok(runtime),
            Err(one) => tried.push(one),
        }
        for candidate in by_loader() {
            match self.load_library(candidate) {
                Ok(runtime) => return Ok(runtime),
                Err(one) => tried.push(one),
            }
        }
        Err(tried)
    }

    fn load_library(&self, candidate: Candidate) -> Result<Arc<OnnxRuntime>, Tried> {
        let Candidate { source, path, by_loader } = candidate;
        let checked = if by_loader { Ok(()) } else { self.check(&path) };
        checked.and_then(|()| OnnxRuntime::load(&path)).map_err(|reason| Tried {
            source,
            path,
            reason: reason.to_string(),
        })
    }

    /// What can be told of a library's file before its code is let into the process.
    fn check(&self, library: &Path) -> Result<(), Reason> {
        if !library.is_file() {
            return Err("there is no such file".into());
        }
        if is_pinned(library, &self.settings.data_dir)
            && let Some(expected) = pinned_library_digest()
        {
            let digest: Digest = read_digest(library).map_err(Reason::disk)?;
            if digest != expected {
                return Err("it is damaged: its digest is not the pinned one; install it again".into());
            }
        }
        Ok(())
    }

    /// Every engine, whether it is there, and why not. Loads ONNX Runtime if it is found, and may ask Python.
    #[must_use]
    pub fn list(&self) -> Vec<EngineStatus> {
        let there = |id: EngineId| EngineStatus {
            warning: outdated(&id),
            kind: id.kind,
            version: Some(id.version),
            origin: id.origin,
            available: true,
            reason: String::new(),
            tried: Vec::new(),
        };
        let onnxruntime = match self.onnxruntime() {
            Ok(engine) => there(engine.id()),
            Err(error) => EngineStatus {
                kind: EngineKind::OnnxRuntime,
                version: None,
                origin: None,
                available: false,
                reason: error.to_string(),
                tried: if let ModelError::NoOnnxRuntime { tried } = error { tried } else { Vec::new() },
                warning: None,
            },
        };
        vec![onnxruntime, there(self.rten.id())]
    }

    /// Loads a model on the engine that [`ModelSource::choice`] asks for and tests it there. Takes from a millisecond
    /// to seconds.
    ///
    /// # Errors
    /// Any [`ModelError`] but those of a run: the file cannot be read or is no model, the engine is not there, refuses
    /// the model, or gives other numbers than the sample says.
    pub fn load(&self, source: &ModelSource) -> Result<Arc<Model>, ModelError> {
        model::load(self, source)
    }
}

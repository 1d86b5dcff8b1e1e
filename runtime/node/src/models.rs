//! From a model's name in a workflow to a loaded model.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use trackside_models::{EngineChoice, EngineKind, EngineSettings, Engines, Model, ModelSource};
use trackside_spec::NodeConfig;

/// Why a model is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelProblem {
    /// No such model.
    #[error(
        "[TS-0611] there is no model `{name}`: trackside.toml declares {}; add a table [models.{name}] with its `path`, or \
         name an .onnx file of the project", if known.is_empty() { "none".to_owned() } else { known.join(", ") }
    )]
    Unknown {
        /// As in the workflow.
        name: String,
        /// What the config declares.
        known: Vec<String>,
    },
    /// It can not be loaded.
    #[error("{0}")]
    Load(String),
}

/// The models of a project. Each is loaded when it is first needed and then kept.
pub struct Models {
    project: PathBuf,
    config: Arc<NodeConfig>,
    engines: Engines,
    loaded: Mutex<HashMap<String, Arc<Slot>>>,
}

/// Held locked while its model is being loaded.
type Slot = Mutex<Option<Arc<Model>>>;

impl Models {
    /// The models of the project at `project`. Nothing is loaded yet.
    #[must_use]
    pub fn new(project: PathBuf, data_dir: PathBuf, config: Arc<NodeConfig>) -> Self {
        let mut settings = EngineSettings::new(data_dir);
        settings.configured = config.engine.onnxruntime.as_ref().map(|path| project.join(path));
        if config.engine.prefer == trackside_spec::config::EngineChoice::Rten {
            settings.prefer = EngineKind::Rten;
        }
        Self { project, config, engines: Engines::discover(settings), loaded: Mutex::default() }
    }

    /// The engines of this box.
    #[must_use]
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// The model that a workflow calls `name`. Blocks while it is loaded and tested.
    ///
    /// # Errors
    /// When there is none, or no engine can run it. The next call tries again.
    pub fn get(&self, name: &str) -> Result<Arc<Model>, ModelProblem> {
        let slot = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.entry(name.to_owned()).or_default().clone()
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = &*slot {
            return Ok(model.clone());
        }
        let source = self.source(name)?;
        let model =
            self.engines.load(&source).map_err(|error| ModelProblem::Load(format!("[{}] {error}", error.code())))?;
        tracing::info!(model = name, engine = %model.info().engine, digest = %model.info().digest, "model loaded");
        *slot = Some(model.clone());
        Ok(model)
    }

    /// What the config, or the path itself, says of a model.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn source(&self, name: &str) -> Result<ModelSource, ModelProblem> {
        if let Some(model) = self.config.models.get(name) {
            let mut source = ModelSource::new(name, self.project.join(&model.path));
            source.choice = self.choice(model.engine);
            source.selftest = model.selftest.as_ref().map(|path| self.project.join(path));
            return Ok(source);
        }
        if Path::new(name).extension().is_some_and(|extension| extension == "onnx") {
            let mut source = ModelSource::new(name, self.project.join(name));
            source.choice = self.choice(trackside_spec::config::EngineChoice::Auto);
            return Ok(source);
        }
        Err(ModelProblem::Unknown { name: name.to_owned(), known: self.config.models.keys().cloned().collect() })
    }

    /// A model's own choice, or the node's.
    fn choice(&self, own: trackside_spec::config::EngineChoice) -> EngineChoice {
        match own {
            trackside_spec::config::EngineChoice::Auto => EngineChoice::Auto,
            trackside_spec::config::EngineChoice::OnnxRuntime => EngineChoice::OnnxRuntime,
            trackside_spec::config::EngineChoice::Rten => EngineChoice::Rten,
        }
    }
}

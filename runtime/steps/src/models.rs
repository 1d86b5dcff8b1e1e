//! From a model's name in a workflow to a loaded model.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use trackside_codes::{Code, Coded, Told, code};

use trackside_models::{EngineKind, EngineSettings, Engines, Model, ModelError, ModelSource};
use trackside_spec::{ModelRef, NodeConfig, config::EngineChoice};
use trackside_sync::lock;

/// Why a model is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelProblem {
    /// No such model.
    #[error(
        "[{code}] there is no model `{name}`: trackside.toml declares {}; add a table [models.{name}] with its `path`, or \
         name an .onnx file of the project", if known.is_empty() { "none".to_owned() } else { known.join(", ") },
        code = self.code()
    )]
    Unknown {
        /// As in the workflow.
        name: String,
        /// What the config declares.
        known: Vec<String>,
    },
    /// The registry does not give it.
    #[error("{0}")]
    Registry(Told),
    /// It can not be loaded.
    #[error("{}", .0.told())]
    Load(#[source] Arc<ModelError>),
}

impl Coded for ModelProblem {
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => code!("TS-0611"),
            Self::Registry(told) => told.code(),
            Self::Load(error) => error.code(),
        }
    }
}

/// A version of a model that is no file of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogModel {
    /// Its number.
    pub version: u32,
    /// The model's file.
    pub path: PathBuf,
    /// Its golden vectors.
    pub selftest: Option<PathBuf>,
    /// The engine that runs it, unless a step says otherwise.
    pub choice: EngineChoice,
}

/// Models that are no files of the project.
pub trait Catalog: Send + Sync {
    /// What a reference leads to now; nothing where there is no model of that name at all.
    ///
    /// # Errors
    /// When there is no such version or alias, or it can not be read.
    fn find(&self, reference: &ModelRef) -> Result<Option<CatalogModel>, ModelProblem>;
}

/// The models of a project. Each is loaded when it is first needed, on each engine that is asked for, and then kept.
pub struct Models {
    project: PathBuf,
    config: Arc<NodeConfig>,
    engines: Engines,
    catalog: Option<Arc<dyn Catalog>>,
    /// By name: the file that it led to, and what is loaded of that.
    loaded: Mutex<HashMap<String, (PathBuf, Arc<Slot>)>>,
}

/// A model as often as it is loaded: once for each engine that steps ask for. Held locked while it is being loaded.
type Slot = Mutex<Vec<(EngineChoice, Arc<Model>)>>;

impl Models {
    /// The models of the project at `project`. Nothing is loaded yet.
    #[must_use]
    pub fn new(project: PathBuf, data_dir: PathBuf, config: Arc<NodeConfig>) -> Self {
        let mut settings = EngineSettings::new(data_dir);
        settings.configured = config.engine.onnxruntime.as_ref().map(|path| project.join(path));
        if config.engine.prefer == EngineChoice::Rten {
            settings.prefer = EngineKind::Rten;
        }
        Self { project, config, engines: Engines::discover(settings), catalog: None, loaded: Mutex::default() }
    }

    /// With the models of a registry besides those of the project.
    #[must_use]
    pub fn with_catalog(self, catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog: Some(catalog), ..self }
    }

    /// The engines of this box.
    #[must_use]
    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    /// The model that a workflow calls `name`, on the engine that a step asks for or else on the one of the config. Blocks
    /// while it is loaded and tested.
    ///
    /// # Errors
    /// When there is none, or the engine can not run it. The next call tries again.
    pub fn get(&self, name: &str, engine: Option<EngineChoice>) -> Result<Arc<Model>, ModelProblem> {
        let source = self.source(name, engine)?;
        let slot = {
            let mut loaded = lock(&self.loaded);
            let entry = loaded.entry(name.to_owned()).or_default();
            // An alias that was moved: what it named before goes as soon as nobody runs it.
            if entry.0 != source.path {
                *entry = (source.path.clone(), Arc::default());
            }
            entry.1.clone()
        };
        let mut slot = lock(&slot);
        let fits = |(choice, model): &&(EngineChoice, Arc<Model>)| {
            *choice == source.choice || is_on(source.choice, model.info().engine.kind)
        };
        if let Some((_, model)) = slot.iter().find(fits) {
            return Ok(model.clone());
        }
        let model = self.engines.load(&source).map_err(|error| ModelProblem::Load(Arc::new(error)))?;
        tracing::info!(model = name, engine = %model.info().engine, digest = %model.info().digest, "model loaded");
        for warning in &model.info().warnings {
            tracing::warn!(model = name, code = %warning.code, "{}", warning.text);
        }
        // `auto` may have come to an engine that it is loaded on already: once is enough.
        let same = slot.iter().find(|(_, other)| other.info().engine == model.info().engine);
        let model = same.map_or(model, |(_, other)| other.clone());
        slot.push((source.choice, model.clone()));
        Ok(model)
    }

    /// What the config, or the path itself, says of a model; the engine is that of the step where it names one.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn source(&self, name: &str, engine: Option<EngineChoice>) -> Result<ModelSource, ModelProblem> {
        let time = self.run_limit();
        if let Some(model) = self.config.models.get(name) {
            let choice = engine.unwrap_or(model.engine);
            let selftest = model.selftest.as_ref().map(|path| self.project.join(path));
            return Ok(ModelSource {
                choice,
                selftest,
                time,
                ..ModelSource::new(name, self.project.join(&model.path))
            });
        }
        if Path::new(name).extension().is_some_and(|extension| extension == "onnx") {
            let choice = engine.unwrap_or_default();
            return Ok(ModelSource { choice, time, ..ModelSource::new(name, self.project.join(name)) });
        }
        let known = || self.config.models.keys().cloned().collect();
        let unknown = || ModelProblem::Unknown { name: name.to_owned(), known: known() };
        let (Some(catalog), Ok(reference)) = (&self.catalog, name.parse::<ModelRef>()) else { return Err(unknown()) };
        let found = catalog.find(&reference)?.ok_or_else(unknown)?;
        let CatalogModel { version, path, selftest, choice } = found;
        let choice = engine.unwrap_or(choice);
        Ok(ModelSource { choice, selftest, time, ..ModelSource::new(format!("{}@{version}", reference.name), path) })
    }

    /// The longest that a run of a model may take, its self-test included.
    #[must_use]
    pub fn run_limit(&self) -> Duration {
        self.config.limits.wall.to_std().max(Duration::from_millis(1))
    }
}

/// Whether a model on this engine is what `choice` asks for by name.
fn is_on(choice: EngineChoice, kind: EngineKind) -> bool {
    match choice {
        EngineChoice::Auto => false,
        EngineChoice::OnnxRuntime => kind == EngineKind::OnnxRuntime,
        EngineChoice::Rten => kind == EngineKind::Rten,
    }
}

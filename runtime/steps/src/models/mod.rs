//! From a model's name in a workflow to a loaded model: what trackside.toml, the registry and the project's files say of models.

mod catalog;
mod registry;
mod trust;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use trackside_codes::{Code, Coded, code};

use trackside_models::{EngineKind, EngineSettings, Engines, ModelSource};
use trackside_serving::{Asker, Catalog, Clock, ServeError, Served, Serving, ServingSettings};
use trackside_spec::{ModelRef, ModelRefError, ModelVersion, NodeConfig, SubjectKey, config::EngineChoice, nearest};
use trackside_store::Readers;

pub(crate) use self::catalog::drift as drift_settings;
pub use self::catalog::model_settings;
pub use self::registry::digests_of;
pub use self::trust::{
    MODEL_SIGNATURE, ModelTrust, PackageFiles, beyond_the_files, read_bundle, read_signature, signatures_beside,
    signatures_of, signed_model,
};
use self::{catalog::ProjectModels, registry::Registry};

/// Why a model is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelProblem {
    /// No such model.
    #[error(
        "[{code}] there is no model `{name}`{}; `trackside model add {own} FILE` adds it, and so does a table [models.{own}] with its \
         `path`; or name an .onnx file of the project",
        what_there_is(own(name), known),
        own = own(name),
        code = self.code()
    )]
    Unknown {
        /// As in the workflow.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// That is no reference to one.
    #[error(transparent)]
    Reference(#[from] ModelRefError),
    /// It may not be loaded.
    #[error("{}", .0.told())]
    Refused(#[from] Arc<trackside_models::ModelError>),
    /// It does not answer.
    #[error("{}", .0.told())]
    Serve(#[from] ServeError),
}

/// Most names that a message lists.
const TOLD: usize = 20;

/// The name without its version.
fn own(name: &str) -> &str {
    name.split_once('@').map_or(name, |(own, _)| own)
}

fn what_there_is(name: &str, known: &[String]) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    let more = match known.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let first: Vec<&str> = known.iter().take(TOLD).map(String::as_str).collect();
    let first = if first.is_empty() { "none".to_owned() } else { first.join(", ") };
    format!("{near}: trackside.toml and the registry have {first}{more}")
}

impl Coded for ModelProblem {
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => code!("TS-0611"),
            Self::Reference(error) => error.code(),
            Self::Refused(error) => error.code(),
            Self::Serve(error) => error.code(),
        }
    }
}

/// The models of a project, in service. Each is loaded when it is first needed, on each engine that is asked for, and then kept.
pub struct Models {
    config: Arc<NodeConfig>,
    catalog: Arc<ProjectModels>,
    serving: Serving,
}

impl Models {
    /// The models of the project at `project`. Nothing is loaded yet.
    #[must_use]
    pub fn new(
        project: PathBuf,
        data_dir: PathBuf,
        config: Arc<NodeConfig>,
        readers: Arc<Readers>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let registry = Registry::new(&data_dir, readers);
        let mut settings = EngineSettings::new(data_dir);
        settings.configured = config.engine.onnxruntime.as_ref().map(|path| project.join(path));
        if config.engine.prefer == EngineChoice::Rten {
            settings.prefer = EngineKind::Rten;
        }
        let engines = Arc::new(Engines::discover(settings));
        let serving = ServingSettings {
            memory: config.engine.memory.map_or_else(half_of_the_memory, |memory| memory.as_bytes()),
            ..ServingSettings::default()
        };
        let trust = ModelTrust::of(&project, &config.policy);
        let catalog = Arc::new(ProjectModels { project, config: config.clone(), registry, trust });
        let serving = Serving::new(catalog.clone(), engines, serving, clock);
        Self { config, catalog, serving }
    }

    /// The engines of this box.
    #[must_use]
    pub fn engines(&self) -> &Engines {
        self.serving.engines()
    }

    /// The models in service, for whoever serves them outside.
    #[must_use]
    pub fn serving(&self) -> &Serving {
        &self.serving
    }

    /// The model that a workflow calls `name` (`NAME`, `NAME@ALIAS`, `NAME@3`, or a path), on the engine that a step asks for or else
    /// on the one that is said of it. Blocks while it is loaded and tested.
    ///
    /// # Errors
    /// When there is none, or the engine can not run it.
    pub fn get(&self, name: &str, engine: Option<EngineChoice>) -> Result<Served, ModelProblem> {
        let ModelRef { name: model, version } = meant(name)?;
        self.serving.open_here(&model, &version, engine).map_err(|error| self.problem(name, error))
    }

    /// The same for a run: while a rollout goes on, by the version that answers it. `field` gives a field of what started the run, for a
    /// rollout that goes by one; else, and where there is no such field, a run stays with one version by its id.
    ///
    /// # Errors
    /// As of [`Models::get`].
    pub fn get_for(
        &self,
        name: &str,
        engine: Option<EngineChoice>,
        run: &str,
        field: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Served, ModelProblem> {
        let ModelRef { name: model, version } = meant(name)?;
        let subject = match self.serving.trial(&model).as_ref().and_then(|trial| trial.subject()) {
            Some(SubjectKey::Trigger(path)) => field(path),
            _ => None,
        };
        let asker = Asker { subject: Some(subject.as_deref().unwrap_or(run)) };
        self.serving.open_here_for(&model, &version, engine, asker).map_err(|error| self.problem(name, error))
    }

    /// What is said of a model, as it would be loaded; the engine is that of the step where it names one.
    ///
    /// # Errors
    /// When there is no such model, or it may not be loaded.
    pub fn source(&self, name: &str, engine: Option<EngineChoice>) -> Result<ModelSource, ModelProblem> {
        let ModelRef { name: model, version } = meant(name)?;
        let number = self.serving.number(&model, &version).map_err(|error| self.problem(name, error))?;
        let entry = self.serving.entry(&model).map_err(|error| self.problem(name, error))?;
        let Some(version) = entry.versions.get(&number) else {
            return Err(ModelProblem::Unknown { name: name.to_owned(), known: self.known() });
        };
        let permit = self.catalog.permit(name, version).map_err(Arc::new)?;
        Ok(ModelSource {
            choice: engine.unwrap_or(version.engine),
            selftest: version.selftest.clone(),
            signed: permit.is_some(),
            expected: permit.unwrap_or_else(|| version.expected.clone()),
            providers: version.providers.clone(),
            time: self.run_limit(),
            sessions: entry.settings.sessions,
            limits: version.limits,
            ..ModelSource::new(model, version.path.clone())
        })
    }

    /// What is said of models has changed: what is in service is brought up to it, on a thread of its own. Steps see the change at once,
    /// clients outside when the new versions are loaded.
    pub fn changed(&self) {
        self.beside(|serving| {
            // Told where it arose: the version before goes on to answer.
            let _ = serving.refresh(None);
        });
    }

    /// Somebody has signed a version that is there: what could not be loaded is tried again, on a thread of its own.
    pub fn signed(&self) {
        self.beside(Serving::try_again);
    }

    fn beside(&self, work: impl FnOnce(&Serving) + Send + 'static) {
        let serving = self.serving.clone();
        let work = move || work(&serving);
        if let Err(error) = std::thread::Builder::new().name("model-loader".to_owned()).spawn(work) {
            tracing::error!("failed to start a thread that loads models: {error}");
        }
    }

    /// The longest that a run of a model may take, its self-test included.
    #[must_use]
    pub fn run_limit(&self) -> Duration {
        run_limit(&self.config)
    }

    fn known(&self) -> Vec<String> {
        self.catalog.names().unwrap_or_default()
    }

    fn problem(&self, name: &str, error: ServeError) -> ModelProblem {
        match error {
            ServeError::UnknownModel { .. } => ModelProblem::Unknown { name: name.to_owned(), known: self.known() },
            error => error.into(),
        }
    }
}

/// The name and the version in `NAME`, `NAME@ALIAS`, `NAME@3`. A path is all name.
fn meant(reference: &str) -> Result<ModelRef, ModelProblem> {
    if is_path(reference) {
        return Ok(ModelRef { name: reference.to_owned(), version: ModelVersion::Unsaid });
    }
    Ok(reference.parse::<ModelRef>()?)
}

fn is_path(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "onnx")
}

fn run_limit(config: &NodeConfig) -> Duration {
    config.limits.wall.to_std().max(Duration::from_millis(1))
}

/// What loaded models may take where nobody says it.
fn half_of_the_memory() -> u64 {
    trackside_models::half_of_box().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_and_a_version_and_a_path_is_all_name() {
        let said = |text: &str| meant(text).map(|model| (model.name, model.version)).ok();
        assert_eq!(said("pump@3"), Some(("pump".to_owned(), ModelVersion::Number(3))));
        assert_eq!(said("a@b/pump.onnx"), Some(("a@b/pump.onnx".to_owned(), ModelVersion::Unsaid)));
        assert_eq!(said("pump@"), None);
    }

    #[test]
    fn who_asks_for_what_there_is_not_is_told_the_nearest_and_not_all() {
        let told = |name: &str, known: &[&str]| {
            let known = known.iter().map(ToString::to_string).collect();
            ModelProblem::Unknown { name: name.to_owned(), known }.to_string()
        };
        let text = told("pmup@3", &["fan", "pump"]);
        assert!(
            text.contains("no model `pmup@3` (did you mean `pump`?)") && text.contains("model add pmup FILE"),
            "{text}"
        );
        assert!(told("pump", &[]).contains("have none;"));
        let many: Vec<String> = (0..1_000).map(|number| format!("model-{number:04}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = told("other", &many);
        assert!(text.contains("model-0019 and 980 more;") && text.len() < 800, "{text}");
    }
}

//! What trackside.toml, the registry and the project's files say of models, as one catalog.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use trackside_codes::{Coded as _, Reason};
use trackside_models::{ModelError, ModelLimits};
use trackside_serving::{
    Batching, Catalog, Content, Entry, FeedbackSettings, ModelSettings, SampleSettings, Version,
    breaker::BreakerRules,
    drift::{AlarmRule, DriftSettings},
    gcra::Rate,
};
use trackside_spec::{
    CHAMPION, Digest, NodeConfig,
    config::{DriftConfig, EngineChoice, FeedbackConfig, LoadTime, ModelConfig, Provider, SamplesConfig},
};

use super::{
    is_path,
    registry::Registry,
    run_limit,
    trust::{ModelTrust, signatures_beside},
};

/// Most bytes of a file of labels, and most labels.
const LABELS: (u64, usize) = (1 << 20, 65_536);

/// What the project says of models.
pub(super) struct ProjectModels {
    pub(super) project: PathBuf,
    pub(super) config: Arc<NodeConfig>,
    pub(super) registry: Registry,
    pub(super) trust: ModelTrust,
}

impl ProjectModels {
    /// A model that is a file of the project: one version.
    fn file(&self, path: &str, said: &ModelConfig, settings: ModelSettings) -> Result<Entry, Reason> {
        let (path, selftest) = (self.project.join(path), said.selftest.as_ref().map(|path| self.project.join(path)));
        let labels = said.labels.as_ref().map(|path| labels(&self.project.join(path))).transpose()?;
        let labels = labels.map(|labels| (String::new(), labels)).into_iter().collect();
        let mut look = look(&path);
        look.extend(selftest.as_deref().map(self::look).unwrap_or_default());
        if self.trust.is_required() {
            // One that comes later, or another one, lets it be loaded.
            look.extend(signatures_beside(&path).iter().flat_map(|signature| self::look(signature)));
        }
        let content = Content::Look(look);
        let providers = self.providers(said);
        let limits = ModelLimits::of(&self.config.model_limits);
        let version =
            Version { selftest, engine: said.engine, providers, labels, limits, ..Version::of(path, content) };
        Ok(Entry {
            versions: BTreeMap::from([(1, version)]),
            aliases: BTreeMap::from([(CHAMPION.to_owned(), 1)]),
            settings,
        })
    }
}

impl ProjectModels {
    fn providers(&self, said: &ModelConfig) -> Vec<Provider> {
        said.providers.as_ref().unwrap_or(&self.config.engine.providers).clone()
    }
}

impl Catalog for ProjectModels {
    fn find(&self, name: &str) -> Result<Option<Entry>, Reason> {
        let undeclared = ModelConfig::default();
        let said = self.config.models.get(name).unwrap_or(&undeclared);
        let settings = settings(said, &self.config);
        match &said.path {
            Some(path) => self.file(path, said, settings).map(Some),
            None if is_path(name) => self.file(name, said, settings).map(Some),
            None => {
                let found = self.registry.find(name)?;
                Ok(found.map(|(mut versions, aliases)| {
                    for version in versions.values_mut() {
                        version.providers = self.providers(said);
                        // Whoever keeps the box has the last word before a step.
                        if said.engine != EngineChoice::Auto {
                            version.engine = said.engine;
                        }
                    }
                    Entry { versions, aliases, settings }
                }))
            }
        }
    }

    fn names(&self) -> Result<Vec<String>, Reason> {
        let declared = self.config.models.iter().filter(|(_, model)| model.path.is_some());
        let mut names: BTreeSet<String> = declared.map(|(name, _)| name.clone()).collect();
        names.extend(self.registry.names()?);
        Ok(names.into_iter().collect())
    }

    fn permit(&self, title: &str, version: &Version) -> Result<Option<BTreeMap<String, Digest>>, ModelError> {
        if !self.trust.is_required() {
            return Ok(None);
        }
        let permitted = match &version.content {
            Content::Registered(digest) => {
                let kept = self.registry.kept(digest)?;
                // The files of the model itself are held against their digests when they are read.
                let tested = kept.verify_some(&kept.manifest.golden);
                tested.map_err(|error| ModelError::File { path: kept.folder.clone(), reason: Reason::of(error) })?;
                self.trust.permit(&format!("the model {title}"), &kept).map(|()| None)
            }
            Content::Look(_) => self.trust.permit_file(&version.path),
        };
        permitted.map_err(|error| ModelError::Refused {
            model: title.to_owned(),
            text: error.message(),
            code: error.code(),
        })
    }
}

/// How a model of this name is served, whether there is one or not.
#[must_use]
pub fn model_settings(config: &NodeConfig, name: &str) -> ModelSettings {
    config.models.get(name).map_or_else(|| settings(&ModelConfig::default(), config), |said| settings(said, config))
}

/// How a model is to be served, as trackside.toml says it.
fn settings(said: &ModelConfig, config: &NodeConfig) -> ModelSettings {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let rate = said.rate.map(|rate| Rate::new(rate, if said.burst == 0 { rate } else { said.burst }));
    ModelSettings {
        sessions: count(said.sessions),
        queue: count(said.queue),
        timeout: said.timeout.map_or_else(|| run_limit(config), trackside_spec::Duration::to_std),
        rate,
        batching: Batching { rows: said.batching.rows, delay: said.batching.delay.to_std() },
        breaker: BreakerRules {
            window: said.breaker.window.to_std(),
            requests: said.breaker.requests,
            failures: said.breaker.failures,
            open: said.breaker.open.to_std(),
        },
        failures: said.failures,
        at_start: said.load == LoadTime::Start,
        judged: true,
        drift: drift(&said.drift),
        feedback: said.feedback.as_ref().map(feedback),
        samples: said.samples.as_ref().map(samples),
    }
}

/// How closely something is watched, as it is said.
#[must_use]
pub fn drift(said: &DriftConfig) -> DriftSettings {
    DriftSettings {
        enabled: said.enabled,
        rows: said.rows,
        time: said.time.to_std(),
        reference: said.reference,
        effect: said.effect,
        share: said.share,
        level: said.level,
        alarm: AlarmRule { of: said.of, raise: said.raise, clear: said.clear },
        elements: said.elements,
        season: said.season,
    }
}

fn feedback(said: &FeedbackConfig) -> FeedbackSettings {
    FeedbackSettings {
        output: said.output.clone(),
        answer: said.answer,
        threshold: said.threshold,
        confidence: said.confidence.clone(),
        tolerance: said.tolerance.unwrap_or(0.0),
        rate: said.rate,
        keep: said.keep,
        age: said.age.to_std(),
    }
}

fn samples(said: &SamplesConfig) -> SampleSettings {
    SampleSettings {
        confidence: said.confidence,
        drift: said.drift,
        disagreement: said.disagreement,
        bytes: said.bytes.as_bytes(),
        largest: said.largest.as_bytes(),
        rate: said.rate,
        age: said.age.to_std(),
        redact: said.redact.clone(),
    }
}

/// What the system says of a file; of one that is not there, nothing.
fn look(path: &Path) -> Vec<u64> {
    let Ok(meta) = fs::metadata(path) else { return Vec::new() };
    let time =
        |seconds: i64, ns: i64| seconds.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(ns.cast_unsigned());
    let (modified, changed) = (time(meta.mtime(), meta.mtime_nsec()), time(meta.ctime(), meta.ctime_nsec()));
    vec![meta.dev(), meta.ino(), meta.size(), modified, changed]
}

/// The lines of a file.
pub(super) fn labels(path: &Path) -> Result<Vec<String>, Reason> {
    let told = |text: &str| format!("the labels in {}: {text}", path.display());
    let size = fs::metadata(path).map_err(|error| Reason::disk(error).told(told))?.len();
    if size > LABELS.0 {
        return Err(told(&format!("{size} bytes, and at most {} are read", LABELS.0)).into());
    }
    let text = fs::read_to_string(path).map_err(|error| Reason::disk(error).told(told))?;
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if labels.len() > LABELS.1 {
        return Err(told(&format!("{} lines, and at most {} are read", labels.len(), LABELS.1)).into());
    }
    Ok(labels)
}

//! A model that is loaded and tested, and the choice of its engine.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use trackside_codes::Reason;
use trackside_spec::config::{EngineChoice, Provider};
use trackside_spec::{Digest, Tensor};
use trackside_sync::CancelToken;

use crate::engines::{Engine, EngineId, EngineKind, Engines, Ports, RunFailure, Runner, Spent, Wanted};
use crate::error::ModelError;
use crate::file::{ModelFile, ModelLimits};
use crate::onnx::{BuiltinVerdict, Declared, has_loops, metadata, ports, products};
use crate::output::{Output, OutputPort};
use crate::port::{ExternalInfo, LeftOut, ModelInfo, Tested, arrange};
use crate::processor::Processor;
use crate::selftest::{Failed, Sample, SelfTest};
use crate::stop::{Stop, Stopped};
use crate::warning::{Warning, made_elsewhere, saturation};

/// Most sessions of one model: each holds a copy of its weights.
const MAX_SESSIONS: usize = 64;

/// What to load, and how.
#[derive(Clone, Debug)]
pub struct ModelSource {
    /// The name in workflows and messages.
    pub name: String,
    /// The `.onnx` file.
    pub path: PathBuf,
    /// The engine.
    pub choice: EngineChoice,
    /// A safetensors file with tensors `in.NAME` and `out.NAME` that the model must reproduce (rtol 1e-3, atol 1e-4).
    /// Without one the model is run on made-up input and must give finite numbers.
    pub selftest: Option<PathBuf>,
    /// Digests that the model's file and its weight files must have, by their names from the model's folder on. Empty: nobody knows.
    pub expected: BTreeMap<String, Digest>,
    /// Whether a signature says those digests.
    pub signed: bool,
    /// What is to compute it on ONNX Runtime besides the processor, the most wanted first.
    pub providers: Vec<Provider>,
    /// Runs at a time; 0 = one per core.
    pub sessions: usize,
    /// The longest that the self-test may take: as long as a run.
    pub time: Duration,
    /// What is read of it.
    pub limits: ModelLimits,
}

/// The default of [`ModelSource::time`], that of `[limits] wall`.
const TIME: Duration = Duration::from_secs(60);

impl ModelSource {
    /// `path` under `name`, everything else by default.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            choice: EngineChoice::Auto,
            selftest: None,
            expected: BTreeMap::new(),
            signed: false,
            providers: Vec::new(),
            sessions: 0,
            time: TIME,
            limits: ModelLimits::default(),
        }
    }
}

/// A loaded model. Calls from several threads share its sessions.
pub struct Model {
    info: ModelInfo,
    runner: Box<dyn Runner>,
    tried: Vec<(String, Tensor)>,
}

/// Most bytes of input that are kept of the self-test.
const MAX_TRIED: usize = 1 << 20;

/// What a run gave and what it took.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunOutput {
    /// Name and value, in the order in which they were asked for.
    pub outputs: Vec<(String, Output)>,
    /// How long it waited for a free session.
    pub queued: Duration,
    /// Where the time went after that.
    pub spent: Spent,
}

impl Model {
    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Inputs that it took in its self-test, for who wants to see how long it takes. None where there was no self-test, or they are
    /// large.
    #[must_use]
    pub fn tried(&self) -> &[(String, Tensor)] {
        &self.tried
    }

    /// Runs the model on this thread and gives the outputs named in `wanted`, all of them when that is empty. Names,
    /// types and shapes of the inputs are checked first.
    ///
    /// At the deadline, and when `cancel` is raised, the run ends between two operators, within milliseconds as a rule.
    ///
    /// # Errors
    /// [`ModelError::Input`], [`ModelError::Output`], [`ModelError::Timeout`], [`ModelError::Cancelled`] or
    /// [`ModelError::Run`].
    pub fn run(
        &self,
        inputs: Vec<(String, Tensor)>,
        wanted: &[String],
        deadline: Option<Instant>,
        cancel: &CancelToken,
    ) -> Result<RunOutput, ModelError> {
        let asked = Instant::now();
        let model = || self.info.name.clone();
        let inputs = arrange(&self.info.inputs, inputs).map_err(|(input, reason)| ModelError::Input {
            model: model(),
            input,
            reason,
        })?;
        let wanted = self.wanted(wanted)?;
        let arranged = asked.elapsed();
        let ran = self.runner.run(inputs, &wanted, Stop { deadline, cancel }).map_err(|failure| match failure {
            RunFailure::Stopped(Stopped::Cancelled, _) => ModelError::Cancelled { model: model() },
            RunFailure::Stopped(Stopped::Deadline, note) => {
                let waited_ms = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
                let note = if note.is_empty() { note } else { format!(" ({note})") };
                ModelError::Timeout { model: model(), waited_ms, note }
            }
            RunFailure::Input(index, reason) => {
                let input = self.info.inputs.get(index).map(|port| port.name.clone()).unwrap_or_default();
                ModelError::Input { model: model(), input, reason }
            }
            RunFailure::Failed(reason) => ModelError::Run { model: model(), engine: self.info.engine.clone(), reason },
        })?;
        let spent = Spent { input: ran.spent.input + arranged, ..ran.spent };
        let names = wanted.iter().filter_map(|index| self.info.outputs.get(*index)).map(|port| port.name().to_owned());
        Ok(RunOutput { outputs: names.zip(ran.outputs).collect(), queued: ran.queued, spent })
    }

    fn wanted(&self, names: &[String]) -> Result<Vec<usize>, ModelError> {
        if names.is_empty() {
            return Ok((0..self.info.outputs.len()).collect());
        }
        let find = |name: &String| {
            let position = self.info.outputs.iter().position(|port| port.name() == name);
            position.ok_or_else(|| {
                let known: Vec<_> = self.info.outputs.iter().map(OutputPort::name).collect();
                ModelError::Output { model: self.info.name.clone(), output: name.clone(), known: known.join(", ") }
            })
        };
        // An engine asked twice for one output may refuse; who asks for it twice gets it once.
        let mut wanted = Vec::with_capacity(names.len());
        for name in names {
            let index = find(name)?;
            if !wanted.contains(&index) {
                wanted.push(index);
            }
        }
        Ok(wanted)
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Loads `source` on the engine that suits it.
pub(crate) fn load(engines: &Engines, source: &ModelSource) -> Result<Arc<Model>, ModelError> {
    let file = ModelFile::read(&source.path, &source.limits)?;
    check_digests(source, &file)?;
    let declared = ports(file.proto()).map_err(|reason| ModelError::Ports { path: source.path.clone(), reason })?;
    let sample = source.selftest.as_deref().map(|path| Sample::read(path, source.limits.golden)).transpose()?;
    let processor = engines.settings().processor;
    let loading = Loading { source, file, declared, sample, processor };
    let builtin = || loading.on_builtin(engines);
    match (source.choice, engines.settings().prefer) {
        (EngineChoice::OnnxRuntime, _) => loading.on(&*engines.onnxruntime()?),
        (EngineChoice::Rten, _) => builtin(),
        (EngineChoice::Auto, EngineKind::Rten) if loading.verdict().is_fit() => match builtin() {
            Ok(model) => Ok(model),
            Err(first) => loading.on_onnxruntime_or(engines, first),
        },
        (EngineChoice::Auto, _) => loading.auto(engines),
    }
}

/// Compares what was read with what it must be.
fn check_digests(source: &ModelSource, file: &ModelFile) -> Result<(), ModelError> {
    if source.expected.is_empty() {
        return Ok(());
    }
    let own = source.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let weights = file.external().iter().map(|weights| (weights.name.clone(), weights.digest));
    for (name, digest) in std::iter::once((own, file.digest())).chain(weights) {
        if source.expected.get(&name) != Some(&digest) {
            let path = source.path.with_file_name(name);
            return Err(match source.signed {
                true => ModelError::OtherThanSigned { path },
                false => ModelError::OtherContent { path },
            });
        }
    }
    Ok(())
}

/// A model between its file and its engine.
struct Loading<'a> {
    source: &'a ModelSource,
    file: ModelFile,
    declared: Declared,
    sample: Option<Sample>,
    processor: Processor,
}

impl Loading<'_> {
    fn verdict(&self) -> BuiltinVerdict {
        self.file.builtin()
    }

    /// ONNX Runtime if it is there, else the built-in engine if the model passes there.
    fn auto(&self, engines: &Engines) -> Result<Arc<Model>, ModelError> {
        match engines.onnxruntime() {
            Ok(engine) => match self.on(&*engine) {
                // An opset or IR version that is newer than the library: the built-in engine does not look at them.
                Err(refused @ ModelError::Load { .. }) if self.verdict().is_fit() => {
                    self.on_builtin(engines).map_err(|_| refused)
                }
                other => other,
            },
            Err(missing) => {
                let builtin = self.on_builtin(engines);
                if engines.settings().configured.is_some() && builtin.is_ok() {
                    tracing::warn!(model = self.source.name, "runs on the built-in engine: {missing}");
                }
                builtin.map_err(|refused| self.alone(refused))
            }
        }
    }

    fn on_onnxruntime_or(&self, engines: &Engines, first: ModelError) -> Result<Arc<Model>, ModelError> {
        match engines.onnxruntime() {
            Ok(engine) => self.on(&*engine),
            Err(_) => Err(self.alone(first)),
        }
    }

    /// What the built-in engine says where there is no other: that another one may help, if it may.
    fn alone(&self, refused: ModelError) -> ModelError {
        match refused {
            refused @ (ModelError::Unsupported { .. } | ModelError::SelfTest { endless: true, .. }) => refused,
            refused => self.unsupported(Reason::of(refused), None),
        }
    }

    fn unsupported(&self, reason: Reason, there: Option<EngineId>) -> ModelError {
        let (model, missing) = (self.source.name.clone(), self.verdict().missing);
        ModelError::Unsupported { model, missing, reason, there: there.map(Box::new) }
    }

    /// The built-in engine, if it takes the model.
    fn on_builtin(&self, engines: &Engines) -> Result<Arc<Model>, ModelError> {
        let verdict = self.verdict();
        if !verdict.is_fit() {
            // Who asked for this engine by name is told of the other one; with `auto` it has been tried.
            let chosen = self.source.choice == EngineChoice::Rten;
            let there = if chosen { engines.onnxruntime().ok() } else { None };
            return Err(self.unsupported(verdict.reasons().into(), there.map(|engine| engine.id())));
        }
        self.on(&*engines.rten())
    }

    /// Opens the model on `engine` and tests it there.
    fn on(&self, engine: &dyn Engine) -> Result<Arc<Model>, ModelError> {
        let id = engine.id();
        let name = self.source.name.clone();
        let sessions = match self.source.sessions {
            0 => available_parallelism().map_or(1, usize::from),
            some => some,
        };
        let sessions = sessions.min(MAX_SESSIONS);
        let refused = |reason| ModelError::Load { model: name.clone(), engine: id.clone(), reason };
        let Declared { inputs, outputs, left_out } = &self.declared;
        let wanted = Wanted { sessions, providers: &self.source.providers };
        let runner = engine.open(&self.file, Ports { inputs, outputs }, wanted).map_err(refused)?;
        let test = SelfTest { runner: &*runner, inputs, outputs, limit: self.source.time };
        let mut caveats: Vec<String> = left_out.iter().map(LeftOut::reason).collect();
        let failed = |failure| {
            let (endless, reason) = match failure {
                Failed::Endless(reason) => (true, reason),
                Failed::Wrong(reason) => (false, reason),
            };
            ModelError::SelfTest { model: name.clone(), engine: id.clone(), reason, endless }
        };
        let (tested, tried) = match &self.sample {
            Some(sample) => {
                test.on_sample(sample).map_err(failed)?;
                (Tested::Sample, sample.inputs.clone())
            }
            None => match test.on_made_up_input() {
                Ok(inputs) => (Tested::MadeUp, inputs),
                // ONNX Runtime is the reference: what it will not do with made-up input may be the input's fault.
                Err(Failed::Wrong(reason)) if id.kind == EngineKind::OnnxRuntime => {
                    caveats.push(format!("not self-tested, a sample is needed: {reason}"));
                    (Tested::Not, Vec::new())
                }
                Err(Failed::Endless(reason)) => {
                    let way = "If it ends with real input, give it a `selftest` file";
                    return Err(failed(Failed::Endless(reason.told(|reason| format!("{reason}. {way}")))));
                }
                Err(wrong) => return Err(failed(wrong)),
            },
        };
        let mut warnings = Vec::new();
        if id.kind == EngineKind::OnnxRuntime && self.processor.saturates() {
            let (caveat, warning) = saturation(&products(self.file.proto()), runner.is_exact());
            caveats.extend(caveat);
            warnings.extend(warning);
        }
        warnings.extend(self.sample.as_ref().and_then(|sample| made_elsewhere(sample.made_on.as_deref(), &id)));
        warnings.extend(runner.not_used().iter().map(|(provider, why)| Warning::not_used(*provider, why)));
        let info = ModelInfo {
            name,
            digest: self.file.digest(),
            size: self.file.size(),
            external: self.file.external().iter().map(ExternalInfo::of).collect(),
            engine: id,
            sessions,
            inputs: inputs.clone(),
            outputs: outputs.clone(),
            left_out: left_out.clone(),
            has_loops: has_loops(self.file.proto()),
            metadata: metadata(self.file.proto()),
            tested,
            caveats,
            warnings,
        };
        let size: usize = tried.iter().map(|(_, tensor)| tensor.data().len() + tensor.text().len() * 64).sum();
        let tried = if size <= MAX_TRIED { tried } else { Vec::new() };
        Ok(Arc::new(Model { info, runner, tried }))
    }
}

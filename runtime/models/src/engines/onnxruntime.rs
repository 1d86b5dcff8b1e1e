//! ONNX Runtime, through `ort`, from a library that is loaded by name and once.
//!
//! Every session has one thread of its own: the caller's. Two sessions of one thread serve more than one session of
//! two, and nothing spins. A run is ended between two operators when its deadline passes or its caller cancels;
//! measured delay 0.4 to 5 ms, longer only inside one very large operator.

mod native;
mod packed;
mod providers;

use std::borrow::Cow;
use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use trackside_codes::{Class, Reason};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, PrepackedWeights, SessionBuilder};
use ort::session::{OutputSelector, RunOptions, Session};
use trackside_spec::{Tensor, config::Provider};
use trackside_sync::{CancelHook, lock};

use self::native::Interrupt;
use self::providers::{NotUsed, with_provider};
use super::{Engine, EngineId, EngineKind, Ports, Ran, RunFailure, Runner, Spent, Stopwatch, Wanted, panic_text};
use crate::file::ModelFile;
use crate::onnx::products;
use crate::output::{Output, OutputPort};
use crate::pool::Pool;
use crate::stop::Stop;
use crate::watchdog;

/// The longest that loading one session may take. Constant folding runs parts of the model, so a hostile one could go
/// on for ever; the slowest ordinary one that was measured took two seconds.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// The one library of this process. ONNX Runtime's own state is global, so this is too.
static LOADED: Mutex<Option<Arc<OnnxRuntime>>> = Mutex::new(None);

/// The engine.
pub(super) struct OnnxRuntime {
    environment: Environment,
    version: String,
    origin: PathBuf,
}

impl OnnxRuntime {
    /// The library that is loaded, if one is.
    pub(super) fn loaded() -> Option<Arc<Self>> {
        lock(&LOADED).clone()
    }

    /// Loads the library at `path`, unless one is loaded already.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, Reason> {
        let mut loaded = lock(&LOADED);
        if let Some(runtime) = &*loaded {
            return Ok(Arc::clone(runtime));
        }
        // `ort` panics where it did not expect a library to misbehave.
        let runtime =
            catch_unwind(AssertUnwindSafe(|| Self::initialise(path))).unwrap_or_else(|panic| Err(broke(&*panic)))?;
        tracing::info!(library = %runtime.origin.display(), version = runtime.version, "loaded ONNX Runtime");
        Ok(Arc::clone(loaded.insert(Arc::new(runtime))))
    }

    fn initialise(path: &Path) -> Result<Self, Reason> {
        let environment = ort::init_from(path)
            .map_err(|error| {
                let text = explain(&error);
                Reason::by(Class::Setup, error).told(|_| text)
            })?
            .with_name("trackside")
            .with_telemetry(false)
            // What matters comes back as an error of the call; the log is for those who look for more.
            .with_logger(Arc::new(|level, _, _, _, message: &str| match level {
                LogLevel::Fatal => tracing::error!(target: "onnxruntime", "{message}"),
                LogLevel::Error | LogLevel::Warning => tracing::debug!(target: "onnxruntime", "{message}"),
                LogLevel::Info | LogLevel::Verbose => tracing::trace!(target: "onnxruntime", "{message}"),
            }))
            .build()
            .map_err(|error| Reason::by(Class::Unusable, error))?;
        environment.set_log_level(LogLevel::Warning);
        let version = native::version(path).unwrap_or_else(|| "unknown".to_owned());
        Ok(Self { environment, version, origin: path.to_owned() })
    }

    fn builder(
        &self,
        model: &ModelFile,
        shared: &PrepackedWeights,
        Settings { fixed_shapes, exact, providers }: Settings<'_>,
    ) -> ort::Result<SessionBuilder> {
        let mut builder = Session::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            // A pattern is kept for every input shape that was ever seen.
            .with_memory_pattern(fixed_shapes)?
            .with_prepacked_weights(shared)?
            .with_log_level(LogLevel::Warning)?;
        if exact {
            // Without VNNI sums of products of uint8 and int8 saturate; this turns constant int8 weights into uint8.
            builder = builder.with_config_entry("session.x64quantprecision", "1")?;
        }
        for provider in providers {
            builder = with_provider(builder, *provider)?;
        }
        for file in model.external() {
            builder = builder.with_external_initializer_file_in_memory(&file.name, Arc::clone(&file.bytes))?;
        }
        Ok(builder)
    }

    fn session(&self, model: &ModelFile, shared: &PrepackedWeights, settings: Settings<'_>) -> Result<Session, Reason> {
        let mut builder = self.builder(model, shared, settings).map_err(|error| Reason::by(Class::Unusable, error))?;
        let canceler = builder.canceler();
        let _limit = watchdog::at(Instant::now() + LOAD_LIMIT, move || drop(canceler.cancel())).map_err(|error| {
            Reason::by(Class::Setup, error)
                .told(|text| format!("no thread to watch over the time that loading takes: {text}"))
        })?;
        builder.commit_from_memory(model.bytes()).map_err(|error| Reason::by(Class::Unusable, error))
    }
}

/// Of an engine that panicked.
fn broke(panic: &(dyn std::any::Any + Send)) -> Reason {
    Reason::new(Class::Bug, panic_text(panic))
}

/// `ort`'s message for a failed `dlopen` leaves the loader's own words out.
fn explain(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, .. } => {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            format!("the system's loader refuses it: {cause}")
        }
        LoadDynamicError::MissingApi { .. } => "it is a library, but not ONNX Runtime".to_owned(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("it is version {version_str}; 1.{} or later is needed", ort::MINOR_VERSION)
        }
        LoadDynamicError::InvalidVersionString => "it does not tell its version".to_owned(),
    }
}

impl Engine for OnnxRuntime {
    fn id(&self) -> EngineId {
        EngineId { kind: EngineKind::OnnxRuntime, version: self.version.clone(), origin: Some(self.origin.clone()) }
    }

    fn open(&self, model: &ModelFile, ports: Ports<'_>, wanted: Wanted<'_>) -> Result<Box<dyn Runner>, Reason> {
        let fixed =
            |shape: &Option<Vec<Option<u32>>>| shape.as_ref().is_some_and(|dims| dims.iter().all(Option::is_some));
        let fixed_shapes = ports.inputs.iter().all(|port| fixed(&port.shape));
        let open = |exact: bool, providers: &[Provider]| {
            let open = || {
                // Sessions of one model share the weights that the engine has rearranged for its kernels.
                let (shared, settings) = (PrepackedWeights::new(), Settings { fixed_shapes, exact, providers });
                (0..wanted.sessions).map(|_| self.session(model, &shared, settings)).collect::<Result<Vec<_>, _>>()
            };
            catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| Err(broke(&*panic)))
        };
        // Asked for exact products, 1.31.1 refuses a model in which two operators share a weight or its zero point.
        let exactly = !products(model.proto()).is_empty();
        let open = |providers: &[Provider]| match open(exactly, providers) {
            Ok(opened) => Ok((opened, true)),
            Err(reason) if exactly => Ok((open(false, providers).map_err(|_| reason)?, false)),
            Err(reason) => Err(reason),
        };
        let (providers, mut not_used) = providers::usable(&self.environment, wanted.providers);
        let (opened, exact) = match open(&providers) {
            // What is there may still refuse the model: the processor takes it.
            Err(reason) if !providers.is_empty() => {
                let opened = open(&[])?;
                not_used.extend(providers.iter().map(|provider| (*provider, reason.to_string())));
                opened
            }
            opened => opened?,
        };
        let names = |ports: &[crate::port::Port]| ports.iter().map(|port| port.name.clone()).collect();
        Ok(Box::new(OrtRunner {
            pool: Pool::new(opened),
            inputs: names(ports.inputs),
            outputs: ports.outputs.to_vec(),
            exact,
            not_used,
        }))
    }
}

/// How a session is made.
#[derive(Clone, Copy)]
struct Settings<'a> {
    /// Every input has one shape.
    fixed_shapes: bool,
    /// Products of uint8 and int8 must not saturate.
    exact: bool,
    /// What computes besides the processor.
    providers: &'a [Provider],
}

/// A model in ONNX Runtime.
struct OrtRunner {
    pool: Arc<Pool<Session>>,
    inputs: Vec<String>,
    outputs: Vec<OutputPort>,
    exact: bool,
    not_used: NotUsed,
}

impl Runner for OrtRunner {
    fn is_exact(&self) -> bool {
        self.exact
    }

    fn not_used(&self) -> &[(Provider, String)] {
        &self.not_used
    }

    fn run(&self, inputs: Vec<Option<Tensor>>, wanted: &[usize], stop: Stop<'_>) -> Result<Ran, RunFailure> {
        let asked = Instant::now();
        let waited =
            |stopped| RunFailure::Stopped(stopped, format!("waiting for one of {} sessions", self.pool.size()));
        let mut lease = self.pool.take(stop).map_err(waited)?;
        let session = lease.get().ok_or_else(|| RunFailure::Failed(Reason::new(Class::Bug, "the session is gone")))?;
        let queued = asked.elapsed();
        let run = || self.run_on(session, &inputs, wanted, stop);
        let (outputs, spent) =
            catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(RunFailure::Failed(broke(&*panic))))?;
        Ok(Ran { outputs, queued, spent })
    }
}

impl OrtRunner {
    fn run_on(
        &self,
        session: &mut Session,
        inputs: &[Option<Tensor>],
        wanted: &[usize],
        stop: Stop<'_>,
    ) -> Result<(Vec<Output>, Spent), RunFailure> {
        let mut watch = Stopwatch::start();
        let failed = |error: ort::Error| RunFailure::Failed(Reason::by(Class::Failed, error));
        let mut values = Vec::with_capacity(inputs.len());
        for (index, (name, tensor)) in self.inputs.iter().zip(inputs).enumerate() {
            let Some(tensor) = tensor else { continue };
            let value = native::value(tensor).map_err(|reason| RunFailure::Input(index, reason))?;
            values.push((Cow::Borrowed(name.as_str()), value));
        }
        let outputs = || wanted.iter().filter_map(|index| self.outputs.get(*index));
        let selected = outputs().fold(OutputSelector::no_default(), |selector, port| selector.with(port.name()));
        let options = RunOptions::new().map_err(failed)?.with_outputs(selected);
        let interrupt = Arc::new(Interrupt::new(options));
        let _limits = Limits::set(&interrupt, stop)?;
        watch.given();
        let mut ran = match session.run_with_options(values, interrupt.options()) {
            Ok(ran) => ran,
            Err(error) => {
                return Err(match stop.check() {
                    Some(stopped) if interrupt.raised() => RunFailure::Stopped(stopped, String::new()),
                    _ => failed(error),
                });
            }
        };
        watch.ran();
        let outputs = outputs()
            .map(|port| {
                let name = port.name();
                let value = ran
                    .remove(name)
                    .ok_or_else(|| Reason::new(Class::Bug, format!("it did not give the output {name:?}")))?;
                let output = match port {
                    OutputPort::Tensor(port) => native::tensor(value, port.element).map(Output::Tensor),
                    OutputPort::Json(port) => packed::json(value, port.form).map(Output::Json),
                };
                output.map_err(|reason| reason.told(|reason| format!("its output {name:?}: {reason}")))
            })
            .collect::<Result<_, _>>()
            .map_err(RunFailure::Failed)?;
        Ok((outputs, watch.taken()))
    }
}

/// What may end a run early, for as long as this lives.
struct Limits {
    _deadline: Option<watchdog::Guard>,
    _cancel: CancelHook,
}

impl Limits {
    fn set(interrupt: &Arc<Interrupt>, stop: Stop<'_>) -> Result<Self, RunFailure> {
        let raise = || {
            let interrupt = Arc::clone(interrupt);
            move || interrupt.raise()
        };
        let deadline = match stop.deadline {
            None => None,
            Some(deadline) => {
                let guard = watchdog::at(deadline, raise());
                Some(guard.map_err(|error| {
                    let reason = Reason::by(Class::Setup, error);
                    RunFailure::Failed(reason.told(|text| format!("no thread to watch its deadline: {text}")))
                })?)
            }
        };
        let limits = Self { _deadline: deadline, _cancel: stop.cancel.on_cancel(raise()) };
        // ONNX Runtime looks at the flag between operators only, so a deadline in the past is seen to here.
        match stop.check() {
            Some(stopped) => Err(RunFailure::Stopped(stopped, String::new())),
            None => Ok(limits),
        }
    }
}

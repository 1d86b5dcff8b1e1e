//! rten, the engine that is part of the binary.
//!
//! Types: float32, int32, int8 and uint8 as they are; int64 as int32 (a value that does not fit is refused by position)
//! and boolean as int32 0 or 1, both restored in outputs; every other type is refused when the model is loaded, float64
//! too, because rten would compute it as float32 without a word.
//!
//! rten bounds neither the time nor the memory that a model takes, and a failed allocation ends the process: a model from
//! a source that is not trusted belongs on ONNX Runtime, which reports it.
//!
//! rten has no way to end a run. Each run goes to a worker thread; at its deadline the caller is told and the worker
//! runs on. It stays taken until it has finished, so at most `sessions` threads of a model are ever busy, given up or
//! not, and later calls wait for a free one within their own deadlines.

mod convert;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ::rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value};
use trackside_spec::{ElementType, Tensor};

use self::convert::{to_tensor, to_value};
use super::{Engine, EngineId, EngineKind, Ports, Ran, RunFailure, Runner, panic_text};
use crate::file::ModelFile;
use crate::onnx::loses_nan;
use crate::pool::{Lease, Pool};
use crate::port::Port;
use crate::stop::{Stop, Stopped};

/// The version of the engine; a test compares it with the lock file.
pub(super) const VERSION: &str = "0.27.0";

/// rten plans by recursion over the graph's depth. Address space only: pages that are not touched cost nothing.
const STACK: usize = 64 * 1024 * 1024;

/// The longest that loading may take: constant parts of a model are run then.
const LOAD_LIMIT: Duration = Duration::from_secs(120);

/// The engine.
pub(super) struct Rten;

impl Engine for Rten {
    fn id(&self) -> EngineId {
        EngineId { kind: EngineKind::Rten, version: VERSION.to_owned(), origin: None }
    }

    fn open(&self, file: &ModelFile, ports: Ports<'_>, sessions: usize) -> Result<Box<dyn Runner>, String> {
        for port in ports.inputs.iter().chain(ports.outputs) {
            convert::supported(port)?;
        }
        let model = Arc::new(load(file)?);
        let ids = |ports: &[Port]| {
            let find = |port: &Port| model.find_node(&port.name).ok_or_else(|| format!("it has lost {:?}", port.name));
            ports.iter().map(find).collect::<Result<Vec<_>, _>>()
        };
        let (inputs, outputs) = (ids(ports.inputs)?, ids(ports.outputs)?);
        let workers = (0..sessions).map(|_| Worker::start(&model)).collect::<Result<_, _>>()?;
        Ok(Box::new(RtenRunner {
            pool: Pool::new(workers),
            inputs: inputs.into_iter().zip(ports.inputs.iter().map(|port| port.optional)).collect(),
            outputs: outputs.into_iter().zip(ports.outputs.iter().cloned()).collect(),
            loses_nan: loses_nan(file.proto()),
        }))
    }
}

/// Loads on a thread of its own: for its stack, and so that a model that never ends loading does not take the caller
/// with it.
fn load(file: &ModelFile) -> Result<Model, String> {
    let bytes = file.bytes().to_vec();
    let external: Vec<_> = file.external().iter().map(|file| (file.name.clone(), file.bytes.to_vec())).collect();
    let (tell, told) = mpsc::channel();
    let work = move || {
        let load = || {
            let mut options = ModelOptions::with_all_ops();
            for (name, bytes) in external {
                options.external_data(&name, bytes);
            }
            options.load(bytes).map_err(|error| error.to_string())
        };
        let loaded = catch_unwind(AssertUnwindSafe(load));
        // A closed channel means that the caller has given up.
        let _ = tell.send(loaded.unwrap_or_else(|panic| Err(panic_text(&*panic))));
    };
    thread::Builder::new()
        .name("rten-load".into())
        .stack_size(STACK)
        .spawn(work)
        .map_err(|error| format!("no thread to load it on: {error}"))?;
    told.recv_timeout(LOAD_LIMIT)
        .unwrap_or_else(|_| Err(format!("loading it did not end within {} s", LOAD_LIMIT.as_secs())))
}

/// A model in rten.
struct RtenRunner {
    pool: Arc<Pool<Worker>>,
    /// With whether it has a default.
    inputs: Vec<(NodeId, bool)>,
    outputs: Vec<(NodeId, Port)>,
    /// Whether the model has an operator that makes a number of NaN on this engine.
    loses_nan: bool,
}

/// A thread that runs the model, and rten's own pool of one thread behind it.
struct Worker {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    inputs: Vec<(NodeId, Value)>,
    outputs: Vec<NodeId>,
    reply: mpsc::Sender<Reply>,
    /// The worker itself: it is free again when this is dropped.
    lease: Lease<Worker>,
}

enum Reply {
    Done(Result<Vec<Value>, String>),
    Cancelled,
}

impl Worker {
    fn start(model: &Arc<Model>) -> Result<Self, String> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let model = Arc::clone(model);
        let work = move || {
            let threads = Arc::new(ThreadPool::with_num_threads(1));
            // Ends when the pool, and with it the sender, is dropped.
            for Job { inputs, outputs, reply, lease } in todo {
                let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&threads)));
                let inputs = inputs.into_iter().map(|(id, value)| (id, value.into())).collect();
                let run = || model.run(inputs, &outputs, Some(options)).map_err(|error| error.to_string());
                let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panic_text(&*panic)));
                // Free before the answer: who has it may call again at once.
                drop(lease);
                let _ = reply.send(Reply::Done(result));
            }
        };
        thread::Builder::new()
            .name("rten-run".into())
            .stack_size(STACK)
            .spawn(work)
            .map_err(|error| format!("no thread to run it on: {error}"))?;
        Ok(Self { jobs })
    }
}

fn has_nan(tensor: &Tensor) -> bool {
    let words = tensor.data().as_chunks::<4>().0;
    tensor.element() == ElementType::Float32 && words.iter().any(|word| f32::from_le_bytes(*word).is_nan())
}

impl Runner for RtenRunner {
    fn run(&self, inputs: Vec<Option<Tensor>>, wanted: &[usize], stop: Stop<'_>) -> Result<Ran, RunFailure> {
        let asked = Instant::now();
        let mut values = Vec::with_capacity(inputs.len());
        for (index, ((id, has_default), tensor)) in self.inputs.iter().zip(&inputs).enumerate() {
            let Some(tensor) = tensor else { continue };
            if *has_default {
                // rten makes a constant of the default when it loads the model, and would compute with that.
                let reason = "the built-in engine computes with the model's default and cannot be given another value: \
                              run the model on ONNX Runtime (`engine: onnxruntime`), or leave it out";
                return Err(RunFailure::Input(index, reason.to_owned()));
            }
            if self.loses_nan && has_nan(tensor) {
                let reason = "it holds NaN, of which the built-in engine would make a number: \
                              replace what is missing before, or run the model on ONNX Runtime (`engine: onnxruntime`)";
                return Err(RunFailure::Input(index, reason.to_owned()));
            }
            values.push((*id, to_value(tensor).map_err(|reason| RunFailure::Input(index, reason))?));
        }
        let outputs: Vec<_> = wanted.iter().filter_map(|index| self.outputs.get(*index)).collect();
        let busy = |stopped| {
            let (size, busy) = (self.pool.size(), self.pool.in_use());
            let note =
                format!("waiting for one of {size} sessions, {busy} of them busy, maybe with runs that were given up");
            RunFailure::Stopped(stopped, note)
        };
        let mut lease = self.pool.take(stop).map_err(busy)?;
        let started = Instant::now();
        let (reply, replied) = mpsc::channel();
        let gone = || RunFailure::Failed("its thread has ended".to_owned());
        let jobs = lease.get().ok_or_else(gone)?.jobs.clone();
        let waker = reply.clone();
        let job = Job { inputs: values, outputs: outputs.iter().map(|(id, _)| *id).collect(), reply, lease };
        jobs.send(job).map_err(|_| gone())?;
        let _hook = stop.cancel.on_cancel(move || drop(waker.send(Reply::Cancelled)));
        let values = match receive(&replied, stop.deadline) {
            Some(Reply::Done(Ok(values))) => values,
            Some(Reply::Done(Err(reason))) => return Err(RunFailure::Failed(reason)),
            Some(Reply::Cancelled) => return Err(RunFailure::Stopped(Stopped::Cancelled, String::new())),
            None => {
                let note = "the built-in engine cannot end a run: its thread stays busy until it has finished";
                return Err(RunFailure::Stopped(Stopped::Deadline, note.to_owned()));
            }
        };
        let ran = started.elapsed();
        let outputs = outputs.iter().zip(values).map(|((_, port), value)| to_tensor(value, port));
        let outputs = outputs.collect::<Result<_, _>>().map_err(RunFailure::Failed)?;
        Ok(Ran { outputs, queued: started - asked, ran })
    }
}

/// Waits for an answer until the deadline. The sender lives at least as long as the worker's job.
fn receive(replied: &mpsc::Receiver<Reply>, deadline: Option<Instant>) -> Option<Reply> {
    match deadline {
        None => replied.recv().ok(),
        Some(deadline) => replied.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok(),
    }
}

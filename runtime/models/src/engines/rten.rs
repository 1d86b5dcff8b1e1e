//! The engine that is part of the binary: the interpreter of `trackside-interpreter`, whose large products are rten's.
//!
//! It is called rten wherever its name is written down, as it was when rten ran whole graphs. Values have exactly the types
//! that the model declares. A run goes on the caller's thread, ends between two operators when it is told to, and holds a
//! bounded amount of memory: shapes come from the model, and a failed allocation would end the process. A panic is caught
//! in the interpreter.

mod convert;
mod packed;

use std::sync::Arc;
use std::time::Instant;
use trackside_codes::{Class, Reason};

use trackside_interpreter::{Program, ProgramError, Value};
use trackside_spec::Tensor;

use self::convert::to_value;
use self::packed::Given;
use super::{Engine, EngineId, EngineKind, Ports, Ran, RunFailure, Runner, Spent, Stopwatch, Wanted};
use crate::file::ModelFile;
use crate::memory::run_memory;
use crate::onnx::BuiltinVerdict;
use crate::output::{Output, OutputPort};
use crate::pool::Pool;
use crate::stop::{Stop, Stopped};

/// The version of rten, whose kernels compute large products; a test compares it with the lock file.
pub(super) const VERSION: &str = "0.27.0";

/// The engine.
pub(super) struct Rten;

impl Engine for Rten {
    fn id(&self) -> EngineId {
        EngineId { kind: EngineKind::Rten, version: VERSION.to_owned(), origin: None }
    }

    fn open(&self, file: &ModelFile, ports: Ports<'_>, wanted: Wanted<'_>) -> Result<Box<dyn Runner>, Reason> {
        let program =
            file.program().map_err(|refusals| Reason::new(Class::Unusable, BuiltinVerdict::of(refusals).reasons()))?;
        // The interpreter knows more inputs: those whose defaults nobody can replace.
        let inputs = program.inputs().iter().map(|input| ports.inputs.iter().position(|port| port.name == input.name));
        let output = |port: &OutputPort| {
            let given = match port {
                OutputPort::Tensor(port) => {
                    let place = program.outputs().iter().position(|(known, _)| *known == port.name);
                    place.map(|place| Given::Tensor(place, port.element))
                }
                OutputPort::Json(port) => {
                    let pack = program.packs().iter().find(|pack| pack.name == port.name);
                    pack.and_then(|pack| Given::packed(pack, port.form))
                }
            };
            let name = port.name();
            given.ok_or_else(|| Reason::new(Class::Unusable, format!("it gives no {} as {name:?}", port.signature())))
        };
        let outputs = ports.outputs.iter().map(output).collect::<Result<_, _>>()?;
        Ok(Box::new(Interpreter {
            sessions: Pool::new(vec![(); wanted.sessions]),
            inputs: inputs.collect(),
            outputs,
            memory: run_memory(),
            program: Arc::clone(program),
        }))
    }
}

/// A model in the interpreter.
struct Interpreter {
    program: Arc<Program>,
    /// How many runs go on at a time: each holds memory of its own.
    sessions: Arc<Pool<()>>,
    /// Which port each input of the program is.
    inputs: Vec<Option<usize>>,
    /// Where each port's output comes from.
    outputs: Vec<Given>,
    /// Bytes that a run may hold.
    memory: usize,
}

impl Runner for Interpreter {
    fn run(&self, inputs: Vec<Option<Tensor>>, wanted: &[usize], stop: Stop<'_>) -> Result<Ran, RunFailure> {
        let asked = Instant::now();
        let waited =
            |stopped| RunFailure::Stopped(stopped, format!("waiting for one of {} sessions", self.sessions.size()));
        let _session = self.sessions.take(stop).map_err(waited)?;
        let queued = asked.elapsed();
        let (outputs, spent) = self.run_on(inputs, wanted, stop)?;
        Ok(Ran { outputs, queued, spent })
    }
}

impl Interpreter {
    fn run_on(
        &self,
        inputs: Vec<Option<Tensor>>,
        wanted: &[usize],
        stop: Stop<'_>,
    ) -> Result<(Vec<Output>, Spent), RunFailure> {
        let mut watch = Stopwatch::start();
        let mut given: Vec<Option<Value>> = vec![None; self.inputs.len()];
        for (place, port) in given.iter_mut().zip(&self.inputs) {
            let Some(index) = *port else { continue };
            let Some(tensor) = inputs.get(index).and_then(Option::as_ref) else { continue };
            *place = Some(to_value(tensor).map_err(|reason| RunFailure::Input(index, reason))?);
        }
        drop(inputs);
        watch.given();
        let values =
            self.program.run(given, self.memory, &|| stop.check().is_some()).map_err(|problem| match problem {
                ProgramError::Failed(misfit) => RunFailure::Failed(Reason::by(Class::Failed, misfit)),
                ProgramError::Stopped => RunFailure::Stopped(stop.check().unwrap_or(Stopped::Deadline), String::new()),
            })?;
        watch.ran();
        let outputs = wanted.iter().filter_map(|index| self.outputs.get(*index)).map(|given| given.of(&values));
        let outputs = outputs.collect::<Result<_, _>>().map_err(RunFailure::Failed)?;
        Ok((outputs, watch.taken()))
    }
}

//! ONNX graphs computed in this process: exact types, a table of what is proved, and nothing else.
//!
//! - [`Program::load`] takes a model whole or refuses it with the operators and reasons ([`Refusal`]): a call is taken
//!   only where operator, version, types, attributes and optional inputs lie in the table that was compared with ONNX
//!   Runtime cell by cell.
//! - [`Program::run`] computes it on the caller's thread (large products use a few more), within a bound on memory, and
//!   ends between two calls when it is told to.
//! - [`proto`] and [`scan`] read model files and bound what a hostile one can cost.
//!
//! The room of models may call it. It reads no file, knows no clock and never trusts a shape.
//!
//! # How to add a kernel
//! 1. A function in a file below `kernels/` that takes views and the run's `Room` and checks all shapes.
//! 2. A builder `fn name(node: &Node) -> Built` that asks for arity, types and every attribute of the operator in all
//!    versions, refuses what is not proved, and gives `Plan::new(output types, move |inputs, run| …)`.
//! 3. A line in the `TABLE` of its file; the file's table in `kernels::TABLES`.
//! 4. Cells in the grid that compares the table with ONNX Runtime.

mod functions;
mod kernel;
mod kernels;
mod load;
mod names;
mod node;
mod program;
pub mod proto;
pub mod scan;
mod table;
mod tensor_proto;
mod unsupported;
mod value;

pub use kernels::nn::plain::Misfit;
pub use load::{Input, Keys, Pack, PackForm, Refusal};
pub use table::{NEWEST_OPSET, OLDEST_OPSET, operators};
pub use tensor_proto::{NoWeights, Weights};
pub use value::{Data, Element, Type, Value};

use kernel::Fault;
use program::Memory;

/// A model that is ready to run, from any number of threads.
pub struct Program {
    loaded: load::Loaded,
}

/// Why a run gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The inputs do not fit the model or each other, or a result is larger than allowed.
    #[error(transparent)]
    Failed(#[from] Misfit),
    /// It was told to end.
    #[error("it was stopped")]
    Stopped,
}

impl Program {
    /// Loads a model.
    ///
    /// # Errors
    /// Every reason why it is refused, up to a bound.
    pub fn load(model: &proto::ModelProto, weights: &dyn Weights) -> Result<Self, Vec<Refusal>> {
        let load = || load::load(model, weights).map(|loaded| Self { loaded });
        caught(load)
    }

    /// What it takes, in the order of the file; initializers that can not be given are left out.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.loaded.inputs
    }

    /// The tensors that it computes: names and types of the file's outputs in their order, then of what the outputs that
    /// are no tensors are [packed](Self::packs) of.
    #[must_use]
    pub fn outputs(&self) -> &[(String, Type)] {
        &self.loaded.outputs
    }

    /// The outputs that are no tensors.
    #[must_use]
    pub fn packs(&self) -> &[Pack] {
        &self.loaded.packs
    }

    /// Computes all outputs. `inputs` are in the order of [`inputs`](Self::inputs); `None` takes the default. The values
    /// of the run may hold `bytes` together. `stop` is asked between two calls and within loops.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub fn run(
        &self,
        inputs: Vec<Option<Value>>,
        bytes: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Value>, ProgramError> {
        let declared = &self.loaded.inputs;
        if inputs.len() != declared.len() {
            return Err(Misfit::from(format!("it takes {} inputs, not {}", declared.len(), inputs.len())).into());
        }
        let mut given = Vec::with_capacity(inputs.len());
        for (value, input) in inputs.into_iter().zip(declared) {
            let Some(value) = value.or_else(|| input.default.clone()) else {
                return Err(Misfit::from(format!("the input {:?} is missing", input.name)).into());
            };
            if value.ty() != input.ty {
                let (got, wanted) = (value.ty().name(), input.ty.name());
                return Err(Misfit::from(format!("the input {:?} is {got}, not {wanted}", input.name)).into());
            }
            given.push(Some(value));
        }
        let run = || self.loaded.flow.run(given, 0, &Memory::new(bytes), stop);
        caught(run).map_err(|fault| match fault {
            Fault::Misfit(misfit) => ProgramError::Failed(misfit),
            Fault::Stopped => ProgramError::Stopped,
        })
    }
}

/// What a fault of ours says instead of ending the process.
const FAULT: &str = "the built-in engine has a fault that this model or input shows; please report it";

impl From<Panicked> for Fault {
    fn from(_: Panicked) -> Self {
        Misfit::from(FAULT).into()
    }
}

impl From<Panicked> for Vec<Refusal> {
    fn from(_: Panicked) -> Self {
        vec![Refusal::whole(&FAULT.into())]
    }
}

/// A kernel has panicked.
struct Panicked;

/// The last net: nothing in this crate may panic, whatever it is given, but if something does, one run fails and not the
/// node.
fn caught<T, E: From<Panicked>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Panicked.into()))
}

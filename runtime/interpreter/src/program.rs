//! A loaded graph, and the loop that runs it.

use std::cell::Cell;

use crate::kernel::{Fault, Inputs, Kernel, Run};
use crate::kernels::nn::plain::{Made, Room, misfit};
use crate::value::{Type, Value};

/// Where a call finds an input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// A value of the run; `last` when nobody reads it afterwards.
    Slot { slot: usize, last: bool },
    /// A constant of the program.
    Constant(usize),
}

/// One call.
pub(crate) struct Step {
    /// The call's name and operator, for messages.
    pub(crate) what: String,
    pub(crate) kernel: Box<dyn Kernel>,
    pub(crate) inputs: Box<[Option<Source>]>,
    /// The slot of each output that somebody reads.
    pub(crate) outputs: Box<[Option<usize>]>,
    /// Types that the outputs must have: a kernel that gives another one is a fault of ours, and is told.
    pub(crate) types: Box<[Type]>,
}

/// The calls of a graph in the order of the file, and what they share.
pub(crate) struct Flow {
    pub(crate) slots: usize,
    pub(crate) steps: Vec<Step>,
    pub(crate) constants: Vec<Value>,
    pub(crate) outputs: Vec<Source>,
}

/// Bytes that the values of a run take.
pub(crate) struct Memory {
    limit: usize,
    live: Cell<usize>,
    left: Cell<usize>,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, live: Cell::new(0), left: Cell::new(limit) }
    }

    /// Takes room for a result.
    pub(crate) fn claim(&self, bytes: usize) -> Made<()> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => misfit(format!(
                "its result of {bytes} bytes does not fit in the {} MiB that a run may hold",
                self.limit >> 20
            )),
        }
    }

    /// Counts what a call keeps while its subgraph runs again and again.
    pub(crate) fn hold(&self, bytes: usize) -> Made<()> {
        self.claim(bytes)?;
        self.settle(bytes, 0);
        Ok(())
    }

    /// Takes back what was held.
    pub(crate) fn release(&self, bytes: usize) {
        self.settle(0, bytes);
    }

    /// Between two calls: what a call has claimed for passing use is free again, what is held is counted as it is.
    fn settle(&self, added: usize, dropped: usize) {
        self.live.set((self.live.get() + added).saturating_sub(dropped));
        self.left.set(self.limit.saturating_sub(self.live.get()));
    }
}

impl Flow {
    /// Runs the calls. `given` are the first slots: inputs, then captures.
    pub(crate) fn run(
        &self,
        given: Vec<Option<Value>>,
        memory: &Memory,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Value>, Fault> {
        // Counted once more when somebody outside holds them too: better than to count down what was never counted.
        let mut held: usize = given.iter().flatten().map(Value::bytes).sum();
        memory.hold(held)?;
        let mut slots = given;
        slots.resize(self.slots, None);
        let claim = |bytes: usize| memory.claim(bytes);
        let run = Run { room: Room::new(&claim), stop, memory };
        let mut inputs: Vec<Option<Value>> = Vec::new();
        for step in &self.steps {
            run.go_on()?;
            inputs.clear();
            let mut dropped = 0_usize;
            for source in &step.inputs {
                inputs.push(match source {
                    None => None,
                    Some(Source::Constant(constant)) => self.constants.get(*constant).cloned(),
                    Some(Source::Slot { slot, last: false }) => slots.get(*slot).and_then(Clone::clone),
                    Some(Source::Slot { slot, last: true }) => {
                        let value = slots.get_mut(*slot).and_then(Option::take);
                        dropped += value.as_ref().map_or(0, Value::bytes);
                        value
                    }
                });
            }
            let made = step.kernel.run(&mut Inputs(&mut inputs), &run).map_err(|fault| match fault {
                Fault::Misfit(words) => Fault::Misfit(format!("{}: {words}", step.what)),
                Fault::Stopped => Fault::Stopped,
            })?;
            let mut added = 0_usize;
            let mut made = made.into_iter();
            for (output, ty) in step.outputs.iter().zip(&step.types) {
                let Some(value) = made.next() else {
                    return Err(Fault::Misfit(format!("{}: the kernel gave too few outputs", step.what)));
                };
                if value.ty() != *ty {
                    let (got, wanted) = (value.ty().name(), ty.name());
                    return Err(Fault::Misfit(format!("{}: the kernel gave {got} instead of {wanted}", step.what)));
                }
                if let Some(place) = output.and_then(|slot| slots.get_mut(slot)) {
                    added += value.bytes();
                    *place = Some(value);
                }
            }
            held = (held + added).saturating_sub(dropped);
            memory.settle(added, dropped);
        }
        let value = |source: &Source| match source {
            Source::Constant(constant) => self.constants.get(*constant).cloned(),
            Source::Slot { slot, .. } => slots.get(*slot).and_then(Clone::clone),
        };
        let outputs: Option<Vec<_>> = self.outputs.iter().map(value).collect();
        // A subgraph's values are gone with it; its outputs count where they go on.
        memory.release(held);
        outputs.ok_or_else(|| Fault::Misfit("an output has no value".to_owned()))
    }
}

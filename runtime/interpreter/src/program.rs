//! A loaded graph, and the loop that runs it.

use std::cell::Cell;

use crate::kernel::{Fault, Inputs, Kernel, Run};
use crate::kernels::nn::plain::{Made, Misfit, Room, misfit};
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

/// Units of work between two questions whether the run is to end: some milliseconds.
const ASK: usize = 1 << 22;

/// What a run has taken: bytes of its values, and work since it was last asked whether it is to end.
pub(crate) struct Memory {
    limit: usize,
    live: Cell<usize>,
    left: Cell<usize>,
    work: Cell<usize>,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, live: Cell::new(0), left: Cell::new(limit), work: Cell::new(0) }
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

    /// Counts values that stay beyond a call, so that everything that runs meanwhile has less room.
    pub(crate) fn hold(&self, bytes: usize) -> Made<()> {
        let live = self.live.get().saturating_add(bytes);
        if live > self.limit {
            return misfit(format!("its values do not fit in the {} MiB that a run may hold", self.limit >> 20));
        }
        self.settle(bytes, 0);
        Ok(())
    }

    /// Between two calls: what a call has claimed for passing use is free again, what is held is counted as it is.
    pub(crate) fn settle(&self, added: usize, dropped: usize) {
        self.live.set(self.live.get().saturating_add(added).saturating_sub(dropped));
        self.left.set(self.limit.saturating_sub(self.live.get()));
    }

    /// Counts work, and asks now and then whether the run is to end.
    pub(crate) fn work(&self, amount: usize, stop: &dyn Fn() -> bool) -> Made<()> {
        let work = self.work.get().saturating_add(amount);
        if work < ASK {
            self.work.set(work);
            return Ok(());
        }
        self.work.set(0);
        if stop() { misfit("the run is to end") } else { Ok(()) }
    }
}

/// What the rounds of a loop leave behind. It stays until the end, so it counts while the next round runs.
pub(crate) struct Kept<'m> {
    memory: &'m Memory,
    values: Vec<Vec<Value>>,
    bytes: usize,
}

impl<'m> Kept<'m> {
    /// What a value takes beside its elements: a loop may keep as many empty ones as it has time for.
    const VALUE: usize = 128;

    /// Of so many values each round.
    pub(crate) fn new(memory: &'m Memory, width: usize) -> Self {
        Self { memory, values: vec![Vec::new(); width], bytes: 0 }
    }

    /// Keeps the values of a round.
    pub(crate) fn add(&mut self, round: impl Iterator<Item = Value>) -> Made<()> {
        for (values, value) in self.values.iter_mut().zip(round) {
            let bytes = value.bytes().saturating_add(Self::VALUE);
            self.memory.hold(bytes)?;
            self.bytes = self.bytes.saturating_add(bytes);
            values.push(value);
        }
        Ok(())
    }

    /// The rounds of each value; there is room for them and for their copy when they are put together.
    pub(crate) fn end(mut self) -> Made<Vec<Vec<Value>>> {
        let (memory, values, bytes) = (self.memory, std::mem::take(&mut self.values), self.bytes);
        drop(self);
        memory.claim(bytes.saturating_mul(2))?;
        Ok(values)
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.memory.settle(0, self.bytes);
    }
}

/// A value of a run, and the bytes that are counted for it.
struct Place {
    value: Value,
    bytes: usize,
}

impl Flow {
    /// Runs the calls. `given` are the first slots: inputs, then captures, which the graph around holds and counts.
    pub(crate) fn run(
        &self,
        given: Vec<Option<Value>>,
        captured: usize,
        memory: &Memory,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Value>, Fault> {
        let inputs = given.len().saturating_sub(captured);
        let mut held = 0_usize;
        let mut slots: Vec<Option<Place>> = Vec::with_capacity(self.slots);
        for (slot, value) in given.into_iter().enumerate() {
            slots.push(value.map(|value| {
                let bytes = if slot < inputs { value.bytes() } else { 0 };
                held = held.saturating_add(bytes);
                Place { value, bytes }
            }));
        }
        slots.resize_with(self.slots, || None);
        memory.hold(held)?;
        let outputs = self.steps(&mut slots, &mut held, memory, stop);
        // A subgraph's values are gone with it; its outputs count where they go on.
        memory.settle(0, held);
        outputs
    }

    fn steps(
        &self,
        slots: &mut [Option<Place>],
        held: &mut usize,
        memory: &Memory,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Value>, Fault> {
        let claim = |bytes: usize| memory.claim(bytes);
        let work = |amount: usize| memory.work(amount, stop);
        let run = Run { room: Room::new(&claim, &work), stop, memory };
        let mut inputs: Vec<Option<Value>> = Vec::new();
        for step in &self.steps {
            run.go_on()?;
            inputs.clear();
            let mut dropped = 0_usize;
            for source in &step.inputs {
                inputs.push(match source {
                    None => None,
                    Some(Source::Constant(constant)) => self.constants.get(*constant).cloned(),
                    Some(Source::Slot { slot, last: false }) => {
                        slots.get(*slot).and_then(Option::as_ref).map(|place| place.value.clone())
                    }
                    Some(Source::Slot { slot, last: true }) => {
                        let place = slots.get_mut(*slot).and_then(Option::take);
                        place.map(|place| {
                            dropped += place.bytes;
                            place.value
                        })
                    }
                });
            }
            let made = step.kernel.run(&mut Inputs::new(&mut inputs, run.room), &run).map_err(|fault| match fault {
                // Whatever it was busy with: a run that is to end has no other reason.
                Fault::Misfit(_) if stop() => Fault::Stopped,
                Fault::Misfit(misfit) => misfit.at(&step.what).into(),
                Fault::Stopped => Fault::Stopped,
            })?;
            let mut added = 0_usize;
            let mut made = made.into_iter();
            for (output, ty) in step.outputs.iter().zip(&step.types) {
                let Some(value) = made.next() else {
                    return Err(Misfit::from(format!("{}: the kernel gave too few outputs", step.what)).into());
                };
                if value.ty() != *ty {
                    let (got, wanted) = (value.ty().name(), ty.name());
                    return Err(
                        Misfit::from(format!("{}: the kernel gave {got} instead of {wanted}", step.what)).into()
                    );
                }
                if let Some(place) = output.and_then(|slot| slots.get_mut(slot)) {
                    let bytes = value.bytes();
                    added = added.saturating_add(bytes);
                    *place = Some(Place { value, bytes });
                }
            }
            *held = held.saturating_add(added).saturating_sub(dropped);
            memory.settle(added, dropped);
        }
        let value = |source: &Source| match source {
            Source::Constant(constant) => self.constants.get(*constant).cloned(),
            Source::Slot { slot, .. } => slots.get(*slot).and_then(Option::as_ref).map(|place| place.value.clone()),
        };
        let outputs: Option<Vec<_>> = self.outputs.iter().map(value).collect();
        outputs.ok_or_else(|| Misfit::from("an output has no value").into())
    }
}

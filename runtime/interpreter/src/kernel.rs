//! What computes one call, and what it is given.

use crate::kernels::nn::plain::{Made, Misfit, Room, View, misfit};
use crate::program::Memory;
use crate::value::{Element, Value};

/// Why a call gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its inputs do not fit together, or the result would be too large.
    Misfit(Misfit),
    /// The run is to end.
    Stopped,
}

impl From<Misfit> for Fault {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

/// Computes one call, any number of times, from any thread.
pub(crate) trait Kernel: Send + Sync {
    /// Gives as many values as the plan has outputs. Shapes come from outside: nothing may be taken for granted but the
    /// types that the builder has checked.
    fn run(&self, inputs: &mut Inputs<'_>, run: &Run<'_>) -> Result<Vec<Value>, Fault>;
}

impl<F: Fn(&mut Inputs<'_>, &Run<'_>) -> Result<Vec<Value>, Fault> + Send + Sync> Kernel for F {
    fn run(&self, inputs: &mut Inputs<'_>, run: &Run<'_>) -> Result<Vec<Value>, Fault> {
        self(inputs, run)
    }
}

/// What a run allows.
pub(crate) struct Run<'a> {
    /// Room for results; asked before any is taken.
    pub(crate) room: Room<'a>,
    /// Whether the run is to end.
    pub(crate) stop: &'a dyn Fn() -> bool,
    /// For subgraphs, which run as flows of their own.
    pub(crate) memory: &'a Memory,
}

impl Run<'_> {
    /// Ends the kernel when the run is to end: for kernels that loop.
    pub(crate) fn go_on(&self) -> Result<(), Fault> {
        if (self.stop)() { Err(Fault::Stopped) } else { Ok(()) }
    }
}

/// The inputs of a call, then what its subgraphs capture.
pub(crate) struct Inputs<'a> {
    values: &'a mut [Option<Value>],
    room: Room<'a>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn new(values: &'a mut [Option<Value>], room: Room<'a>) -> Self {
        Self { values, room }
    }

    /// An input that is always given.
    pub(crate) fn get(&self, input: usize) -> Made<&Value> {
        self.optional(input).map_or_else(|| misfit(format!("its input {input} is missing")), Ok)
    }

    /// An input that may be left out.
    pub(crate) fn optional(&self, input: usize) -> Option<&Value> {
        self.values.get(input).and_then(Option::as_ref)
    }

    /// The elements of an input.
    pub(crate) fn view<T: Element>(&self, input: usize) -> Made<View<'_, T>> {
        self.get(input)?.view()
    }

    /// The elements of an input that may be left out.
    pub(crate) fn optional_view<T: Element>(&self, input: usize) -> Made<Option<View<'_, T>>> {
        self.optional(input).map(Value::view).transpose()
    }

    /// Takes an input away from the call: its elements can be changed in place if nobody else needs them. For the copy
    /// that is made otherwise room is asked here.
    pub(crate) fn take(&mut self, input: usize) -> Made<Value> {
        let Some(taken) = self.values.get_mut(input).and_then(Option::take) else {
            return misfit(format!("its input {input} is missing"));
        };
        if taken.is_shared() {
            self.room.claim(taken.bytes())?;
        }
        Ok(taken)
    }

    /// Number of inputs, left-out ones included.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

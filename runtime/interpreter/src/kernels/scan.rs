//! Scan: a subgraph for each slice along an axis, with values that it hands on from slice to slice.

use std::sync::Arc;

use crate::kernel::{Fault, Inputs, Kernel, Run};
use crate::kernels::control::captured;
use crate::kernels::nn::plain::{Made, axis_of, misfit, must};
use crate::kernels::strided::{Walk, gather, steps};
use crate::load::Body;
use crate::node::{Built, Node, Plan};
use crate::program::Kept;
use crate::table::{Entry, since};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[since(9, "Scan", scan)];

/// An axis, and whether it is walked from its end.
#[derive(Clone, Copy)]
struct Along {
    axis: i64,
    back: bool,
}

fn scan(node: &Node<'_>) -> Built {
    node.arity(node.inputs().max(1), usize::MAX, usize::MAX)?;
    let slices = node.int("num_scan_inputs")?.and_then(|count| usize::try_from(count).ok());
    let Some(states) = slices.filter(|count| *count > 0).and_then(|count| node.inputs().checked_sub(count)) else {
        return unsupported("its num_scan_inputs does not fit its inputs");
    };
    let mut types = Vec::new();
    for input in 0..node.inputs() {
        types.push(node.ty(input, Type::ALL)?);
    }
    let body = node.graph("body", &types)?;
    if body.outputs.get(..states) != types.get(..states) {
        return unsupported("its body changes the type of what it hands on");
    }
    let along = |axes: &str, directions: &str, count: usize| {
        let (axes, directions) = (node.ints(axes)?, node.ints(directions)?);
        if axes.is_some_and(|axes| axes.len() != count) || directions.is_some_and(|list| list.len() != count) {
            return unsupported("its axes or directions are not as many as what it walks along");
        }
        let at = |list: Option<&[i64]>, place: usize| list.and_then(|list| list.get(place).copied()).unwrap_or(0);
        let one = |place: usize| Along { axis: at(axes, place), back: at(directions, place) != 0 };
        Ok((0..count).map(one).collect::<Vec<_>>())
    };
    let takes = along("scan_input_axes", "scan_input_directions", types.len() - states)?;
    let gives = along("scan_output_axes", "scan_output_directions", body.outputs.len() - states)?;
    let (outputs, captures) = (body.outputs.clone(), body.captures.clone());
    Ok(Plan { kernel: Box::new(Scan { body, states, takes, gives }), outputs, captures, folds: false })
}

struct Scan {
    body: Body,
    states: usize,
    takes: Vec<Along>,
    gives: Vec<Along>,
}

impl Kernel for Scan {
    fn run(&self, inputs: &mut Inputs<'_>, run: &Run<'_>) -> Result<Vec<Value>, Fault> {
        let first = self.states + self.takes.len();
        let mut states: Vec<Option<Value>> = (0..self.states).map(|input| inputs.optional(input).cloned()).collect();
        let outer = captured(inputs, first, self.body.captures.len());
        let mut rounds = None;
        for (place, along) in self.takes.iter().enumerate() {
            let value = inputs.get(self.states + place)?;
            let dim = value.shape()[axis_of(along.axis, value.rank())?];
            must!(rounds.is_none_or(|rounds| rounds == dim), "its inputs have different lengths along their axes");
            rounds = Some(dim);
        }
        let rounds = rounds.unwrap_or(0);
        let mut kept = Kept::new(run.memory, self.gives.len());
        for round in 0..rounds {
            run.go_on()?;
            let mut given = std::mem::take(&mut states);
            for (place, along) in self.takes.iter().enumerate() {
                let at = if along.back { rounds - 1 - round } else { round };
                given.push(Some(slice(inputs.get(self.states + place)?, along.axis, at, run)?));
            }
            given.extend(outer.iter().cloned());
            let mut results = self.body.flow.run(given, outer.len(), run.memory, run.stop)?.into_iter();
            states = results.by_ref().take(self.states).map(Some).collect();
            kept.add(results)?;
        }
        let mut outputs: Vec<Value> = states.into_iter().flatten().collect();
        for (mut values, along) in kept.end()?.into_iter().zip(&self.gives) {
            if along.back {
                values.reverse();
            }
            outputs.push(stacked(&values, along.axis, run)?);
        }
        Ok(outputs)
    }
}

/// One place along an axis, without that axis.
fn slice(value: &Value, axis: i64, at: usize, run: &Run<'_>) -> Made<Value> {
    let axis = axis_of(axis, value.rank())?;
    let mut walk = Walk::over(value.shape());
    walk.offset = isize::try_from(at).unwrap_or(0).saturating_mul(walk.strides[axis]);
    walk.shape.remove(axis);
    walk.strides.remove(axis);
    gather(value, &walk, run.room)
}

/// The values of all rounds along a new axis.
fn stacked(values: &[Value], axis: i64, run: &Run<'_>) -> Made<Value> {
    let Some(first) = values.first() else { return misfit("it has nothing to walk along") };
    must!(values.iter().all(|value| value.shape() == first.shape()), "what it collects changes its shape");
    fn joined<T: Element>(_like: &Arc<Vec<T>>, values: &[Value], shape: Vec<usize>) -> Made<Value> {
        let mut elements = Vec::new();
        for value in values {
            elements.extend_from_slice(value.view::<T>()?.data);
        }
        Value::shared(shape, T::wrap(Arc::new(elements)))
    }
    let mut shape = vec![values.len()];
    shape.extend_from_slice(first.shape());
    let value = each!(first.data(), elements => joined(elements, values, shape.clone()))?;
    let at = axis_of(axis, shape.len())?;
    if at == 0 {
        return Ok(value);
    }
    let mut strides = steps(&shape);
    let (dim, step) = (shape.remove(0), strides.remove(0));
    shape.insert(at, dim);
    strides.insert(at, step);
    gather(&value, &Walk { offset: 0, shape, strides }, run.room)
}

//! Pieces of tensors: Slice, Split, Concat, Gather and its kin, Pad.

use std::sync::Arc;

use crate::kernels::control::ALL;
use crate::kernels::nn::plain::{Made, Room, axis_of, misfit, must};
use crate::kernels::strided::{Walk, gather, steps};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, since, standard};
use crate::value::{Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[
    between(7, 9, "Slice", slice_by_attributes),
    since(10, "Slice", slice_by_inputs),
    standard("Split", split),
    standard("Concat", concat),
    standard("Gather", take),
    since(11, "GatherElements", take_elements),
];

const PLACES: &[Type] = &[Type::I32, Type::I64];

fn slice_by_attributes(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, ALL)?;
    let list = |name: &str| node.ints(name).map(|list| list.map(<[i64]>::to_vec));
    let (starts, ends, axes) = (list("starts")?, list("ends")?, list("axes")?);
    let (Some(starts), Some(ends)) = (starts, ends) else { return Err("its starts or ends are missing".to_owned()) };
    Plan::new([ty], move |inputs, run| {
        Ok(vec![sliced(inputs.get(0)?, &starts, &ends, axes.as_deref(), None, run.room)?])
    })
}

fn slice_by_inputs(node: &Node<'_>) -> Built {
    node.arity(3, 5, 1)?;
    let ty = node.ty(0, ALL)?;
    for input in 1..5 {
        node.optional(input, PLACES)?;
    }
    Plan::new([ty], |inputs, run| {
        let list = |input: usize| inputs.optional(input).map(Value::whole).transpose();
        let (starts, ends) = (inputs.get(1)?.whole()?, inputs.get(2)?.whole()?);
        let (axes, strides) = (list(3)?, list(4)?);
        Ok(vec![sliced(inputs.get(0)?, &starts, &ends, axes.as_deref(), strides.as_deref(), run.room)?])
    })
}

fn sliced(
    value: &Value,
    starts: &[i64],
    ends: &[i64],
    axes: Option<&[i64]>,
    strides: Option<&[i64]>,
    room: Room<'_>,
) -> Made<Value> {
    must!(
        starts.len() == ends.len()
            && axes.is_none_or(|axes| axes.len() == starts.len())
            && strides.is_none_or(|strides| strides.len() == starts.len()),
        "its starts, ends, axes and steps are not equally many"
    );
    must!(axes.is_some() || starts.len() <= value.rank(), "it slices more axes than there are");
    let mut walk = Walk::over(value.shape());
    let mut seen = vec![false; value.rank()];
    for (position, (start, end)) in starts.iter().zip(ends).enumerate() {
        let axis = axes.and_then(|axes| axes.get(position).copied());
        let axis = axis.unwrap_or_else(|| i64::try_from(position).unwrap_or(i64::MAX));
        let axis = axis_of(axis, value.rank())?;
        must!(!std::mem::replace(&mut seen[axis], true), "axis {axis} is sliced twice");
        let step = strides.and_then(|strides| strides.get(position).copied()).unwrap_or(1);
        must!(step != 0, "its step is 0");
        let dim = i64::try_from(value.shape()[axis]).unwrap_or(i64::MAX);
        let from_end = |at: i64| if at < 0 { at.saturating_add(dim) } else { at };
        // Forwards between 0 and the size, backwards between -1 and the last place.
        let (low, high) = if step > 0 { (0, dim) } else { (-1, dim - 1) };
        let start = from_end(*start).clamp(if step > 0 { 0 } else { 0.min(high) }, high);
        let end = from_end(*end).clamp(low, high);
        let length = if step > 0 { end - start } else { start - end };
        let size = if length <= 0 { 0 } else { (length - 1) / step.saturating_abs() + 1 };
        walk.shape[axis] = usize::try_from(size).unwrap_or(0);
        walk.offset += isize::try_from(start).unwrap_or(0).saturating_mul(walk.strides[axis]);
        walk.strides[axis] = walk.strides[axis].saturating_mul(isize::try_from(step).unwrap_or(isize::MAX));
    }
    gather(value, &walk, room)
}

fn split(node: &Node<'_>) -> Built {
    let ty = node.ty(0, ALL)?;
    let axis = node.int("axis")?.unwrap_or(0);
    let (mut fixed, pieces) = (None, node.outputs());
    if node.opset < 13 {
        node.arity(1, 1, pieces)?;
        fixed = node.ints("split")?.map(<[i64]>::to_vec);
    } else {
        node.arity(1, 2, pieces)?;
        node.optional(1, &[Type::I64])?;
        if node.opset >= 18 && node.int("num_outputs")?.is_some_and(|count| usize::try_from(count) != Ok(pieces)) {
            return Err("its num_outputs is not the number of its outputs".to_owned());
        }
    }
    if pieces == 0 {
        return Err("it has no outputs".to_owned());
    }
    let (from_input, uneven) = (node.has(1), node.opset >= 18);
    Plan::new(vec![ty; pieces], move |inputs, run| {
        let value = inputs.get(0)?;
        let axis = axis_of(axis, value.rank())?;
        let dim = value.shape()[axis];
        let given = if from_input { Some(inputs.view::<i64>(1)?.data.to_vec()) } else { fixed.clone() };
        let sizes = match given {
            Some(sizes) => crate::kernels::layout::sizes(&sizes)?,
            None => {
                must!(uneven || dim.is_multiple_of(pieces), "{dim} can not be split into {pieces} equal pieces");
                let size = dim.div_ceil(pieces);
                (0..pieces).map(|piece| size.min(dim.saturating_sub(piece * size))).collect()
            }
        };
        let total = sizes.iter().try_fold(0_usize, |total, size| total.checked_add(*size));
        must!(sizes.len() == pieces && total == Some(dim), "{sizes:?} does not split {dim} into {pieces}");
        let (mut start, mut out) = (0, Vec::with_capacity(pieces));
        for size in sizes {
            let mut walk = Walk::over(value.shape());
            walk.shape[axis] = size;
            walk.offset = walk.strides[axis].saturating_mul(isize::try_from(start).unwrap_or(0));
            out.push(gather(value, &walk, run.room)?);
            start += size;
        }
        Ok(out)
    })
}

fn concat(node: &Node<'_>) -> Built {
    node.arity(1, usize::MAX, 1)?;
    let ty = node.one_type(ALL)?;
    let Some(axis) = node.int("axis")? else { return Err("its axis is missing".to_owned()) };
    let count = node.inputs();
    Plan::new([ty], move |inputs, run| {
        let first = inputs.get(0)?;
        let axis = axis_of(axis, first.rank())?;
        let mut shape = first.shape().to_vec();
        for input in 1..count {
            let other = inputs.get(input)?.shape();
            let differ = |(at, (a, b)): (usize, (&usize, &usize))| at != axis && a != b;
            let same = other.len() == shape.len() && !shape.iter().zip(other).enumerate().any(differ);
            must!(same, "{shape:?} and {other:?} do not fit together along axis {axis}");
            let Some(sum) = shape[axis].checked_add(other[axis]) else { return Ok(misfit("it is too large")?) };
            shape[axis] = sum;
        }
        fn joined<T: Element>(
            _like: &Arc<Vec<T>>,
            values: &[&Value],
            shape: Vec<usize>,
            axis: usize,
            room: Room<'_>,
        ) -> Made<Value> {
            let total = crate::kernels::nn::plain::count(&shape)?;
            room.claim(total.saturating_mul(size_of::<T>()))?;
            let mut out = Vec::with_capacity(total);
            let rows: usize = shape[..axis].iter().product();
            let views = values.iter().map(|value| value.view::<T>()).collect::<Made<Vec<_>>>()?;
            for row in 0..rows {
                for view in &views {
                    let length: usize = view.shape[axis..].iter().product();
                    out.extend_from_slice(view.data.get(row * length..(row + 1) * length).unwrap_or_default());
                }
            }
            Value::shared(shape, T::wrap(Arc::new(out)))
        }
        let values = (0..count).map(|input| inputs.get(input)).collect::<Made<Vec<_>>>()?;
        Ok(vec![each!(first.data(), elements => joined(elements, &values, shape, axis, run.room))?])
    })
}

/// A place along an axis; negative ones count from the back.
fn place(at: i64, dim: usize) -> Made<usize> {
    let signed = i64::try_from(dim).unwrap_or(i64::MAX);
    let found = usize::try_from(if at < 0 { at.saturating_add(signed) } else { at });
    match found {
        Ok(found) if found < dim => Ok(found),
        _ => misfit(format!("the index {at} is outside of {dim}")),
    }
}

fn take(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, ALL)?;
    node.ty(1, PLACES)?;
    let axis = node.int("axis")?.unwrap_or(0);
    Plan::new([ty], move |inputs, run| {
        let (value, indices) = (inputs.get(0)?, inputs.get(1)?);
        let axis = axis_of(axis, value.rank())?;
        let (before, rest) = value.shape().split_at(axis);
        let (dim, behind) = rest.split_first().map_or((1, &[][..]), |(dim, behind)| (*dim, behind));
        let places = indices.whole()?.iter().map(|at| place(*at, dim)).collect::<Made<Vec<_>>>()?;
        let shape: Vec<usize> = before.iter().chain(indices.shape()).chain(behind).copied().collect();
        let (rows, block): (usize, usize) = (before.iter().product(), behind.iter().product());
        fn taken<T: Element>(
            elements: &Arc<Vec<T>>,
            shape: Vec<usize>,
            [rows, dim, block]: [usize; 3],
            places: &[usize],
            room: Room<'_>,
        ) -> Made<Value> {
            let total = crate::kernels::nn::plain::count(&shape)?;
            room.claim(total.saturating_mul(size_of::<T>()))?;
            let mut out = Vec::with_capacity(total);
            for row in 0..rows {
                for place in places {
                    let from = (row * dim + place) * block;
                    out.extend_from_slice(elements.get(from..from + block).unwrap_or_default());
                }
            }
            Value::shared(shape, T::wrap(Arc::new(out)))
        }
        Ok(vec![each!(value.data(), elements => taken(elements, shape, [rows, dim, block], &places, run.room))?])
    })
}

fn take_elements(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, ALL)?;
    node.ty(1, PLACES)?;
    let axis = node.int("axis")?.unwrap_or(0);
    Plan::new([ty], move |inputs, run| {
        let (value, indices) = (inputs.get(0)?, inputs.get(1)?);
        let axis = axis_of(axis, value.rank())?;
        must!(indices.rank() == value.rank(), "its indices are of another rank");
        for (at, (wanted, dim)) in indices.shape().iter().zip(value.shape()).enumerate() {
            must!(at == axis || wanted <= dim, "its indices have the shape {:?}", indices.shape());
        }
        let dim = value.shape()[axis];
        let strides = steps(value.shape());
        let mut index = vec![0_usize; value.rank()];
        let mut offsets = Vec::new();
        run.room.claim(indices.len().saturating_mul(size_of::<usize>()))?;
        for at in indices.whole()? {
            let place = place(at, dim)?;
            let coordinate = |(axis_at, at): (usize, &usize)| if axis_at == axis { place } else { *at };
            let steps = index.iter().enumerate().map(coordinate).zip(&strides);
            offsets.push(steps.map(|(at, step)| at * usize::try_from(*step).unwrap_or(0)).sum::<usize>());
            crate::kernels::nn::plain::advance(&mut index, indices.shape());
        }
        fn taken<T: Element>(elements: &Arc<Vec<T>>, shape: Vec<usize>, offsets: &[usize]) -> Made<Value> {
            let out: Vec<T> = offsets.iter().filter_map(|at| elements.get(*at).cloned()).collect();
            Value::shared(shape, T::wrap(Arc::new(out)))
        }
        let shape = indices.shape().to_vec();
        Ok(vec![each!(value.data(), elements => taken(elements, shape, &offsets))?])
    })
}

//! Elements by index: Gather, GatherElements, GatherND, Compress.

use std::sync::Arc;

use crate::kernel::{Inputs, Run};
use crate::kernels::layout::WHOLE;
use crate::kernels::nn::plain::{Made, Room, advance, axis_of, count, misfit, must};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::value::{Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[
    standard("Gather", gather),
    since(11, "GatherElements", elements),
    since(11, "GatherND", points),
    since(9, "Compress", compress),
];

/// An index, counted from the end when it is negative.
pub(crate) fn place(index: i64, dim: usize) -> Made<usize> {
    let size = i64::try_from(dim).unwrap_or(i64::MAX);
    let at = if index < 0 { index.saturating_add(size) } else { index };
    match usize::try_from(at).ok().filter(|at| *at < dim) {
        Some(at) => Ok(at),
        None => misfit(format!("the index {index} is outside of {dim}")),
    }
}

/// Copies blocks of `len` elements from the starts that are given.
fn blocks(value: &Value, starts: &[usize], len: usize, shape: Vec<usize>, room: Room<'_>) -> Made<Value> {
    fn copied<T: Element>(elements: &[T], starts: &[usize], len: usize, shape: Vec<usize>) -> Made<Value> {
        let mut out = Vec::with_capacity(starts.len().saturating_mul(len));
        for start in starts {
            out.extend_from_slice(elements.get(*start..start + len).unwrap_or_default());
        }
        Value::shared(shape, T::wrap(Arc::new(out)))
    }
    room.claim(count(&shape)?.saturating_mul(value.ty().size()))?;
    each!(value.data(), elements => copied(elements, starts, len, shape))
}

const INDEX: &[Type] = &[Type::I32, Type::I64];

fn gather(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, INDEX)?;
    let axis = node.int("axis")?.unwrap_or(0);
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (value, indices) = (inputs.get(0)?, inputs.get(1)?);
        let at = axis_of(axis, value.rank())?;
        let (outer, dim) = (count(&value.shape()[..at])?, value.shape()[at]);
        let inner = count(&value.shape()[at + 1..])?;
        let shape = [&value.shape()[..at], indices.shape(), &value.shape()[at + 1..]].concat();
        let places = indices.whole()?.into_iter().map(|index| place(index, dim)).collect::<Made<Vec<_>>>()?;
        run.room.claim(outer.saturating_mul(places.len()).saturating_mul(8))?;
        let mut starts = Vec::new();
        // Without elements the other axes may be endless.
        for row in 0..if places.is_empty() || inner == 0 { 0 } else { outer } {
            starts.extend(places.iter().map(|at| (row * dim + at) * inner));
        }
        Ok(vec![blocks(value, &starts, inner, shape, run.room)?])
    })
}

/// Where each index of an Elements operator points to in a tensor of `shape`.
pub(crate) fn pointed(shape: &[usize], index_shape: &[usize], indices: &[i64], axis: i64) -> Made<Vec<usize>> {
    let at = axis_of(axis, shape.len())?;
    must!(index_shape.len() == shape.len(), "its indices have another rank");
    let fits = index_shape.iter().zip(shape).enumerate().all(|(axis, (index, dim))| axis == at || index <= dim);
    must!(fits, "indices of shape {index_shape:?} do not fit {shape:?}");
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(indices.len());
    for given in indices {
        let chosen = place(*given, shape[at])?;
        let mut start = 0;
        for (axis, dim) in shape.iter().enumerate() {
            start = start * dim + if axis == at { chosen } else { index[axis] };
        }
        out.push(start);
        advance(&mut index, index_shape);
    }
    Ok(out)
}

fn elements(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, INDEX)?;
    let axis = node.int("axis")?.unwrap_or(0);
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (value, indices) = (inputs.get(0)?, inputs.get(1)?);
        run.room.claim(indices.len().saturating_mul(8))?;
        let starts = pointed(value.shape(), indices.shape(), &indices.whole()?, axis)?;
        Ok(vec![blocks(value, &starts, 1, indices.shape().to_vec(), run.room)?])
    })
}

/// Where each tuple of indices points to, and how many elements lie there. The first `batch` axes run along.
pub(crate) fn tuples(
    shape: &[usize],
    index_shape: &[usize],
    indices: &[i64],
    batch: usize,
    room: Room<'_>,
) -> Made<(Vec<usize>, usize)> {
    let Some((depth, lead)) = index_shape.split_last() else { return misfit("its indices are a scalar") };
    must!(batch <= lead.len() && batch + depth <= shape.len(), "its indices do not fit {shape:?}");
    must!(shape[..batch] == lead[..batch], "the first {batch} axes of values and indices differ");
    let inner = count(&shape[batch + depth..])?;
    let whole = count(&shape[batch..])?;
    let each = count(&lead[batch..])?;
    let many = count(lead)?;
    room.claim(many.saturating_mul(size_of::<usize>()))?;
    let mut starts = Vec::with_capacity(many);
    for tuple in 0..many {
        let mut at = 0;
        for axis in 0..*depth {
            let dim = shape[batch + axis];
            at = at * dim + place(indices[tuple * depth + axis], dim)?;
        }
        starts.push(tuple / each * whole + at * inner);
    }
    Ok((starts, inner))
}

fn points(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, WHOLE)?;
    let batch = if node.opset >= 12 { node.int("batch_dims")?.unwrap_or(0) } else { 0 };
    let batch = usize::try_from(batch).map_err(|_| format!("its batch_dims is {batch}"))?;
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (value, indices) = (inputs.get(0)?, inputs.view::<i64>(1)?);
        run.room.claim(indices.len().saturating_mul(8))?;
        let (starts, len) = tuples(value.shape(), indices.shape, indices.data, batch, run.room)?;
        let (Some((depth, lead)), shape) = (indices.shape.split_last(), value.shape()) else {
            return Ok(misfit("its indices are a scalar")?);
        };
        let shape = [lead, &shape[batch + depth..]].concat();
        Ok(vec![blocks(value, &starts, len, shape, run.room)?])
    })
}

fn compress(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, &[Type::Bool])?;
    let axis = node.int("axis")?;
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (value, which) = (inputs.get(0)?, inputs.view::<bool>(1)?);
        must!(which.rank() == 1, "its condition is no list");
        let at = axis.map(|axis| axis_of(axis, value.rank())).transpose()?;
        let flat = [value.len()];
        let (shape, at) = at.map_or((flat.as_slice(), 0), |at| (value.shape(), at));
        let (outer, dim, inner) = (count(&shape[..at])?, shape[at], count(&shape[at + 1..])?);
        let chosen: Vec<usize> = (0..dim.min(which.len())).filter(|index| which.data[*index]).collect();
        let mut made = shape.to_vec();
        made[at] = chosen.len();
        run.room.claim(outer.saturating_mul(chosen.len()).saturating_mul(8))?;
        let mut starts = Vec::new();
        for row in 0..if chosen.is_empty() || inner == 0 { 0 } else { outer } {
            starts.extend(chosen.iter().map(|index| (row * dim + index) * inner));
        }
        Ok(vec![blocks(value, &starts, inner, made, run.room)?])
    })
}

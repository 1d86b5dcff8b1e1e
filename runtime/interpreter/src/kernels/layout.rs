//! The same elements in another shape or order.

use crate::kernels::elementwise::common_shape;
use crate::kernels::nn::plain::{Made, Room, axis_of, misfit, must};
use crate::kernels::strided::{Walk, gather, steps};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, since, standard};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Reshape", reshape),
    standard("Flatten", flatten),
    standard("Transpose", transpose),
    standard("Identity", identity),
    standard("Squeeze", squeeze),
    standard("Unsqueeze", unsqueeze),
    since(8, "Expand", expand),
    standard("Tile", tile),
    between(7, 25, "Dropout", dropout),
];

/// int64 of a shape, an axis, a count.
pub(crate) const WHOLE: &[Type] = &[Type::I64];

fn identity(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    Plan::new([ty], |inputs, _| Ok(vec![inputs.take(0)?]))
}

/// At inference Dropout does nothing; a model that asks for training is refused.
fn dropout(node: &Node<'_>) -> Built {
    node.arity(1, 3, 1)?;
    let ty = node.ty(0, &[Type::F32, Type::F64])?;
    if node.opset < 12 {
        node.float("ratio")?;
    } else {
        node.int("seed")?;
        node.optional(1, &[Type::F32, Type::F64, Type::F16])?;
        if node.optional(2, &[Type::Bool])?.is_some() {
            let training = node.constant(2).map(|value| value.view::<bool>().map(|view| view.data == [false]));
            if training != Some(Ok(true)) {
                return unsupported("its training_mode is not the constant false");
            }
        }
    }
    Plan::new([ty], |inputs, _| Ok(vec![inputs.take(0)?]))
}

fn reshape(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, WHOLE)?;
    let keep_zero = node.opset >= 14 && node.flag("allowzero")?;
    Plan::new([ty], move |inputs, _| {
        let wanted = inputs.view::<i64>(1)?.data.to_vec();
        let value = inputs.take(0)?;
        let shape = resolved(value.shape(), value.len(), &wanted, keep_zero)?;
        Ok(vec![value.reshaped(shape)?])
    })
}

fn resolved(from: &[usize], total: usize, wanted: &[i64], keep_zero: bool) -> Made<Vec<usize>> {
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (axis, dim) in wanted.iter().enumerate() {
        shape.push(match *dim {
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            0 if !keep_zero => match from.get(axis) {
                Some(dim) => *dim,
                None => return misfit(format!("the shape {wanted:?} keeps an axis that {from:?} does not have")),
            },
            dim => match usize::try_from(dim) {
                Ok(dim) => dim,
                Err(_) => return misfit(format!("the shape {wanted:?} is none")),
            },
        });
    }
    if let Some(axis) = open {
        must!(!keep_zero || !wanted.contains(&0), "the shape {wanted:?} has both 0 and -1");
        let rest = crate::kernels::nn::plain::count(&shape)?;
        must!(rest > 0 && total.is_multiple_of(rest), "{from:?} can not be reshaped to {wanted:?}");
        shape[axis] = total / rest;
    }
    Ok(shape)
}

fn flatten(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    let axis = node.int("axis")?.unwrap_or(1);
    Plan::new([ty], move |inputs, _| {
        let value = inputs.take(0)?;
        let rank = value.rank();
        let at = if axis < 0 { axis + i64::try_from(rank).unwrap_or(0) } else { axis };
        let at = usize::try_from(at).ok().filter(|at| *at <= rank);
        let Some(at) = at else { return Ok(misfit(format!("axis {axis} is outside of rank {rank}"))?) };
        let (rows, columns) = value.shape().split_at(at);
        let shape = vec![rows.iter().product(), columns.iter().product()];
        Ok(vec![value.reshaped(shape)?])
    })
}

fn transpose(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    let order = node.ints("perm")?.map(<[i64]>::to_vec);
    Plan::new([ty], move |inputs, run| {
        let value = inputs.get(0)?;
        let rank = value.rank();
        let order = match &order {
            None => (0..rank).rev().collect(),
            Some(order) => {
                let axes = order.iter().map(|axis| axis_of(*axis, rank)).collect::<Made<Vec<_>>>()?;
                let mut seen = axes.clone();
                seen.sort_unstable();
                if seen.into_iter().ne(0..rank) {
                    return Ok(misfit(format!("{order:?} is no order of {rank} axes"))?);
                }
                axes
            }
        };
        let from = steps(value.shape());
        let walk = Walk {
            offset: 0,
            shape: order.iter().map(|axis| value.shape()[*axis]).collect(),
            strides: order.iter().map(|axis| from[*axis]).collect(),
        };
        Ok(vec![gather(value, &walk, run.room)?])
    })
}

/// Axes from an attribute, or from an input since version 13.
enum Axes {
    None,
    Fixed(Vec<i64>),
    Input,
}

impl Axes {
    fn of(node: &Node<'_>) -> Result<Self, Unsupported> {
        if node.opset < 13 {
            node.arity(1, 1, 1)?;
            return Ok(node.ints("axes")?.map_or(Self::None, |axes| Self::Fixed(axes.to_vec())));
        }
        node.arity(1, 2, 1)?;
        Ok(if node.optional(1, WHOLE)?.is_some() { Self::Input } else { Self::None })
    }

    fn get(&self, inputs: &crate::kernel::Inputs<'_>) -> Made<Option<Vec<i64>>> {
        Ok(match self {
            Self::None => None,
            Self::Fixed(axes) => Some(axes.clone()),
            Self::Input => Some(inputs.view::<i64>(1)?.data.to_vec()),
        })
    }
}

fn squeeze(node: &Node<'_>) -> Built {
    let axes = Axes::of(node)?;
    let ty = node.ty(0, Type::ALL)?;
    Plan::new([ty], move |inputs, _| {
        let given = axes.get(inputs)?;
        let value = inputs.take(0)?;
        let mut gone = vec![false; value.rank()];
        match given {
            None => gone.iter_mut().zip(value.shape()).for_each(|(gone, dim)| *gone = *dim == 1),
            Some(axes) => {
                for axis in axes {
                    let at = axis_of(axis, value.rank())?;
                    must!(value.shape()[at] == 1, "axis {axis} of {:?} is not 1", value.shape());
                    gone[at] = true;
                }
            }
        }
        let left = value.shape().iter().zip(gone).filter(|(_, gone)| !gone).map(|(dim, _)| *dim).collect();
        Ok(vec![value.reshaped(left)?])
    })
}

fn unsqueeze(node: &Node<'_>) -> Built {
    let axes = Axes::of(node)?;
    let ty = node.ty(0, Type::ALL)?;
    if matches!(axes, Axes::None) {
        return unsupported("its axes are missing");
    }
    Plan::new([ty], move |inputs, _| {
        let axes = axes.get(inputs)?.unwrap_or_default();
        let value = inputs.take(0)?;
        let rank = value.rank().saturating_add(axes.len());
        let mut added = vec![false; rank];
        for axis in axes {
            let at = axis_of(axis, rank)?;
            must!(!added[at], "axis {axis} is added twice");
            added[at] = true;
        }
        let mut dims = value.shape().iter();
        let shape = added.iter().map(|added| if *added { 1 } else { dims.next().copied().unwrap_or(1) }).collect();
        Ok(vec![value.reshaped(shape)?])
    })
}

fn expand(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, WHOLE)?;
    Plan::new([ty], |inputs, run| {
        let wanted = sizes(inputs.view::<i64>(1)?.data)?;
        let value = inputs.get(0)?;
        let shape = common_shape(value.shape(), &wanted)?;
        Ok(vec![expanded(value, &shape, run.room)?])
    })
}

/// The value repeated to a shape that its own one can be broadcast to.
pub(crate) fn expanded(value: &Value, shape: &[usize], room: Room<'_>) -> Made<Value> {
    if value.shape() == shape {
        return Ok(value.clone());
    }
    let mut strides = vec![0; shape.len()];
    let from = steps(value.shape());
    for ((stride, step), dim) in strides.iter_mut().rev().zip(from.iter().rev()).zip(value.shape().iter().rev()) {
        *stride = if *dim == 1 { 0 } else { *step };
    }
    gather(value, &Walk { offset: 0, shape: shape.to_vec(), strides }, room)
}

/// Dimensions out of int64 values.
pub(crate) fn sizes(dims: &[i64]) -> Made<Vec<usize>> {
    let size = |dim: &i64| usize::try_from(*dim).or_else(|_| misfit(format!("{dims:?} is no shape")));
    dims.iter().map(size).collect()
}

fn tile(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, WHOLE)?;
    Plan::new([ty], |inputs, run| {
        let repeats = sizes(inputs.view::<i64>(1)?.data)?;
        let value = inputs.get(0)?;
        must!(repeats.len() == value.rank(), "{repeats:?} does not repeat a tensor of rank {}", value.rank());
        // Each axis becomes two: how often, and the axis itself.
        let from = steps(value.shape());
        let (mut shape, mut strides, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for ((times, dim), step) in repeats.iter().zip(value.shape()).zip(from) {
            shape.extend([*times, *dim]);
            strides.extend([0, step]);
            let Some(size) = times.checked_mul(*dim) else { return Ok(misfit("the result is larger than memory")?) };
            out.push(size);
        }
        let tiled: Value = gather(value, &Walk { offset: 0, shape, strides }, run.room)?;
        Ok(vec![tiled.reshaped(out)?])
    })
}

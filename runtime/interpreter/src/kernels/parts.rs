//! Parts of tensors, and tensors put together: Slice, Split, Concat, Pad.

use std::sync::Arc;

use crate::kernel::{Inputs, Run};
use crate::kernels::layout::{WHOLE, sizes};
use crate::kernels::nn::plain::{Made, Room, advance, axis_of, count, misfit, must};
use crate::kernels::strided::{Walk, gather, steps};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, since, standard};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Element, Type, Value, each};

pub(crate) static TABLE: &[Entry] = &[
    between(7, 9, "Slice", slice_fixed),
    since(10, "Slice", slice),
    standard("Split", split),
    standard("Concat", concat),
    between(7, 10, "Pad", pad_fixed),
    since(11, "Pad", pad),
    since(18, "CenterCropPad", center),
];

fn slice_fixed(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    let list = |name: &str| Ok::<_, Unsupported>(node.ints(name)?.map(<[i64]>::to_vec));
    let (Some(starts), Some(ends)) = (list("starts")?, list("ends")?) else {
        return unsupported("it does not say from where to where");
    };
    let axes = list("axes")?;
    Plan::new([ty], move |inputs, run| {
        Ok(vec![sliced(inputs.get(0)?, &starts, &ends, axes.as_deref(), None, run.room)?])
    })
}

fn slice(node: &Node<'_>) -> Built {
    node.arity(3, 5, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    let index = node.ty(1, &[Type::I32, Type::I64])?;
    for input in 2..5 {
        node.optional(input, &[index])?;
    }
    Plan::new([ty], |inputs, run| {
        let (starts, ends) = (inputs.get(1)?.whole()?, inputs.get(2)?.whole()?);
        let axes = inputs.optional(3).map(Value::whole).transpose()?;
        let by = inputs.optional(4).map(Value::whole).transpose()?;
        Ok(vec![sliced(inputs.get(0)?, &starts, &ends, axes.as_deref(), by.as_deref(), run.room)?])
    })
}

fn sliced(
    value: &Value,
    starts: &[i64],
    ends: &[i64],
    axes: Option<&[i64]>,
    by: Option<&[i64]>,
    room: Room<'_>,
) -> Made<Value> {
    let rank = value.rank();
    let even = starts.len() == ends.len();
    let even =
        even && axes.is_none_or(|axes| axes.len() == starts.len()) && by.is_none_or(|by| by.len() == starts.len());
    must!(even && starts.len() <= rank, "starts, ends, axes and steps do not fit together");
    let mut walk = Walk::over(value.shape());
    let mut seen = vec![false; rank];
    for (place, (start, end)) in starts.iter().zip(ends).enumerate() {
        let at = match axes {
            Some(axes) => axis_of(axes[place], rank)?,
            None => place,
        };
        must!(!seen[at], "an axis is cut twice");
        seen[at] = true;
        let step = by.map_or(1, |by| by[place]);
        must!(step != 0, "a step is 0");
        let Ok(dim) = i64::try_from(value.shape()[at]) else { return misfit("an axis is too long") };
        let from_front = |at: i64| if at < 0 { at.saturating_add(dim) } else { at };
        let (low, high) = if step > 0 { (0, dim) } else { (-1, dim - 1) };
        let start = from_front(*start).clamp(if step > 0 { 0 } else { 0.min(high) }, high.max(0));
        let end = from_front(*end).clamp(low, high.max(low));
        // Rounded up.
        let span = if step > 0 { end - start } else { start - end };
        let many = if span <= 0 { 0 } else { (span - 1) / step.saturating_abs() + 1 };
        let narrow = |number: i64| isize::try_from(number).or_else(|_| misfit("an axis is too long"));
        if many == 0 {
            walk.shape[at] = 0;
            continue;
        }
        walk.offset += narrow(start)?.saturating_mul(walk.strides[at]);
        walk.shape[at] = usize::try_from(many).unwrap_or(0);
        walk.strides[at] = walk.strides[at].saturating_mul(if many == 1 { 1 } else { narrow(step)? });
    }
    gather(value, &walk, room)
}

fn split(node: &Node<'_>) -> Built {
    let outputs = node.outputs();
    let fixed = if node.opset < 13 {
        node.arity(1, 1, usize::MAX)?;
        node.ints("split")?.map(<[i64]>::to_vec)
    } else {
        node.arity(1, 2, usize::MAX)?;
        None
    };
    let given = node.opset >= 13 && node.optional(1, WHOLE)?.is_some();
    let ty = node.ty(0, Type::ALL)?;
    let axis = node.int("axis")?.unwrap_or(0);
    let wanted = if node.opset >= 18 { node.int("num_outputs")? } else { None };
    if wanted.is_some_and(|wanted| given || i64::try_from(outputs) != Ok(wanted)) {
        return unsupported("num_outputs does not fit its outputs");
    }
    Plan::new(vec![ty; outputs], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let value = inputs.get(0)?;
        let at = axis_of(axis, value.rank())?;
        let dim = value.shape()[at];
        let parts = match (&fixed, given) {
            (Some(parts), _) => sizes(parts)?,
            (None, true) => sizes(inputs.view::<i64>(1)?.data)?,
            (None, false) => {
                must!(outputs > 0 && (wanted.is_some() || dim.is_multiple_of(outputs)), "{dim} in {outputs} parts");
                // The last one is shorter.
                let each = dim.div_ceil(outputs);
                let rest = dim.checked_sub(each * (outputs - 1));
                let Some(rest) = rest else { return Ok(misfit(format!("{dim} in {outputs} parts"))?) };
                let mut parts = vec![each; outputs];
                parts[outputs - 1] = rest;
                parts
            }
        };
        let sum = parts.iter().try_fold(0_usize, |sum, part| sum.checked_add(*part));
        must!(parts.len() == outputs && sum == Some(dim), "the parts {parts:?} do not make {dim}");
        let mut made = Vec::with_capacity(outputs);
        let mut walk = Walk::over(value.shape());
        for part in parts {
            walk.shape[at] = part;
            made.push(gather(value, &walk, run.room)?);
            walk.offset += isize::try_from(part).unwrap_or(0).saturating_mul(walk.strides[at]);
        }
        Ok(made)
    })
}

fn concat(node: &Node<'_>) -> Built {
    node.arity(node.inputs().max(1), usize::MAX, 1)?;
    let ty = node.one_type(Type::ALL)?;
    let axis = node.int("axis")?.ok_or("its axis is missing")?;
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let first = inputs.get(0)?;
        let at = axis_of(axis, first.rank())?;
        let mut shape = first.shape().to_vec();
        shape[at] = 0;
        let mut bytes = 0_usize;
        for input in 0..inputs.len() {
            let value = inputs.get(input)?;
            let fits = value.rank() == shape.len()
                && value.shape().iter().zip(&shape).enumerate().all(|(axis, (a, b))| axis == at || a == b);
            must!(fits, "{:?} and {:?} can not be put together along axis {axis}", first.shape(), value.shape());
            shape[at] = shape[at].saturating_add(value.shape()[at]);
            bytes = bytes.saturating_add(value.bytes());
        }
        run.room.claim(bytes)?;
        let outer = count(&shape[..at])?;
        fn joined<T: Element>(
            _like: &Arc<Vec<T>>,
            inputs: &Inputs<'_>,
            outer: usize,
            shape: Vec<usize>,
        ) -> Made<Value> {
            let mut parts = Vec::with_capacity(inputs.len());
            for input in 0..inputs.len() {
                let data = inputs.view::<T>(input)?.data;
                parts.push((data, data.len().checked_div(outer).unwrap_or(0)));
            }
            let total = parts.iter().map(|(data, _)| data.len()).sum();
            // Without elements the other axes may be endless.
            let outer = if total == 0 { 0 } else { outer };
            let mut out = Vec::with_capacity(total);
            for row in 0..outer {
                for (data, len) in &parts {
                    out.extend_from_slice(&data[row * len..(row + 1) * len]);
                }
            }
            Value::shared(shape, T::wrap(Arc::new(out)))
        }
        Ok(vec![each!(first.data(), elements => joined(elements, inputs, outer, shape))?])
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Constant,
    Reflect,
    Repeat,
    Wrap,
}

impl Edge {
    fn of(node: &Node<'_>) -> Result<Self, Unsupported> {
        match node.text("mode")?.as_deref() {
            None | Some("constant") => Ok(Self::Constant),
            Some("reflect") => Ok(Self::Reflect),
            Some("edge") => Ok(Self::Repeat),
            Some("wrap") if node.opset >= 19 => Ok(Self::Wrap),
            Some(other) => unsupported(format!("the mode {other:?} is not known")),
        }
    }
}

fn pad_fixed(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, &[Type::F32, Type::F64])?;
    let edge = Edge::of(node)?;
    let pads = node.ints("pads")?.ok_or("its pads are missing")?.to_vec();
    let value = node.float("value")?.unwrap_or(0.0);
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let x = inputs.get(0)?;
        let axes: Vec<usize> = (0..x.rank()).collect();
        let fill = if ty == Type::F64 { Value::scalar(f64::from(value)) } else { Value::scalar(value) };
        Ok(vec![padded(x, &pads, &axes, edge, Some(&fill), run.room)?])
    })
}

fn pad(node: &Node<'_>) -> Built {
    node.arity(2, if node.opset < 18 { 3 } else { 4 }, 1)?;
    let types = [Type::F32, Type::F64, Type::I8, Type::I32, Type::I64, Type::U8, Type::U32, Type::U64, Type::Bool];
    let ty = node.ty(0, &types)?;
    node.ty(1, WHOLE)?;
    node.optional(2, &[ty])?;
    node.optional(3, &[Type::I32, Type::I64])?;
    let edge = Edge::of(node)?;
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let x = inputs.get(0)?;
        let axes = match inputs.optional(3) {
            None => (0..x.rank()).collect(),
            Some(axes) => axes.whole()?.into_iter().map(|axis| axis_of(axis, x.rank())).collect::<Made<Vec<_>>>()?,
        };
        Ok(vec![padded(x, inputs.view::<i64>(1)?.data, &axes, edge, inputs.optional(2), run.room)?])
    })
}

/// For each axis of the result, where its elements come from.
fn padded(x: &Value, pads: &[i64], axes: &[usize], edge: Edge, fill: Option<&Value>, room: Room<'_>) -> Made<Value> {
    must!(pads.len() == 2 * axes.len(), "{} pads do not fit {} axes", pads.len(), axes.len());
    if edge != Edge::Constant && pads.iter().any(|pad| *pad < 0) {
        // First what is cut off, then the edges of what is left.
        let mut walk = Walk::over(x.shape());
        for (place, axis) in axes.iter().enumerate() {
            let (before, after) = (pads[place].min(0).unsigned_abs(), pads[place + axes.len()].min(0).unsigned_abs());
            let dim = u64::try_from(walk.shape[*axis]).unwrap_or(u64::MAX);
            let left = dim.checked_sub(before).and_then(|dim| dim.checked_sub(after));
            let Some(left) = left.and_then(|left| usize::try_from(left).ok()) else {
                return misfit(format!("the pads {pads:?} do not fit {:?}", x.shape()));
            };
            walk.shape[*axis] = left;
            walk.offset += isize::try_from(before).unwrap_or(0).saturating_mul(walk.strides[*axis]);
        }
        let rest: Vec<i64> = pads.iter().map(|pad| (*pad).max(0)).collect();
        return padded(&gather(x, &walk, room)?, &rest, axes, edge, fill, room);
    }
    let mut ends = vec![(0_i64, 0_i64); x.rank()];
    for (place, axis) in axes.iter().enumerate() {
        ends[*axis] = (pads[place], pads[place + axes.len()]);
    }
    let mut shape = Vec::new();
    for (dim, (before, after)) in x.shape().iter().zip(&ends) {
        let size = i64::try_from(*dim).ok().and_then(|dim| dim.checked_add(*before)?.checked_add(*after));
        match size.and_then(|size| usize::try_from(size).ok()) {
            Some(size) => shape.push(size),
            None => return misfit(format!("the pads {pads:?} do not fit {:?}", x.shape())),
        }
    }
    let total = count(&shape)?;
    room.claim(total.saturating_mul(x.ty().size()))?;
    let mut sources = Vec::new();
    for ((size, dim), (before, after)) in shape.iter().zip(x.shape()).zip(&ends) {
        room.claim(size.saturating_mul(16))?;
        if edge != Edge::Constant {
            must!(*dim > 0 || *size == 0, "there is nothing to mirror");
            let (reach, dim) = ((*before).max(*after), i64::try_from(*dim).unwrap_or(i64::MAX));
            must!(edge != Edge::Reflect || reach < dim.max(1), "{reach} elements of {dim} can not be mirrored");
        }
        sources.push((0..*size).map(|place| source(place, *before, *dim, edge)).collect::<Vec<_>>());
    }
    fn picked<T: Element>(
        elements: &[T],
        from: &[usize],
        shape: Vec<usize>,
        sources: &[Vec<Option<usize>>],
        fill: Option<&Value>,
    ) -> Made<Value> {
        let fill = match fill {
            None => T::blank(),
            Some(fill) => match fill.view::<T>()?.data {
                [fill] => fill.clone(),
                _ => return misfit("its constant is not one value"),
            },
        };
        let steps = steps(from);
        let total = count(&shape)?;
        let mut out = Vec::with_capacity(total);
        let mut index = vec![0; shape.len()];
        for _ in 0..total {
            let place = index.iter().zip(sources).zip(&steps).try_fold(0_usize, |sum, ((at, source), step)| {
                let at = source.get(*at).copied().flatten()?;
                at.checked_mul(usize::try_from(*step).ok()?)?.checked_add(sum)
            });
            out.push(place.and_then(|place| elements.get(place)).unwrap_or(&fill).clone());
            advance(&mut index, &shape);
        }
        Value::shared(shape, T::wrap(Arc::new(out)))
    }
    each!(x.data(), elements => picked(elements, x.shape(), shape, &sources, fill))
}

fn source(place: usize, before: i64, dim: usize, edge: Edge) -> Option<usize> {
    let (at, dim) = (i64::try_from(place).ok()?.checked_sub(before)?, i64::try_from(dim).ok()?);
    let at = match edge {
        _ if (0..dim).contains(&at) => at,
        Edge::Constant => return None,
        Edge::Repeat => at.clamp(0, dim - 1),
        Edge::Reflect if at < 0 => -at,
        Edge::Reflect => 2 * (dim - 1) - at,
        Edge::Wrap => at.rem_euclid(dim),
    };
    usize::try_from(at).ok()
}

/// Cuts off or adds zeros on both sides, so that the middle stays the middle.
fn center(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let ty = node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I32, Type::I64, Type::U8, Type::Bool])?;
    node.ty(1, &[Type::I32, Type::I64])?;
    let axes = node.ints("axes")?.map(<[i64]>::to_vec);
    Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (x, wanted) = (inputs.get(0)?, sizes(&inputs.get(1)?.whole()?)?);
        let axes = match &axes {
            None => (0..x.rank()).collect(),
            Some(axes) => axes.iter().map(|axis| axis_of(*axis, x.rank())).collect::<Made<Vec<_>>>()?,
        };
        must!(axes.len() == wanted.len(), "its shape has {} sizes for {} axes", wanted.len(), axes.len());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (axis, size) in axes.iter().zip(&wanted) {
            let signed = |size: usize| i64::try_from(size).or_else(|_| misfit("its shape is too large"));
            let added = signed(*size)? - signed(x.shape()[*axis])?;
            // Of an odd number the larger half goes behind.
            let first = added / 2;
            before.push(first);
            after.push(added - first);
        }
        before.extend(after);
        Ok(vec![padded(x, &before, &axes, Edge::Constant, None, run.room)?])
    })
}

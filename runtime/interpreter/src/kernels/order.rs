//! What depends on the order of elements along an axis: ArgMax, ArgMin, TopK, CumSum.

use crate::kernels::nn::plain::{Made, View, axis_of, count, misfit, must};
use crate::kernels::number::{Number, typed};
use crate::kernels::pace::Pace;
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, since, standard};
use crate::unsupported::unsupported;
use crate::value::{Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("ArgMax", |node| argument(node, true)),
    standard("ArgMin", |node| argument(node, false)),
    between(7, 9, "TopK", top_fixed),
    since(10, "TopK", top),
    since(11, "CumSum", |node| running(node, false)),
    since(26, "CumProd", |node| running(node, true)),
];

/// Elements before, along and after an axis.
fn split<T>(x: View<'_, T>, axis: i64) -> Made<(usize, usize, usize, usize)> {
    let at = axis_of(axis, x.rank())?;
    Ok((at, count(&x.shape[..at])?, x.shape[at], count(&x.shape[at + 1..])?))
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn argument(node: &Node<'_>, most: bool) -> Built {
    node.arity(1, 1, 1)?;
    let axis = node.int("axis")?.unwrap_or(0);
    let keep = node.int("keepdims")?.unwrap_or(1) != 0;
    let last = node.opset >= 12 && node.flag("select_last_index")?;
    let ty = node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I32, Type::I64, Type::U8])?;
    typed!(ty, [F32 f32, F64 f64, I8 i8, I32 i32, I64 i64, U8 u8], T => Plan::new([Type::I64], move |inputs, run| {
        let x = inputs.view::<T>(0)?;
        let (at, _, dim, inner) = split(x, axis)?;
        must!(dim > 0, "there is no element along axis {axis}");
        let mut shape = x.shape.to_vec();
        if keep {
            shape[at] = 1;
        } else {
            shape.remove(at);
        }
        let mut out = run.room.tensor(&shape, 0_i64)?;
        let mut pace = Pace::default();
        for (place, out) in out.data.iter_mut().enumerate() {
            pace.after(dim, run)?;
            let start = place / inner * dim * inner + place % inner;
            let mut best = (0, x.data[start]);
            for index in 1..dim {
                let here = x.data[start + index * inner];
                if (if most { here > best.1 } else { here < best.1 }) || (last && here == best.1) {
                    best = (index, here);
                }
            }
            *out = whole(best.0);
        }
        Ok(vec![Value::of(out)])
    }))
}

/// Before version 10 their number is an attribute.
fn top_fixed(node: &Node<'_>) -> Built {
    node.arity(1, 1, 2)?;
    node.ty(0, &[Type::F32, Type::F64])?;
    let k = node.int("k")?.ok_or("its k is missing")?;
    top_of(node, Some(k))
}

fn top(node: &Node<'_>) -> Built {
    node.arity(2, 2, 2)?;
    node.ty(1, &[Type::I64])?;
    top_of(node, None)
}

fn top_of(node: &Node<'_>, fixed: Option<i64>) -> Built {
    let axis = node.int("axis")?.unwrap_or(-1);
    let largest = node.opset < 11 || node.int("largest")?.unwrap_or(1) != 0;
    if node.opset >= 11 && node.int("sorted")?.unwrap_or(1) == 0 {
        return unsupported("an order that is left open (sorted = 0) is not proved");
    }
    let ty = node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I16, Type::I32, Type::I64, Type::U8])?;
    typed!(ty, [F32 f32, F64 f64, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8], T => {
        Plan::new([ty, Type::I64], move |inputs, run| {
            let x = inputs.view::<T>(0)?;
            let wanted = match fixed {
                Some(k) => k,
                None => inputs.view::<i64>(1)?.one("its k")?,
            };
            let (at, outer, dim, inner) = split(x, axis)?;
            let Some(k) = usize::try_from(wanted).ok().filter(|k| *k <= dim) else {
                return Ok(misfit(format!("k is {wanted}, there are {dim}"))?);
            };
            let mut shape = x.shape.to_vec();
            shape[at] = k;
            let mut values = run.room.tensor(&shape, T::zero())?;
            let mut indices = run.room.tensor(&shape, 0_i64)?;
            let mut row: Vec<usize> = Vec::new();
            let lanes = if k == 0 || x.data.is_empty() { 0 } else { outer * inner };
            let mut pace = Pace::default();
            for lane in 0..lanes {
                pace.after(dim.saturating_mul(16), run)?;
                let start = lane / inner * dim * inner + lane % inner;
                let of = |index: usize| x.data[start + index * inner];
                row.clear();
                row.extend(0..dim);
                // Of equal ones the first comes first.
                row.sort_by(|a, b| {
                    let (a, b) = if largest { (of(*b), of(*a)) } else { (of(*a), of(*b)) };
                    // What is no number counts as the largest; in ONNX Runtime there is no order then.
                    a.partial_cmp(&b).unwrap_or_else(|| a.is_none().cmp(&b.is_none()))
                });
                for (rank, index) in row.iter().take(k).enumerate() {
                    let place = (lane / inner * k + rank) * inner + lane % inner;
                    values.data[place] = of(*index);
                    indices.data[place] = whole(*index);
                }
            }
            Ok(vec![Value::of(values), Value::of(indices)])
        })
    })
}

fn running(node: &Node<'_>, product: bool) -> Built {
    node.arity(2, 2, 1)?;
    node.ty(1, &[Type::I32, Type::I64])?;
    let (exclusive, reverse) = (node.flag("exclusive")?, node.flag("reverse")?);
    let ty = node.ty(0, &[Type::F32, Type::F64, Type::I32, Type::I64])?;
    typed!(ty, [F32 f32, F64 f64, I32 i32, I64 i64], T => Plan::new([ty], move |inputs, run| {
        let x = inputs.view::<T>(0)?;
        let &[axis] = inputs.get(1)?.whole()?.as_slice() else { return Ok(misfit("its axis is not one value")?) };
        let (_, outer, dim, inner) = split(x, axis)?;
        let mut out = run.room.tensor(x.shape, T::zero())?;
        // Without elements the other axes may be endless.
        let lanes = if x.data.is_empty() { 0 } else { outer * inner };
        let mut pace = Pace::default();
        for lane in 0..lanes {
            pace.after(dim, run)?;
            let start = lane / inner * dim * inner + lane % inner;
            let mut sum = if product { T::one() } else { T::zero() };
            for step in 0..dim {
                let place = start + if reverse { dim - 1 - step } else { step } * inner;
                if exclusive {
                    out.data[place] = sum;
                }
                sum = match (step, product) {
                    // The first one itself: a sum with zero would lose the sign of another zero.
                    (0, _) => x.data[place],
                    (_, false) => sum.plus(x.data[place]),
                    (_, true) => sum.times(x.data[place]),
                };
                if !exclusive {
                    out.data[place] = sum;
                }
            }
        }
        Ok(vec![Value::of(out)])
    }))
}

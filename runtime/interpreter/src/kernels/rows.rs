//! Softmax and its kin: functions of whole rows.

use crate::kernel::{Fault, Inputs, Run};
use crate::kernels::nn::plain::{axis_of, count, must};
use crate::kernels::pace::Pace;
use crate::kernels::strided::{Walk, gather, steps};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Softmax", |node| rows(node, Rows::Soft)),
    standard("LogSoftmax", |node| rows(node, Rows::Log)),
    standard("Hardmax", |node| rows(node, Rows::Hard)),
];

#[derive(Clone, Copy)]
enum Rows {
    Soft,
    Log,
    Hard,
}

fn rows(node: &Node<'_>, what: Rows) -> Built {
    node.arity(1, 1, 1)?;
    // Before version 13 everything from the axis on is one row.
    let whole = node.opset < 13;
    let axis = node.int("axis")?.unwrap_or(if whole { 1 } else { -1 });
    let ty = match what {
        Rows::Hard => node.ty(0, &[Type::F32])?,
        _ => node.ty(0, &[Type::F32, Type::F64])?,
    };
    match ty {
        Type::F64 => Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            Ok(vec![each_row(inputs.take(0)?, axis, whole, run, |row: &mut [f64]| f64s(what, row))?])
        }),
        _ => Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            Ok(vec![each_row(inputs.take(0)?, axis, whole, run, |row: &mut [f32]| f32s(what, row))?])
        }),
    }
}

macro_rules! of {
    ($name:ident, $type:ty, $lone:literal) => {
        fn $name(what: Rows, row: &mut [$type]) {
            let most = row.iter().fold(<$type>::NEG_INFINITY, |most, x| if *x > most { *x } else { most });
            match what {
                Rows::Soft => {
                    let mut sum = 0.0;
                    for x in &mut *row {
                        *x = (*x - most).exp();
                        sum += *x;
                    }
                    row.iter_mut().for_each(|x| *x /= sum);
                }
                Rows::Log => {
                    let sum: $type = row.iter().map(|x| (*x - most).exp()).sum();
                    let log = sum.ln();
                    // Beside an infinite element all others are nothing; ONNX Runtime has that in float64 alone.
                    let log = if $lone && most == <$type>::INFINITY { 0.0 } else { log };
                    row.iter_mut().for_each(|x| *x = *x - most - log);
                }
                // The first of several largest ones; none where the row begins with what is no number.
                Rows::Hard => {
                    let first = row.first().copied().unwrap_or_default();
                    let most = row.iter().fold(first, |most, x| if *x > most { *x } else { most });
                    #[expect(clippy::float_cmp, reason = "it is one of them")]
                    let first = row.iter().position(|x| *x == most);
                    for (place, x) in row.iter_mut().enumerate() {
                        *x = if Some(place) == first { 1.0 } else { 0.0 };
                    }
                }
            }
        }
    };
}
of!(f32s, f32, false);
of!(f64s, f64, true);

/// Calls `f` with each row along an axis, or with all from the axis on.
fn each_row<T: Element + Copy>(
    value: Value,
    axis: i64,
    whole: bool,
    run: &Run<'_>,
    f: impl Fn(&mut [T]),
) -> Result<Value, Fault> {
    let each = |data: &mut [T], len: usize| {
        let mut pace = Pace::default();
        for row in data.chunks_exact_mut(len) {
            pace.after(len, run)?;
            f(row);
        }
        Ok::<_, Fault>(())
    };
    let rank = value.rank();
    if rank == 0 {
        must!((-1..=1).contains(&axis), "axis {axis} is outside of a scalar");
        let mut dense = value.into_dense::<T>()?;
        f(&mut dense.data);
        return Ok(Value::of(dense));
    }
    let at = axis_of(axis, rank)?;
    if whole || at + 1 == rank {
        let len = count(&value.shape()[at..])?;
        let mut dense = value.into_dense::<T>()?;
        if len > 0 {
            each(&mut dense.data, len)?;
        }
        return Ok(Value::of(dense));
    }
    // The axis goes to the end and back.
    let mut shape = value.shape().to_vec();
    let mut strides = steps(&shape);
    let (dim, step) = (shape.remove(at), strides.remove(at));
    shape.push(dim);
    strides.push(step);
    let mut dense = gather(&value, &Walk { offset: 0, shape, strides }, run.room)?.into_dense::<T>()?;
    if dim > 0 {
        each(&mut dense.data, dim)?;
    }
    let mut strides = steps(&dense.shape);
    let last = strides.pop().unwrap_or(1);
    strides.insert(at, last);
    Ok(gather(&Value::of(dense), &Walk { offset: 0, shape: value.shape().to_vec(), strides }, run.room)?)
}

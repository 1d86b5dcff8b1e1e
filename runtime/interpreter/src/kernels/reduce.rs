//! Reductions: many elements along axes become one.

use crate::kernels::nn::plain::{Dense, Made, Room, View, axis_of, misfit, must};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("ReduceSum", |node| reduce(node, Reduce::Sum, 13)),
    standard("ReduceMean", |node| reduce(node, Reduce::Mean, 18)),
    standard("ReduceMax", |node| reduce(node, Reduce::Max, 18)),
    standard("ReduceMin", |node| reduce(node, Reduce::Min, 18)),
    standard("ReduceProd", |node| reduce(node, Reduce::Prod, 18)),
    standard("ReduceSumSquare", |node| reduce(node, Reduce::SumSquare, 18)),
    standard("ReduceL1", |node| reduce(node, Reduce::L1, 18)),
    standard("ReduceL2", |node| reduce(node, Reduce::L2, 18)),
    standard("ReduceLogSum", |node| reduce(node, Reduce::LogSum, 18)),
    standard("ReduceLogSumExp", |node| reduce(node, Reduce::LogSumExp, 18)),
];

#[derive(Clone, Copy, PartialEq)]
enum Reduce {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    SumSquare,
    L1,
    L2,
    LogSum,
    LogSumExp,
}

fn reduce(node: &Node<'_>, how: Reduce, axes_as_input: i64) -> Built {
    let proved: &[Type] = match how {
        Reduce::Sum | Reduce::Max | Reduce::Min | Reduce::Prod => &[Type::F32, Type::F64, Type::I32, Type::I64],
        _ => &[Type::F32, Type::F64],
    };
    let keep = node.int("keepdims")?.unwrap_or(1) != 0;
    let (mut fixed, mut as_is) = (None, false);
    if node.opset < axes_as_input {
        node.arity(1, 1, 1)?;
        fixed = node.ints("axes")?.map(<[i64]>::to_vec);
    } else {
        node.arity(1, 2, 1)?;
        node.optional(1, &[Type::I64])?;
        as_is = node.flag("noop_with_empty_axes")?;
    }
    if as_is && how != Reduce::Sum {
        return Err("noop_with_empty_axes is proved for ReduceSum alone".to_owned());
    }
    let from_input = node.has(1);
    macro_rules! of {
        ($type:ty, $f:expr) => {
            Plan::new([<$type>::TYPE], move |inputs, run| {
                let given = match (&fixed, from_input) {
                    (_, true) => Some(inputs.view::<i64>(1)?.data.to_vec()),
                    (fixed, false) => fixed.clone(),
                };
                let given = given.filter(|axes| !axes.is_empty());
                if given.is_none() && as_is {
                    return Ok(vec![inputs.take(0)?]);
                }
                let x = inputs.view::<$type>(0)?;
                Ok(vec![Value::of(reduced(x, given.as_deref(), keep, run.room, $f)?)])
            })
        };
    }
    match node.ty(0, proved)? {
        Type::F64 => of!(f64, move |xs: &[f64]| real(how, xs.iter().copied())),
        Type::I32 => {
            of!(i32, move |xs: &[i32]| whole(how, xs.iter().copied(), i32::wrapping_add, i32::wrapping_mul, 0, 1))
        }
        Type::I64 => {
            of!(i64, move |xs: &[i64]| whole(how, xs.iter().copied(), i64::wrapping_add, i64::wrapping_mul, 0, 1))
        }
        _ => of!(f32, move |xs: &[f32]| {
            #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 of a float64 sum")]
            real(how, xs.iter().map(|x| f64::from(*x))).map(|y| y as f32)
        }),
    }
}

/// Sums are made in float64: nearer to the true value than any order of float32.
fn real(how: Reduce, xs: impl Iterator<Item = f64> + Clone) -> Made<f64> {
    let first = xs.clone().next();
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let count = xs.clone().count() as f64;
    let extreme = |better: fn(f64, f64) -> bool| {
        let Some(mut best) = first else { return misfit("a reduction of nothing has no value") };
        for x in xs.clone() {
            if best.is_nan() || x.is_nan() {
                best = f64::NAN;
            } else if better(x, best) {
                best = x;
            }
        }
        Ok(best)
    };
    Ok(match how {
        Reduce::Sum => xs.sum(),
        Reduce::Prod => xs.product(),
        Reduce::SumSquare => xs.map(|x| x * x).sum(),
        Reduce::L1 => xs.map(f64::abs).sum(),
        Reduce::L2 => xs.map(|x| x * x).sum::<f64>().sqrt(),
        Reduce::LogSum => xs.sum::<f64>().ln(),
        Reduce::Max => extreme(|x, best| x > best)?,
        Reduce::Min => extreme(|x, best| x < best)?,
        Reduce::Mean => {
            if first.is_none() {
                return misfit("a mean of nothing has no value");
            }
            xs.sum::<f64>() / count
        }
        Reduce::LogSumExp => {
            let most = extreme(|x, best| x > best)?;
            if most.is_infinite() { most } else { xs.map(|x| (x - most).exp()).sum::<f64>().ln() + most }
        }
    })
}

fn whole<T: Copy + PartialOrd>(
    how: Reduce,
    mut xs: impl Iterator<Item = T>,
    add: fn(T, T) -> T,
    mul: fn(T, T) -> T,
    zero: T,
    one: T,
) -> Made<T> {
    match how {
        Reduce::Sum => Ok(xs.fold(zero, add)),
        Reduce::Prod => Ok(xs.fold(one, mul)),
        _ => {
            let Some(first) = xs.next() else { return misfit("a reduction of nothing has no value") };
            let larger = how == Reduce::Max;
            Ok(xs.fold(first, |best, x| if (x > best) == larger && x != best { x } else { best }))
        }
    }
}

/// `None` reduces all axes.
fn reduced<T: Element + Copy>(
    x: View<'_, T>,
    axes: Option<&[i64]>,
    keep: bool,
    room: Room<'_>,
    f: impl Fn(&[T]) -> Made<T>,
) -> Made<Dense<T>> {
    let mut gone = vec![axes.is_none(); x.rank()];
    for axis in axes.unwrap_or_default() {
        let at = axis_of(*axis, x.rank())?;
        must!(!gone[at], "axis {axis} is reduced twice");
        gone[at] = true;
    }
    let steps = dense_steps(x.shape);
    // Offsets of what is reduced together, and of where each such group begins.
    let offsets = |wanted: bool| {
        let mut offsets = vec![0_usize];
        for ((dim, step), gone) in x.shape.iter().zip(&steps).zip(&gone) {
            if *gone == wanted {
                offsets = offsets.iter().flat_map(|start| (0..*dim).map(move |at| start + at * step)).collect();
            }
        }
        offsets
    };
    room.claim(x.len().saturating_mul(size_of::<usize>()))?;
    let kept = |(dim, gone): (&usize, &bool)| match (gone, keep) {
        (false, _) => Some(*dim),
        (true, true) => Some(1),
        (true, false) => None,
    };
    let shape: Vec<usize> = x.shape.iter().zip(&gone).filter_map(kept).collect();
    let mut out = room.tensor(&shape, T::blank())?;
    let (within, starts) = (offsets(true), offsets(false));
    let mut group = Vec::with_capacity(within.len());
    for (out, start) in out.data.iter_mut().zip(starts) {
        group.clear();
        group.extend(within.iter().filter_map(|offset| x.data.get(start + offset)));
        *out = f(&group)?;
    }
    Ok(out)
}

/// Elements between neighbours along each axis.
fn dense_steps(shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        steps[axis - 1] = steps[axis].saturating_mul(shape[axis]);
    }
    steps
}

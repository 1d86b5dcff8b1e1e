//! Reductions along axes.

use half::f16;

use crate::kernel::{Inputs, Run};
use crate::kernels::layout::WHOLE;
use crate::kernels::nn::plain::{Dense, Made, axis_of, count, misfit, must};
use crate::kernels::number::{Number, typed};
use crate::kernels::strided::{Walk, gather, steps};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("ReduceSum", |node| sums(node, Sum::Sum)),
    standard("ReduceMean", |node| sums(node, Sum::Mean)),
    standard("ReduceProd", |node| sums(node, Sum::Product)),
    standard("ReduceL1", |node| sums(node, Sum::Absolute)),
    standard("ReduceSumSquare", |node| sums(node, Sum::Squares)),
    standard("ReduceL2", |node| sums(node, Sum::Length)),
    standard("ReduceLogSum", |node| sums(node, Sum::Log)),
    standard("ReduceLogSumExp", |node| sums(node, Sum::LogExp)),
    standard("ReduceMax", |node| extremes(node, true)),
    standard("ReduceMin", |node| extremes(node, false)),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sum {
    Sum,
    Mean,
    Product,
    Absolute,
    Squares,
    Length,
    Log,
    LogExp,
}

/// Which axes, and whether they stay with size 1.
struct Spec {
    axes: Option<Vec<i64>>,
    from_input: bool,
    keep: bool,
    /// No axes mean none, not all.
    none: bool,
}

impl Spec {
    /// The axes became an input at `version`.
    fn of(node: &Node<'_>, version: i64) -> Result<Self, String> {
        let keep = node.int("keepdims")?.unwrap_or(1) != 0;
        if node.opset < version {
            node.arity(1, 1, 1)?;
            let axes = node.ints("axes")?.map(<[i64]>::to_vec);
            return Ok(Self { axes, from_input: false, keep, none: false });
        }
        node.arity(1, 2, 1)?;
        let none = node.flag("noop_with_empty_axes")?;
        Ok(Self { axes: None, from_input: node.optional(1, WHOLE)?.is_some(), keep, none })
    }

    /// Calls `f` with what is reduced to each element.
    fn run<T: Element + Copy, U: Element + Copy>(
        &self,
        inputs: &mut Inputs<'_>,
        run: &Run<'_>,
        f: impl Fn(&[T]) -> Made<U>,
    ) -> Made<Value> {
        let axes = match self.from_input {
            true => Some(inputs.view::<i64>(1)?.data.to_vec()),
            false => self.axes.clone(),
        };
        let value = inputs.get(0)?;
        let rank = value.rank();
        let axes = axes.filter(|axes| !axes.is_empty());
        let mut gone = vec![axes.is_none() && !self.none; rank];
        for axis in axes.unwrap_or_default() {
            let at = axis_of(axis, rank)?;
            must!(!gone[at], "axis {axis} is given twice");
            gone[at] = true;
        }
        let shape = value.shape();
        let (mut kept, mut order) = (Vec::new(), Vec::new());
        for axis in 0..rank {
            if !gone[axis] {
                order.push(axis);
                kept.push(shape[axis]);
            } else if self.keep {
                kept.push(1);
            }
        }
        order.extend((0..rank).filter(|axis| gone[*axis]));
        let group = count(&(0..rank).filter(|axis| gone[*axis]).map(|axis| shape[axis]).collect::<Vec<_>>())?;
        let held;
        let value = if order.iter().copied().eq(0..rank) {
            value
        } else {
            let from = steps(shape);
            let walk = Walk {
                offset: 0,
                shape: order.iter().map(|axis| shape[*axis]).collect(),
                strides: order.iter().map(|axis| from[*axis]).collect(),
            };
            held = gather(value, &walk, run.room)?;
            &held
        };
        let elements = value.view::<T>()?.data;
        let total = count(&kept)?;
        run.room.claim(total.saturating_mul(size_of::<U>()))?;
        let data: Vec<U> = match group {
            0 => (0..total).map(|_| f(&[])).collect::<Made<_>>()?,
            group => elements.chunks_exact(group).map(f).collect::<Made<_>>()?,
        };
        Ok(Value::of(Dense { shape: kept, data }))
    }
}

fn sums(node: &Node<'_>, what: Sum) -> Built {
    let spec = Spec::of(node, if what == Sum::Sum { 13 } else { 18 })?;
    if spec.none && !matches!(what, Sum::Sum | Sum::Mean | Sum::Product) {
        return Err("noop_with_empty_axes is not proved".to_owned());
    }
    // Sums of integers through logarithms and roots depend on how they are rounded.
    let types: &[Type] = match what {
        Sum::Length | Sum::Log | Sum::LogExp => &[Type::F32, Type::F64, Type::F16],
        _ => &[Type::F32, Type::F64, Type::F16, Type::I32, Type::I64],
    };
    match node.ty(0, types)? {
        Type::F32 => Plan::new([Type::F32], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            Ok(vec![spec.run(inputs, run, |all: &[f32]| real(what, all.iter().map(|x| f64::from(*x))).map(near))?])
        }),
        Type::F16 => Plan::new([Type::F16], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            let half = |all: &[f16]| real(what, all.iter().map(|x| x.to_f64())).map(|x| f16::from_f32(near(x)));
            Ok(vec![spec.run(inputs, run, half)?])
        }),
        Type::F64 => Plan::new([Type::F64], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            Ok(vec![spec.run(inputs, run, |all: &[f64]| real(what, all.iter().copied()))?])
        }),
        Type::I64 => Plan::new([Type::I64], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            let mean = |sum: i64, count: usize| i64::try_from(count).map_or(0, |count| sum.wrapping_div(count));
            Ok(vec![spec.run(inputs, run, |all: &[i64]| whole(what, all, i64::wrapping_abs, mean))?])
        }),
        _ => Plan::new([Type::I32], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            let mean = |sum: i32, count: usize| i32::try_from(count).map_or(0, |count| sum.wrapping_div(count));
            Ok(vec![spec.run(inputs, run, |all: &[i32]| whole(what, all, i32::wrapping_abs, mean))?])
        }),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the nearest value is wanted")]
fn near(x: f64) -> f32 {
    x as f32
}

/// Summed in float64, so that the order does not matter to float32.
fn real(what: Sum, all: impl ExactSizeIterator<Item = f64> + Clone) -> Made<f64> {
    let count = all.len();
    Ok(match what {
        Sum::Sum => all.sum(),
        Sum::Mean => {
            must!(count > 0, "the mean of nothing");
            #[expect(clippy::cast_precision_loss, reason = "a count")]
            let count = count as f64;
            all.sum::<f64>() / count
        }
        Sum::Product => all.product(),
        Sum::Absolute => all.map(f64::abs).sum(),
        Sum::Squares => all.map(|x| x * x).sum(),
        Sum::Length => all.map(|x| x * x).sum::<f64>().sqrt(),
        Sum::Log => all.sum::<f64>().ln(),
        Sum::LogExp => {
            let most = all.clone().fold(f64::NEG_INFINITY, Number::larger);
            if most.is_infinite() || most.is_nan() {
                return Ok(most);
            }
            all.map(|x| (x - most).exp()).sum::<f64>().ln() + most
        }
    })
}

fn whole<T: Number>(what: Sum, all: &[T], abs: fn(T) -> T, mean: impl Fn(T, usize) -> T) -> Made<T> {
    let sum = |f: fn(T) -> T| all.iter().fold(T::zero(), |sum, x| sum.plus(f(*x)));
    Ok(match what {
        Sum::Product => all.iter().fold(T::one(), |product, x| product.times(*x)),
        Sum::Mean => {
            must!(!all.is_empty(), "the mean of nothing");
            mean(sum(|x| x), all.len())
        }
        Sum::Absolute => sum(abs),
        Sum::Squares => sum(|x| x.times(x)),
        _ => sum(|x| x),
    })
}

fn extremes(node: &Node<'_>, most: bool) -> Built {
    let spec = Spec::of(node, 18)?;
    let types = [Type::F32, Type::F64, Type::F16, Type::I8, Type::I32, Type::I64, Type::U8];
    let ty = node.ty(0, &types)?;
    typed!(ty, [F32 f32, F64 f64, F16 f16, I8 i8, I32 i32, I64 i64, U8 u8], T => {
        Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            Ok(vec![spec.run(inputs, run, |all: &[T]| match all.iter().copied().reduce(|a, b| {
                if most { a.larger(b) } else { a.smaller(b) }
            }) {
                Some(found) => Ok(found),
                None => misfit("nothing has no extreme"),
            })?])
        })
    })
}

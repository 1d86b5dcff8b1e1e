//! Reductions along axes.

use crate::kernel::{Fault, Inputs, Run};
use crate::kernels::layout::WHOLE;
use crate::kernels::nn::plain::{Dense, Made, axis_of, count, must};
use crate::kernels::number::{Number, typed};
use crate::kernels::pace::Pace;
use crate::kernels::strided::{Walk, gather, steps};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, standard};
use crate::unsupported::Unsupported;
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("ReduceSum", |node| sums(node, Sum::Plain)),
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
    Plain,
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
    fn of(node: &Node<'_>, version: i64) -> Result<Self, Unsupported> {
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
    ) -> Result<Value, Fault> {
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
            group => {
                let mut pace = Pace::default();
                let reduced = |group: &[T]| {
                    pace.after(group.len(), run)?;
                    Ok(f(group)?)
                };
                elements.chunks_exact(group).map(reduced).collect::<Result<_, Fault>>()?
            }
        };
        Ok(Value::of(Dense { shape: kept, data }))
    }
}

fn sums(node: &Node<'_>, what: Sum) -> Built {
    let spec = Spec::of(node, if what == Sum::Plain { 13 } else { 18 })?;
    let types = [Type::F32, Type::F64, Type::I32, Type::I64, Type::U32, Type::U64];
    // An integer logarithm of exponentials depends on how each of them was rounded.
    let ty = node.ty(0, if what == Sum::LogExp { &types[..2] } else { &types })?;
    typed!(ty, [F32 f32, F64 f64, I32 i32, I64 i64, U32 u32, U64 u64], T => {
        Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            let sum = |all: &[T]| Ok(T::near(real(what, all.iter().map(|x| x.wide()))));
            Ok(vec![spec.run(inputs, run, sum)?])
        })
    })
}

/// Everything is summed in float64: then the order does not matter to float32, and integers come as ONNX Runtime has
/// them, rounded and held to their range.
fn real(what: Sum, all: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let count = all.len() as f64;
    match what {
        Sum::Plain => all.sum(),
        // The mean of nothing is 0 in ONNX Runtime.
        Sum::Mean => all.sum::<f64>() / count.max(1.0),
        Sum::Product => all.product(),
        Sum::Absolute => all.map(f64::abs).sum(),
        Sum::Squares => all.map(|x| x * x).sum(),
        Sum::Length => all.map(|x| x * x).sum::<f64>().sqrt(),
        Sum::Log => all.sum::<f64>().ln(),
        Sum::LogExp => {
            let most = all.clone().fold(f64::NEG_INFINITY, Number::larger);
            if most.is_infinite() || most.is_nan() {
                return most;
            }
            all.map(|x| (x - most).exp()).sum::<f64>().ln() + most
        }
    }
}

fn extremes(node: &Node<'_>, most: bool) -> Built {
    let spec = Spec::of(node, 18)?;
    let types = [Type::F32, Type::F64, Type::I8, Type::I32, Type::I64, Type::U8, Type::U32, Type::U64, Type::Bool];
    let ty = node.ty(0, if node.opset < 20 { types.split_last().map_or(&[], |(_, rest)| rest) } else { &types })?;
    if ty == Type::Bool {
        return Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            let found = |all: &[bool]| Ok(if most { all.contains(&true) } else { !all.contains(&false) });
            Ok(vec![spec.run(inputs, run, found)?])
        });
    }
    // Of nothing it is the end of the type that every element would pass.
    typed!(ty, [F32 f32, F64 f64, I8 i8, I32 i32, I64 i64, U8 u8, U32 u32, U64 u64], T => {
        Plan::new([ty], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            let end = if most { T::below() } else { T::above() };
            let better = |a: T, b: T| if most { a.larger(b) } else { a.smaller(b) };
            Ok(vec![spec.run(inputs, run, |all: &[T]| Ok(all.iter().copied().reduce(better).unwrap_or(end)))?])
        })
    })
}

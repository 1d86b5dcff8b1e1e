//! Bounds and choices: Where, Clip, Min, Max, Sum, Mean, NonZero.

use crate::kernels::control::ALL;
use crate::kernels::elementwise::{broadcast, common_shape, strides, unary};
use crate::kernels::nn::plain::{Dense, Made, Room, View, advance, misfit};
use crate::kernels::strided::{Walk, gather};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    since(9, "Where", choose),
    standard("Clip", clip),
    since(8, "Min", |node| fold(node, MIN_MAX, false, Fold::Min)),
    since(8, "Max", |node| fold(node, MIN_MAX, false, Fold::Max)),
    since(8, "Sum", |node| fold(node, &[Type::F32, Type::F64], false, Fold::Sum)),
    since(8, "Mean", |node| fold(node, &[Type::F32], true, Fold::Sum)),
    since(9, "NonZero", non_zero),
];

const MIN_MAX: &[Type] = &[Type::F32, Type::F64, Type::I32, Type::I64];

/// A value as if it had a larger shape.
fn spread(value: &Value, shape: &[usize], room: Room<'_>) -> Made<Value> {
    if value.shape() == shape {
        return Ok(value.clone());
    }
    let signed = |stride: usize| isize::try_from(stride).unwrap_or(isize::MAX);
    let strides = strides(value.shape(), shape).into_iter().map(signed).collect();
    gather(value, &Walk { offset: 0, shape: shape.to_vec(), strides }, room)
}

fn choose(node: &Node<'_>) -> Built {
    node.arity(3, 3, 1)?;
    node.ty(0, &[Type::Bool])?;
    let ty = node.ty(1, ALL)?;
    node.ty(2, &[ty])?;
    Plan::new([ty], |inputs, run| {
        let (condition, yes, no) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
        let shape = common_shape(&common_shape(condition.shape(), yes.shape())?, no.shape())?;
        let condition = spread(condition, &shape, run.room)?;
        let (yes, no) = (spread(yes, &shape, run.room)?, spread(no, &shape, run.room)?);
        fn pick<T: Element>(
            yes: &std::sync::Arc<Vec<T>>,
            no: &Value,
            condition: View<'_, bool>,
            room: Room<'_>,
        ) -> Made<Value> {
            let no = no.view::<T>()?;
            room.claim(yes.len().saturating_mul(size_of::<T>()))?;
            let both = yes.iter().zip(no.data).zip(condition.data);
            let data = both.map(|((yes, no), condition)| if *condition { yes } else { no }.clone()).collect();
            Ok(Value::of(Dense { shape: no.shape.to_vec(), data }))
        }
        let condition = condition.view::<bool>()?;
        Ok(vec![crate::value::each!(yes.data(), elements => pick(elements, &no, condition, run.room))?])
    })
}

fn clip(node: &Node<'_>) -> Built {
    if node.opset < 11 {
        node.arity(1, 1, 1)?;
        node.ty(0, &[Type::F32])?;
        let (low, high) = (node.float("min")?.unwrap_or(f32::MIN), node.float("max")?.unwrap_or(f32::MAX));
        return unary::<f32>(move |x| bounded(x, Some(low), Some(high)));
    }
    node.arity(1, 3, 1)?;
    let proved: &[Type] = if node.opset < 12 {
        &[Type::F32]
    } else {
        &[Type::F32, Type::F64, Type::I8, Type::U8, Type::I32, Type::U32, Type::I64, Type::U64]
    };
    let ty = node.ty(0, proved)?;
    node.optional(1, &[ty])?;
    node.optional(2, &[ty])?;
    match ty {
        Type::F64 => clip_of::<f64>(),
        Type::I8 => clip_of::<i8>(),
        Type::U8 => clip_of::<u8>(),
        Type::I32 => clip_of::<i32>(),
        Type::U32 => clip_of::<u32>(),
        Type::I64 => clip_of::<i64>(),
        Type::U64 => clip_of::<u64>(),
        _ => clip_of::<f32>(),
    }
}

/// NaN passes: it is neither below nor above. With bounds in the wrong order the upper one wins, as in ONNX.
fn bounded<T: PartialOrd + Copy>(x: T, low: Option<T>, high: Option<T>) -> T {
    let x = low.filter(|low| x < *low).unwrap_or(x);
    high.filter(|high| x > *high).unwrap_or(x)
}

fn clip_of<T: Element + Copy + PartialOrd>() -> Built {
    Plan::new([T::TYPE], |inputs, _| {
        let bound = |input: usize| match inputs.optional_view::<T>(input)? {
            Some(bound) => bound.one("a bound of Clip").map(Some),
            None => Ok(None),
        };
        let (low, high) = (bound(1)?, bound(2)?);
        let mut dense = inputs.take(0)?.into_dense::<T>()?;
        dense.data.iter_mut().for_each(|x| *x = bounded(*x, low, high));
        Ok(vec![Value::of(dense)])
    })
}

#[derive(Clone, Copy)]
enum Fold {
    Min,
    Max,
    Sum,
}

fn fold(node: &Node<'_>, proved: &[Type], mean: bool, how: Fold) -> Built {
    node.arity(1, usize::MAX, 1)?;
    let ty = node.one_type(if node.opset < 12 { &[Type::F32, Type::F64] } else { proved })?;
    node.ty(0, proved)?;
    let count = node.inputs();
    /// A NaN on either side wins.
    macro_rules! of {
        ($type:ty, $nan:expr, $sum:expr) => {
            folded::<$type>(
                count,
                move |a: $type, b: $type| match how {
                    Fold::Sum => $sum(a, b),
                    _ if $nan(a) => a,
                    _ if $nan(b) => b,
                    Fold::Min => {
                        if b < a {
                            b
                        } else {
                            a
                        }
                    }
                    Fold::Max => {
                        if b > a {
                            b
                        } else {
                            a
                        }
                    }
                },
                mean,
            )
        };
    }
    match ty {
        Type::F64 => of!(f64, f64::is_nan, |a, b| a + b),
        Type::I32 => of!(i32, |_| false, i32::wrapping_add),
        Type::I64 => of!(i64, |_| false, i64::wrapping_add),
        _ => of!(f32, f32::is_nan, |a, b| a + b),
    }
}

fn folded<T: Element + Copy>(count: usize, f: impl Fn(T, T) -> T + Copy + Send + Sync + 'static, mean: bool) -> Built {
    Plan::new([T::TYPE], move |inputs, run| {
        let first = inputs.view::<T>(0)?;
        let mut sum = Dense { shape: first.shape.to_vec(), data: first.data.to_vec() };
        for input in 1..count {
            sum = broadcast(sum.view(), inputs.view::<T>(input)?, run.room, f)?;
        }
        let value = Value::of(sum);
        if !mean {
            return Ok(vec![value]);
        }
        let mut dense = value.into_dense::<f32>()?;
        #[expect(clippy::cast_precision_loss, reason = "a count of inputs")]
        dense.data.iter_mut().for_each(|x| *x /= count as f32);
        Ok(vec![Value::of(dense)])
    })
}

fn non_zero(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let ty = node.ty(0, &[Type::Bool, Type::F32, Type::I32, Type::I64, Type::U8])?;
    fn places<T: Element + Copy>(x: View<'_, T>, zero: T, room: Room<'_>) -> Made<Value> {
        let found = x.data.iter().filter(|x| **x != zero).count();
        // A scalar counts as a vector of one.
        let shape = if x.rank() == 0 { &[1][..] } else { x.shape };
        let rank = shape.len();
        let mut out = room.tensor(&[rank, found], 0_i64)?;
        let (mut index, mut column) = (vec![0; rank], 0);
        for element in x.data {
            if *element != zero {
                for (axis, at) in index.iter().enumerate() {
                    out.data[axis * found + column] = i64::try_from(*at).unwrap_or(i64::MAX);
                }
                column += 1;
            }
            advance(&mut index, shape);
        }
        Ok(Value::of(out))
    }
    Plan::new([Type::I64], move |inputs, run| {
        Ok(vec![match ty {
            Type::Bool => places(inputs.view::<bool>(0)?, false, run.room)?,
            Type::F32 => places(inputs.view::<f32>(0)?, 0.0, run.room)?,
            Type::I32 => places(inputs.view::<i32>(0)?, 0, run.room)?,
            Type::I64 => places(inputs.view::<i64>(0)?, 0, run.room)?,
            Type::U8 => places(inputs.view::<u8>(0)?, 0, run.room)?,
            _ => misfit("its type is not known")?,
        }])
    })
}

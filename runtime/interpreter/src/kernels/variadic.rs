//! Arithmetic with any number of inputs, with bounds, powers and remainders.

use half::f16;

use crate::kernel::{Inputs, Run};
use crate::kernels::cast::{whole32, whole64};
use crate::kernels::elementwise::{NUMBERS, binary, broadcast, common_shape, unary};
use crate::kernels::nn::plain::{Dense, Made, Room, View, misfit, must};
use crate::kernels::number::{Number, typed};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, since, standard};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Max", |node| fold(node, Fold::Max)),
    standard("Min", |node| fold(node, Fold::Min)),
    standard("Sum", |node| fold(node, Fold::Sum)),
    standard("Mean", |node| fold(node, Fold::Mean)),
    between(7, 10, "Clip", clip_fixed),
    since(11, "Clip", clip),
    standard("Pow", power),
    since(10, "Mod", remainder),
];

#[derive(Clone, Copy)]
enum Fold {
    Max,
    Min,
    Sum,
    Mean,
}

const EXTREMES: &[Type] =
    &[Type::F32, Type::F64, Type::F16, Type::I8, Type::I32, Type::I64, Type::U8, Type::U32, Type::U64];

fn fold(node: &Node<'_>, what: Fold) -> Built {
    node.arity(node.inputs().max(1), usize::MAX, 1)?;
    fn of<T: Number>(what: Fold, count: T) -> Built {
        Plan::new([T::TYPE], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            let mut sum = None;
            for input in 0..inputs.len() {
                let next = inputs.view::<T>(input)?;
                sum = Some(match sum {
                    None => Dense { shape: next.shape.to_vec(), data: next.data.to_vec() },
                    Some(sum) => {
                        let sum: Dense<T> = sum;
                        match what {
                            Fold::Max => broadcast(sum.view(), next, run, T::larger)?,
                            Fold::Min => broadcast(sum.view(), next, run, T::smaller)?,
                            Fold::Sum | Fold::Mean => broadcast(sum.view(), next, run, T::plus)?,
                        }
                    }
                });
            }
            let Some(mut sum) = sum else { return Ok(misfit("it has no input")?) };
            if matches!(what, Fold::Mean) {
                sum.data.iter_mut().for_each(|x| *x = x.over(count));
            }
            Ok(vec![Value::of(sum)])
        })
    }
    let inputs = u16::try_from(node.inputs()).map_err(|_| "it has more than 65535 inputs".to_owned())?;
    match what {
        Fold::Sum | Fold::Mean => match node.one_type(&[Type::F32, Type::F64])? {
            Type::F64 => of::<f64>(what, f64::from(inputs)),
            _ => of::<f32>(what, f32::from(inputs)),
        },
        _ => {
            typed!(node.one_type(if node.opset < 12 { &[Type::F32, Type::F64] } else { EXTREMES })?, [F32 f32, F64 f64, F16 f16, I8 i8, I32 i32, I64 i64, U8 u8, U32 u32,
            U64 u64], T => of::<T>(what, T::one()))
        }
    }
}

/// Within bounds; the upper one wins where they cross, and what is no number stays none.
fn bounded<T: Number>(x: T, low: Option<T>, high: Option<T>) -> T {
    let x = low.filter(|low| x < *low).unwrap_or(x);
    high.filter(|high| x > *high).unwrap_or(x)
}

fn clip_fixed(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    node.ty(0, &[Type::F32])?;
    let (low, high) = (node.float("min")?, node.float("max")?);
    // As below.
    let (low, high) = (low.unwrap_or(f32::MIN), high.unwrap_or(f32::MAX));
    unary::<f32>(move |x| bounded(x, Some(low), Some(high)))
}

fn clip(node: &Node<'_>) -> Built {
    node.arity(1, 3, 1)?;
    let ty = node.one_type(if node.opset < 12 { &[Type::F32] } else { EXTREMES })?;
    fn of<T: Number>() -> Built {
        Plan::new([T::TYPE], |inputs: &mut Inputs<'_>, _: &Run<'_>| {
            let bound = |input: usize| match inputs.optional_view::<T>(input)? {
                None => Ok(None),
                Some(bound) => bound.one("a bound of Clip").map(Some),
            };
            // A bound that is left out is the largest number, not infinity; one that is no number bounds nothing.
            let (low, high) = (bound(1)?.or(Some(T::LEAST)), bound(2)?.or(Some(T::MOST)));
            let mut x = inputs.take(0)?.into_dense::<T>()?;
            x.data.iter_mut().for_each(|x| *x = bounded(*x, low, high));
            Ok(vec![Value::of(x)])
        })
    }
    typed!(ty, [F32 f32, F64 f64, F16 f16, I8 i8, I32 i32, I64 i64, U8 u8, U32 u32, U64 u64], T => of::<T>())
}

/// Pairs of two types.
fn pairs<T: Element + Copy, U: Element + Copy>(
    a: View<'_, T>,
    b: View<'_, U>,
    room: Room<'_>,
    f: impl Fn(T, U) -> Made<T>,
) -> Made<Dense<T>> {
    let shape = common_shape(a.shape, b.shape)?;
    let expand = |value: Value| crate::kernels::layout::expanded(&value, &shape, room);
    let a = expand(Value::of(Dense { shape: a.shape.to_vec(), data: a.data.to_vec() }))?;
    let b = expand(Value::of(Dense { shape: b.shape.to_vec(), data: b.data.to_vec() }))?;
    let (a, b) = (a.view::<T>()?, b.view::<U>()?);
    room.claim(a.len().saturating_mul(size_of::<T>()))?;
    let data = a.data.iter().zip(b.data).map(|(a, b)| f(*a, *b)).collect::<Made<Vec<_>>>()?;
    Ok(Dense { shape, data })
}

fn power(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let base = node.ty(0, &[Type::F32, Type::F64, Type::I32, Type::I64])?;
    let exponent = node.ty(1, &[Type::F32, Type::F64, Type::I32, Type::I64])?;
    if node.opset < 12 && base != exponent {
        return unsupported("its inputs are of different types");
    }
    macro_rules! of {
        ($base:ty, $exponent:ty, $f:expr) => {
            Plan::new([<$base>::TYPE], |inputs: &mut Inputs<'_>, run: &Run<'_>| {
                let (a, b) = (inputs.view::<$base>(0)?, inputs.view::<$exponent>(1)?);
                // Squares and cubes are products, which wrap around in integers.
                if let [single] = b.data
                    && b.rank() <= a.rank()
                {
                    let two = *single == (2 as $exponent);
                    if two || *single == (3 as $exponent) {
                        let f = |x: $base| if two { x.times(x) } else { x.times(x).times(x) };
                        let data = a.data.iter().map(|x| f(*x)).collect();
                        return Ok(vec![Value::shared(a.shape.to_vec(), <$base>::wrap(std::sync::Arc::new(data)))?]);
                    }
                }
                Ok(vec![Value::of(pairs(a, b, run.room, $f)?)])
            })
        };
    }
    // An integer's power is computed in float64; one that the type can not hold is its smallest number, as a cast has it.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as ONNX Runtime does")]
    match (base, exponent) {
        (Type::F32, Type::F32) => of!(f32, f32, |a, b| Ok(a.powf(b))),
        (Type::F32, Type::F64) => of!(f32, f64, |a, b| Ok(f64::from(a).powf(b) as f32)),
        (Type::F32, Type::I32) => of!(f32, i32, |a, b| Ok(f64::from(a).powf(f64::from(b)) as f32)),
        (Type::F32, _) => of!(f32, i64, |a, b| Ok(f64::from(a).powf(b as f64) as f32)),
        (Type::F64, Type::F32) => of!(f64, f32, |a, b| Ok(a.powf(f64::from(b)))),
        (Type::F64, Type::F64) => of!(f64, f64, |a, b| Ok(a.powf(b))),
        (Type::F64, Type::I32) => of!(f64, i32, |a, b| Ok(a.powf(f64::from(b)))),
        (Type::F64, _) => of!(f64, i64, |a, b| Ok(a.powf(b as f64))),
        (Type::I32, Type::F32) => of!(i32, f32, |a, b| Ok(whole32(f64::from(a).powf(f64::from(b))))),
        (Type::I32, Type::F64) => of!(i32, f64, |a, b| Ok(whole32(f64::from(a).powf(b)))),
        (Type::I32, Type::I32) => of!(i32, i32, |a, b| Ok(whole32(f64::from(a).powf(f64::from(b))))),
        (Type::I32, _) => of!(i32, i64, |a, b| Ok(whole32(f64::from(a).powf(b as f64)))),
        (_, Type::F32) => of!(i64, f32, |a, b| Ok(whole64((a as f64).powf(f64::from(b))))),
        (_, Type::F64) => of!(i64, f64, |a, b| Ok(whole64((a as f64).powf(b)))),
        (_, Type::I32) => of!(i64, i32, |a, b| Ok(whole64((a as f64).powf(f64::from(b))))),
        (_, _) => of!(i64, i64, |a, b| Ok(whole64((a as f64).powf(b as f64)))),
    }
}

fn remainder(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    let c = node.flag("fmod")?;
    let ty = node.one_type(NUMBERS)?;
    if !c && node.opset < 28 && matches!(ty, Type::F32 | Type::F64) {
        return unsupported("floats need fmod = 1");
    }
    /// The sign of the divisor, or with fmod that of the dividend.
    macro_rules! whole {
        ($type:ty) => {
            Plan::new([<$type>::TYPE], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
                let (a, b) = (inputs.view::<$type>(0)?, inputs.view::<$type>(1)?);
                must!(!b.data.contains(&0), "an integer is divided by zero");
                Ok(vec![Value::of(broadcast(a, b, run, |a: $type, b: $type| {
                    let rest = a.wrapping_rem(b);
                    #[allow(unused_comparisons, reason = "the same for types without a sign")]
                    let other = rest != 0 && (rest < 0) != (b < 0);
                    if !c && other { rest.wrapping_add(b) } else { rest }
                })?)])
            })
        };
    }
    match ty {
        Type::F32 => binary::<f32, f32>(move |a, b| {
            let rest = a % b;
            if !c && rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }),
        Type::F64 => binary::<f64, f64>(move |a, b| {
            let rest = a % b;
            if !c && rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
        }),
        Type::I8 => whole!(i8),
        Type::I16 => whole!(i16),
        Type::I32 => whole!(i32),
        Type::I64 => whole!(i64),
        Type::U8 => whole!(u8),
        Type::U16 => whole!(u16),
        Type::U32 => whole!(u32),
        _ => whole!(u64),
    }
}

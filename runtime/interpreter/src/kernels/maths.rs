//! Functions of one element.

use half::f16;

use crate::kernels::elementwise::{NUMBERS, unary};
use crate::kernels::number::{Number, typed};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::value::{Element, Type, Value};

const FLOATS: &[Type] = &[Type::F32, Type::F64];
const HALF: &[Type] = &[Type::F32, Type::F64, Type::F16];
const SHORT: &[Type] = &[Type::F32];

/// A function of floats: in each type as ONNX Runtime computes it.
macro_rules! floats {
    ($types:expr, $f:expr, $g:expr) => {
        |node| {
            node.arity(1, 1, 1)?;
            match node.ty(0, $types)? {
                Type::F64 => unary::<f64>($g),
                _ => unary::<f32>($f),
            }
        }
    };
}

pub(crate) static TABLE: &[Entry] = &[
    standard("Abs", abs),
    standard("Neg", neg),
    standard("Floor", floats!(FLOATS, f32::floor, f64::floor)),
    standard("Ceil", floats!(FLOATS, f32::ceil, f64::ceil)),
    since(11, "Round", floats!(FLOATS, f32::round_ties_even, f64::round_ties_even)),
    standard("Sqrt", floats!(FLOATS, f32::sqrt, f64::sqrt)),
    standard("Exp", floats!(FLOATS, f32::exp, f64::exp)),
    standard("Log", floats!(FLOATS, f32::ln, f64::ln)),
    standard("Reciprocal", floats!(FLOATS, f32::recip, f64::recip)),
    standard("Tanh", floats!(FLOATS, crate::kernels::quick::tanh, f64::tanh)),
    standard("Sigmoid", floats!(FLOATS, |x: f32| 1.0 / (1.0 + (-x).exp()), |x: f64| 1.0 / (1.0 + (-x).exp()))),
    standard("Cos", floats!(FLOATS, f32::cos, f64::cos)),
    standard("Sin", floats!(FLOATS, f32::sin, f64::sin)),
    standard("Tan", floats!(SHORT, f32::tan, f64::tan)),
    standard("Acos", floats!(SHORT, f32::acos, f64::acos)),
    standard("Asin", floats!(SHORT, f32::asin, f64::asin)),
    standard("Atan", floats!(SHORT, f32::atan, f64::atan)),
    since(9, "Cosh", floats!(SHORT, f32::cosh, f64::cosh)),
    since(9, "Sinh", floats!(SHORT, f32::sinh, f64::sinh)),
    since(
        9,
        "Acosh",
        floats!(SHORT, |x: f32| if x < 1.0 { f32::NAN } else { libm::acoshf(x) }, |x: f64| if x < 1.0 {
            f64::NAN
        } else {
            libm::acosh(x)
        }),
    ),
    since(9, "Asinh", floats!(SHORT, libm::asinhf, libm::asinh)),
    since(9, "Atanh", floats!(SHORT, libm::atanhf, libm::atanh)),
    since(9, "Erf", floats!(SHORT, libm::erff, libm::erf)),
    since(9, "Sign", sign),
    since(9, "IsNaN", |node| test(node, f32::is_nan, f64::is_nan)),
    since(10, "IsInf", infinite),
    since(9, "Shrink", shrink),
];

fn abs(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    match node.ty(0, NUMBERS)? {
        Type::F32 => unary(f32::abs),
        Type::F64 => unary(f64::abs),
        Type::I8 => unary(i8::wrapping_abs),
        Type::I16 => unary(i16::wrapping_abs),
        Type::I32 => unary(i32::wrapping_abs),
        Type::I64 => unary(i64::wrapping_abs),
        ty => Plan::new([ty], |inputs, _| Ok(vec![inputs.take(0)?])),
    }
}

fn neg(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    match node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I16, Type::I32, Type::I64])? {
        Type::F64 => unary(|x: f64| -x),
        Type::I8 => unary(i8::wrapping_neg),
        Type::I16 => unary(i16::wrapping_neg),
        Type::I32 => unary(i32::wrapping_neg),
        Type::I64 => unary(i64::wrapping_neg),
        _ => unary(|x: f32| -x),
    }
}

fn sign(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    // What is no number stays none; zero of either sign is zero.
    macro_rules! float {
        ($type:ty, $zero:expr, $one:expr) => {
            unary(|x: $type| {
                if x.is_nan() {
                    x
                } else if x > $zero {
                    $one
                } else if x < $zero {
                    -$one
                } else {
                    $zero
                }
            })
        };
    }
    match node.ty(0, &[NUMBERS, &[Type::F16]].concat())? {
        Type::F32 => float!(f32, 0.0, 1.0),
        Type::F64 => float!(f64, 0.0, 1.0),
        // Here ONNX Runtime compares: what is no number is neither above nor below zero.
        Type::F16 => unary(|x: f16| {
            if x > f16::ZERO {
                f16::ONE
            } else if x < f16::ZERO {
                f16::NEG_ONE
            } else {
                f16::ZERO
            }
        }),
        Type::I8 => unary(i8::signum),
        Type::I16 => unary(i16::signum),
        Type::I32 => unary(i32::signum),
        Type::I64 => unary(i64::signum),
        ty => typed!(ty, [U8 u8, U16 u16, U32 u32, U64 u64], T => unary(|x: T| x.min(1))),
    }
}

/// A plan for a question to one element.
fn ask<T: Element + Copy>(f: impl Fn(T) -> bool + Send + Sync + 'static) -> Built {
    Plan::new([Type::Bool], move |inputs, run| {
        let x = inputs.view::<T>(0)?;
        let mut out = run.room.tensor(x.shape, false)?;
        out.data.iter_mut().zip(x.data).for_each(|(out, x)| *out = f(*x));
        Ok(vec![Value::of(out)])
    })
}

fn test(node: &Node<'_>, narrow: fn(f32) -> bool, wide: fn(f64) -> bool) -> Built {
    node.arity(1, 1, 1)?;
    match node.ty(0, HALF)? {
        Type::F64 => ask(wide),
        Type::F16 => ask(move |x: f16| narrow(x.to_f32())),
        _ => ask(narrow),
    }
}

fn infinite(node: &Node<'_>) -> Built {
    let up = node.int("detect_positive")?.unwrap_or(1) != 0;
    let down = node.int("detect_negative")?.unwrap_or(1) != 0;
    node.arity(1, 1, 1)?;
    let is = move |x: f64| (up && x == f64::INFINITY) || (down && x == f64::NEG_INFINITY);
    match node.ty(0, HALF)? {
        Type::F64 => ask(is),
        Type::F16 => ask(move |x: f16| is(x.to_f64())),
        _ => ask(move |x: f32| is(f64::from(x))),
    }
}

/// Towards zero by `bias` what lies farther from it than `lambd`; all else becomes zero.
fn shrink(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let (limit, bias) = (node.float("lambd")?.unwrap_or(0.5), node.float("bias")?.unwrap_or(0.0));
    fn of<T: Number>(limit: f64, bias: f64) -> Built {
        unary(move |x: T| {
            let wide = x.wide();
            T::near(if wide < -limit {
                wide + bias
            } else if wide > limit {
                wide - bias
            } else {
                0.0
            })
        })
    }
    // ONNX Runtime sends every type through float32, where larger ones are lost.
    typed!(node.ty(0, &[Type::F32, Type::I8, Type::I16, Type::U8, Type::U16])?,
        [F32 f32, I8 i8, I16 i16, U8 u8, U16 u16], T => of::<T>(f64::from(limit), f64::from(bias)))
}

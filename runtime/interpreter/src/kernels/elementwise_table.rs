//! Operators that work element by element: arithmetic, maths, comparisons, logic.

use crate::kernels::elementwise::{binary, unary};
use crate::kernels::nn::plain::misfit;
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Abs", abs),
    standard("Neg", neg),
    standard("Floor", |node| real(node, BOTH, f32::floor, f64::floor)),
    standard("Ceil", |node| real(node, BOTH, f32::ceil, f64::ceil)),
    since(11, "Round", |node| real(node, BOTH, f32::round_ties_even, f64::round_ties_even)),
    standard("Sqrt", |node| real(node, BOTH, f32::sqrt, f64::sqrt)),
    standard("Exp", |node| real(node, BOTH, f32::exp, f64::exp)),
    standard("Log", |node| real(node, BOTH, f32::ln, f64::ln)),
    standard("Sin", |node| real(node, BOTH, f32::sin, f64::sin)),
    standard("Cos", |node| real(node, BOTH, f32::cos, f64::cos)),
    standard("Tan", |node| real(node, SINGLE, f32::tan, f64::tan)),
    standard("Asin", |node| real(node, SINGLE, f32::asin, f64::asin)),
    standard("Acos", |node| real(node, SINGLE, f32::acos, f64::acos)),
    standard("Atan", |node| real(node, SINGLE, f32::atan, f64::atan)),
    since(9, "Sinh", |node| real(node, SINGLE, f32::sinh, f64::sinh)),
    since(9, "Cosh", |node| real(node, SINGLE, f32::cosh, f64::cosh)),
    since(9, "Asinh", |node| real(node, SINGLE, f32::asinh, f64::asinh)),
    since(9, "Acosh", |node| real(node, SINGLE, acosh, f64::acosh)),
    since(9, "Atanh", |node| real(node, SINGLE, f32::atanh, f64::atanh)),
    standard("Tanh", |node| real(node, BOTH, f32::tanh, f64::tanh)),
    standard("Reciprocal", |node| real(node, BOTH, |x| 1.0 / x, |x| 1.0 / x)),
    since(9, "Erf", |node| real(node, SINGLE, libm::erff, libm::erf)),
    since(9, "Sign", sign),
    since(9, "IsNaN", is_nan),
    since(10, "IsInf", is_inf),
    standard("Not", |node| {
        node.arity(1, 1, 1)?;
        node.ty(0, &[Type::Bool])?;
        unary::<bool>(|x| !x)
    }),
    standard("And", |node| logic(node, |a, b| a && b)),
    standard("Or", |node| logic(node, |a, b| a || b)),
    standard("Xor", |node| logic(node, |a, b| a != b)),
    standard("Equal", equal),
    standard("Greater", |node| order(node, &ORDER)),
    standard("Less", |node| order(node, &[Order::Less])),
    since(12, "GreaterOrEqual", |node| order(node, &[Order::GreaterOrEqual])),
    since(12, "LessOrEqual", |node| order(node, &[Order::LessOrEqual])),
    standard("Div", div),
];

const BOTH: &[Type] = &[Type::F32, Type::F64];
const SINGLE: &[Type] = &[Type::F32];
const ORDER: [Order; 1] = [Order::Greater];

fn real(node: &Node<'_>, proved: &[Type], single: fn(f32) -> f32, double: fn(f64) -> f64) -> Built {
    node.arity(1, 1, 1)?;
    match node.ty(0, proved)? {
        Type::F64 => unary::<f64>(double),
        _ => unary::<f32>(single),
    }
}

fn abs(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    match node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I16, Type::I32, Type::I64, Type::U8])? {
        Type::F64 => unary(f64::abs),
        Type::I8 => unary(i8::wrapping_abs),
        Type::I16 => unary(i16::wrapping_abs),
        Type::I32 => unary(i32::wrapping_abs),
        Type::I64 => unary(i64::wrapping_abs),
        Type::U8 => unary(|x: u8| x),
        _ => unary(f32::abs),
    }
}

fn neg(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    match node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I32, Type::I64])? {
        Type::F64 => unary(|x: f64| -x),
        Type::I8 => unary(i8::wrapping_neg),
        Type::I32 => unary(i32::wrapping_neg),
        Type::I64 => unary(i64::wrapping_neg),
        _ => unary(|x: f32| -x),
    }
}

fn sign(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    /// Zero of either sign and NaN are what comparisons make of them: 0.
    macro_rules! of {
        ($type:ty, $zero:expr, $one:expr, $minus:expr) => {
            unary::<$type>(|x| {
                if x > $zero {
                    $one
                } else if x < $zero {
                    $minus
                } else {
                    $zero
                }
            })
        };
    }
    match node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I16, Type::I32, Type::I64])? {
        Type::F64 => of!(f64, 0.0, 1.0, -1.0),
        Type::I8 => of!(i8, 0, 1, -1),
        Type::I16 => of!(i16, 0, 1, -1),
        Type::I32 => of!(i32, 0, 1, -1),
        Type::I64 => of!(i64, 0, 1, -1),
        _ => of!(f32, 0.0, 1.0, -1.0),
    }
}

/// A plan for a question about each element.
fn question<T: Element + Copy>(f: impl Fn(T) -> bool + Send + Sync + 'static) -> Built {
    Plan::new([Type::Bool], move |inputs, run| {
        let x = inputs.view::<T>(0)?;
        let mut out = run.room.tensor(x.shape, false)?;
        out.data.iter_mut().zip(x.data).for_each(|(out, x)| *out = f(*x));
        Ok(vec![Value::of(out)])
    })
}

fn is_nan(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    match node.ty(0, BOTH)? {
        Type::F64 => question(f64::is_nan),
        _ => question(f32::is_nan),
    }
}

fn is_inf(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let asked = |name: &str| node.int(name).map(|given| given.unwrap_or(1) != 0);
    let (negative, positive) = (asked("detect_negative")?, asked("detect_positive")?);
    match node.ty(0, BOTH)? {
        Type::F64 => question(move |x: f64| x.is_infinite() && if x > 0.0 { positive } else { negative }),
        _ => question(move |x: f32| x.is_infinite() && if x > 0.0 { positive } else { negative }),
    }
}

fn logic(node: &Node<'_>, f: fn(bool, bool) -> bool) -> Built {
    node.arity(2, 2, 1)?;
    node.one_type(&[Type::Bool])?;
    binary::<bool, bool>(f)
}

fn equal(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    match node.one_type(&[Type::F32, Type::F64, Type::I32, Type::I64, Type::Bool])? {
        #[expect(clippy::float_cmp, reason = "the operator asks for it")]
        Type::F64 => binary::<f64, bool>(|a, b| a == b),
        Type::I32 => binary::<i32, bool>(|a, b| a == b),
        Type::I64 => binary::<i64, bool>(|a, b| a == b),
        Type::Bool => binary::<bool, bool>(|a, b| a == b),
        #[expect(clippy::float_cmp, reason = "the operator asks for it")]
        _ => binary::<f32, bool>(|a, b| a == b),
    }
}

#[derive(Clone, Copy)]
enum Order {
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

fn order(node: &Node<'_>, [which]: &[Order; 1]) -> Built {
    node.arity(2, 2, 1)?;
    fn by<T: Element + Copy + PartialOrd>(which: Order) -> Built {
        match which {
            Order::Greater => binary::<T, bool>(|a, b| a > b),
            Order::Less => binary::<T, bool>(|a, b| a < b),
            Order::GreaterOrEqual => binary::<T, bool>(|a, b| a >= b),
            Order::LessOrEqual => binary::<T, bool>(|a, b| a <= b),
        }
    }
    match node.one_type(&[Type::F32, Type::F64, Type::I32, Type::I64])? {
        Type::F64 => by::<f64>(*which),
        Type::I32 => by::<i32>(*which),
        Type::I64 => by::<i64>(*which),
        _ => by::<f32>(*which),
    }
}

fn div(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    match node.one_type(&[Type::F32, Type::F64, Type::I32, Type::I64])? {
        Type::F64 => binary::<f64, f64>(|a, b| a / b),
        Type::I32 => whole_division::<i32>(0, i32::wrapping_div),
        Type::I64 => whole_division::<i64>(0, i64::wrapping_div),
        _ => binary::<f32, f32>(|a, b| a / b),
    }
}

/// ONNX does not say what an integer divided by zero is: an error, not a number.
fn whole_division<T: Element + Copy>(zero: T, f: fn(T, T) -> T) -> Built {
    Plan::new([T::TYPE], move |inputs, run| {
        let (a, b) = (inputs.view::<T>(0)?, inputs.view::<T>(1)?);
        if b.data.contains(&zero) {
            return Ok(misfit("it divides an integer by zero")?);
        }
        Ok(vec![Value::of(crate::kernels::elementwise::broadcast(a, b, run.room, f)?)])
    })
}

/// In double precision: the standard library's own doubles large numbers, which float32 can not hold then.
fn acosh(x: f32) -> f32 {
    f64::from(x).acosh() as f32
}

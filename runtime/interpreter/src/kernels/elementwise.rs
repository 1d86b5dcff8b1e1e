//! Arithmetic element by element, with broadcasting.

use crate::kernel::{Inputs, Run};
use crate::kernels::nn::plain::{Dense, Made, Room, View, advance, misfit};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Add", |node| arithmetic(node, Arithmetic::Add)),
    standard("Sub", |node| arithmetic(node, Arithmetic::Sub)),
    standard("Mul", |node| arithmetic(node, Arithmetic::Mul)),
    standard("Relu", relu),
];

#[derive(Clone, Copy)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
}

const NUMBERS: &[Type] = &[Type::F32, Type::F64, Type::I32, Type::I64];

fn arithmetic(node: &Node<'_>, what: Arithmetic) -> Built {
    node.arity(2, 2, 1)?;
    /// Integers wrap around as ONNX Runtime's do.
    macro_rules! of {
        ($type:ty, $add:expr, $sub:expr, $mul:expr) => {
            match what {
                Arithmetic::Add => binary::<$type, $type>($add),
                Arithmetic::Sub => binary::<$type, $type>($sub),
                Arithmetic::Mul => binary::<$type, $type>($mul),
            }
        };
    }
    match node.one_type(NUMBERS)? {
        Type::F64 => of!(f64, |a, b| a + b, |a, b| a - b, |a, b| a * b),
        Type::I32 => of!(i32, i32::wrapping_add, i32::wrapping_sub, i32::wrapping_mul),
        Type::I64 => of!(i64, i64::wrapping_add, i64::wrapping_sub, i64::wrapping_mul),
        _ => of!(f32, |a, b| a + b, |a, b| a - b, |a, b| a * b),
    }
}

fn relu(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    // NaN stays NaN: a comparison keeps it, `max` would make it 0.
    match node.ty(0, &[Type::F32, Type::F64])? {
        Type::F64 => unary::<f64>(|x| if x < 0.0 { 0.0 } else { x }),
        _ => unary::<f32>(|x| if x < 0.0 { 0.0 } else { x }),
    }
}

/// A plan for a function of one element that keeps the type.
pub(crate) fn unary<T: Element + Copy>(f: impl Fn(T) -> T + Send + Sync + 'static) -> Built {
    Plan::new([T::TYPE], move |inputs: &mut Inputs<'_>, _run: &Run<'_>| {
        let mut dense = inputs.take(0)?.into_dense::<T>()?;
        dense.data.iter_mut().for_each(|element| *element = f(*element));
        Ok(vec![Value::of(dense)])
    })
}

/// A plan for a function of two elements.
pub(crate) fn binary<T: Element + Copy, U: Element + Copy>(
    f: impl Fn(T, T) -> U + Copy + Send + Sync + 'static,
) -> Built {
    Plan::new([U::TYPE], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (a, b) = (inputs.view::<T>(0)?, inputs.view::<T>(1)?);
        Ok(vec![Value::of(broadcast(a, b, run.room, f)?)])
    })
}

/// The shape that two shapes have in common, as numpy's rules have it.
pub(crate) fn common_shape(a: &[usize], b: &[usize]) -> Made<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |at| shape[at]);
    let mut shape = Vec::with_capacity(rank);
    for axis in 0..rank {
        shape.push(match (dim(a, axis), dim(b, axis)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            _ => return misfit(format!("the shapes {a:?} and {b:?} can not be broadcast to one")),
        });
    }
    Ok(shape)
}

/// Steps through a tensor of `shape` as if it had the shape `wanted`; 0 where it is repeated.
pub(crate) fn strides(shape: &[usize], wanted: &[usize]) -> Vec<usize> {
    let mut strides = vec![0; wanted.len()];
    let mut step = 1;
    for (stride, dim) in strides.iter_mut().rev().zip(shape.iter().rev()) {
        *stride = if *dim == 1 { 0 } else { step };
        step *= dim;
    }
    strides
}

/// Applies `f` to all pairs of elements.
pub(crate) fn broadcast<T: Element + Copy, U: Element + Copy>(
    a: View<'_, T>,
    b: View<'_, T>,
    room: Room<'_>,
    f: impl Fn(T, T) -> U,
) -> Made<Dense<U>> {
    let shape = common_shape(a.shape, b.shape)?;
    let mut out = room.tensor(&shape, U::blank())?;
    if out.data.is_empty() {
        return Ok(out);
    }
    if a.shape == b.shape {
        for ((out, a), b) in out.data.iter_mut().zip(a.data).zip(b.data) {
            *out = f(*a, *b);
        }
        return Ok(out);
    }
    let (Some((inner, outer)), rank) = (shape.split_last(), shape.len()) else { return Ok(out) };
    let (left, right) = (strides(a.shape, &shape), strides(b.shape, &shape));
    let mut index = vec![0; rank - 1];
    for row in out.data.chunks_exact_mut(*inner) {
        let at = |strides: &[usize]| index.iter().zip(strides).map(|(index, stride)| index * stride).sum::<usize>();
        let (a0, b0) = (at(&left), at(&right));
        match (left[rank - 1], right[rank - 1]) {
            (0, _) => {
                let (x, ys) = (a.data[a0], &b.data[b0..]);
                row.iter_mut().zip(ys).for_each(|(out, y)| *out = f(x, *y));
            }
            (_, 0) => {
                let (xs, y) = (&a.data[a0..], b.data[b0]);
                row.iter_mut().zip(xs).for_each(|(out, x)| *out = f(*x, y));
            }
            _ => {
                let (xs, ys) = (&a.data[a0..], &b.data[b0..]);
                row.iter_mut().zip(xs.iter().zip(ys)).for_each(|(out, (x, y))| *out = f(*x, *y));
            }
        }
        advance(&mut index, outer);
    }
    Ok(out)
}

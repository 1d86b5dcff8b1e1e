//! Arithmetic element by element, with broadcasting.

use crate::kernel::{Fault, Inputs, Run};
use crate::kernels::nn::plain::{Dense, Made, View, advance, misfit, must};
use crate::kernels::number::{Number, typed};
use crate::kernels::pace::{Pace, STRETCH};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("Add", |node| arithmetic(node, Arithmetic::Add)),
    standard("Sub", |node| arithmetic(node, Arithmetic::Sub)),
    standard("Mul", |node| arithmetic(node, Arithmetic::Mul)),
    standard("Div", |node| arithmetic(node, Arithmetic::Div)),
    standard("Relu", relu),
];

#[derive(Clone, Copy)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

/// Numbers of all types but float16, which the loader turns into float32.
pub(crate) const NUMBERS: &[Type] =
    &[Type::F32, Type::F64, Type::I8, Type::I16, Type::I32, Type::I64, Type::U8, Type::U16, Type::U32, Type::U64];

fn arithmetic(node: &Node<'_>, what: Arithmetic) -> Built {
    node.arity(2, 2, 1)?;
    fn of<T: Number>(what: Arithmetic) -> Built {
        match what {
            Arithmetic::Add => in_place(T::plus),
            Arithmetic::Sub => in_place(T::minus),
            Arithmetic::Mul => in_place(T::times),
            Arithmetic::Div => Plan::new([T::TYPE], |inputs: &mut Inputs<'_>, run: &Run<'_>| {
                let (a, b) = (inputs.view::<T>(0)?, inputs.view::<T>(1)?);
                // ONNX Runtime's process ends here.
                must!(!T::EXACT || !b.data.contains(&T::zero()), "an integer is divided by zero");
                Ok(vec![Value::of(broadcast(a, b, run, T::over)?)])
            }),
        }
    }
    typed!(node.one_type(NUMBERS)?, [F32 f32, F64 f64, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16,
        U32 u32, U64 u64], T => of::<T>(what))
}

fn relu(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    fn of<T: Number>() -> Built {
        // What is no number stays none: a comparison keeps it, a maximum would make it 0.
        unary::<T>(|x| if x < T::zero() { T::zero() } else { x })
    }
    typed!(node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I32])?,
        [F32 f32, F64 f64, I8 i8, I32 i32], T => of::<T>())
}

/// A plan for a function of one element that keeps the type.
pub(crate) fn unary<T: Element + Copy>(f: impl Fn(T) -> T + Send + Sync + 'static) -> Built {
    Plan::new([T::TYPE], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let mut dense = inputs.take(0)?.into_dense::<T>()?;
        for stretch in dense.data.chunks_mut(STRETCH) {
            run.go_on()?;
            stretch.iter_mut().for_each(|element| *element = f(*element));
        }
        Ok(vec![Value::of(dense)])
    })
}

/// A plan for a function of two elements.
pub(crate) fn binary<T: Element + Copy, U: Element + Copy>(
    f: impl Fn(T, T) -> U + Copy + Send + Sync + 'static,
) -> Built {
    Plan::new([U::TYPE], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (a, b) = (inputs.view::<T>(0)?, inputs.view::<T>(1)?);
        Ok(vec![Value::of(broadcast(a, b, run, f)?)])
    })
}

/// The same where the result has the type of the inputs: in the place of one of them that nobody else needs.
fn in_place<T: Element + Copy>(f: impl Fn(T, T) -> T + Copy + Send + Sync + 'static) -> Built {
    Plan::new([T::TYPE], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        let free = |value: &Value, other: &Value| {
            // Each row of the one then meets a row, or one element, of the other.
            let row = value.shape().last().copied().unwrap_or(1);
            let fits = other.shape() == value.shape()
                || other.len() == 1 && other.rank() <= value.rank()
                || row >= SHORT && common_shape(value.shape(), other.shape()).is_ok_and(|shape| shape == value.shape());
            fits && !value.is_shared()
        };
        if free(a, b) {
            let mut dense = inputs.take(0)?.into_dense::<T>()?;
            update(&mut dense, inputs.view::<T>(1)?, run, f)?;
            return Ok(vec![Value::of(dense)]);
        }
        if free(b, a) {
            let mut dense = inputs.take(1)?.into_dense::<T>()?;
            update(&mut dense, inputs.view::<T>(0)?, run, |b, a| f(a, b))?;
            return Ok(vec![Value::of(dense)]);
        }
        Ok(vec![Value::of(broadcast(inputs.view::<T>(0)?, inputs.view::<T>(1)?, run, f)?)])
    })
}

/// Rows below this length are not worth the way through the other operand's steps in place.
const SHORT: usize = 8;

/// Changes each element by the one of `other` that it meets; `other` is stretched to the shape of `dense`.
fn update<T: Element + Copy>(
    dense: &mut Dense<T>,
    other: View<'_, T>,
    run: &Run<'_>,
    f: impl Fn(T, T) -> T,
) -> Result<(), Fault> {
    if let [one] = *other.data {
        for stretch in dense.data.chunks_mut(STRETCH) {
            run.go_on()?;
            stretch.iter_mut().for_each(|x| *x = f(*x, one));
        }
        return Ok(());
    }
    if dense.shape == other.shape {
        for (stretch, met) in dense.data.chunks_mut(STRETCH).zip(other.data.chunks(STRETCH)) {
            run.go_on()?;
            stretch.iter_mut().zip(met).for_each(|(x, y)| *x = f(*x, *y));
        }
        return Ok(());
    }
    let Some((inner, outer)) = dense.shape.split_last() else { return Ok(()) };
    let steps = strides(other.shape, &dense.shape);
    let mut index = vec![0; outer.len()];
    let mut pace = Pace::default();
    for row in dense.data.chunks_exact_mut((*inner).max(1)) {
        pace.after(*inner, run)?;
        let first: usize = index.iter().zip(&steps).map(|(index, step)| index * step).sum();
        let met = other.data.get(first..).unwrap_or_default();
        if steps.last() == Some(&0) {
            if let Some(one) = met.first() {
                row.iter_mut().for_each(|x| *x = f(*x, *one));
            }
        } else {
            row.iter_mut().zip(met).for_each(|(x, y)| *x = f(*x, *y));
        }
        advance(&mut index, outer);
    }
    Ok(())
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
    run: &Run<'_>,
    f: impl Fn(T, T) -> U,
) -> Result<Dense<U>, Fault> {
    let shape = common_shape(a.shape, b.shape)?;
    let mut out = run.room.tensor(&shape, U::blank())?;
    if out.data.is_empty() {
        return Ok(out);
    }
    if a.shape == b.shape {
        let pairs = a.data.chunks(STRETCH).zip(b.data.chunks(STRETCH));
        for (out, (a, b)) in out.data.chunks_mut(STRETCH).zip(pairs) {
            run.go_on()?;
            for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                *out = f(*a, *b);
            }
        }
        return Ok(out);
    }
    let (Some((inner, outer)), rank) = (shape.split_last(), shape.len()) else { return Ok(out) };
    let (left, right) = (strides(a.shape, &shape), strides(b.shape, &shape));
    let mut index = vec![0; rank - 1];
    let mut pace = Pace::default();
    for row in out.data.chunks_exact_mut(*inner) {
        pace.after(*inner, run)?;
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

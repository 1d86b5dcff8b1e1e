//! Spectra of signals.

use crate::kernel::Inputs;
use crate::kernels::nn::plain::{Made, Real, axis_of, misfit};
use crate::kernels::nn::spectrum::{DftSpec, dft, stft};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[since(17, "DFT", transform), since(17, "STFT", frames)];

/// A small input of one whole number.
fn whole(inputs: &Inputs<'_>, at: usize) -> Made<Option<i64>> {
    let Some(value) = inputs.optional(at) else { return Ok(None) };
    match value.whole()?[..] {
        [one] => Ok(Some(one)),
        _ => misfit(format!("its input {at} must be one value")),
    }
}

fn size(value: i64) -> Made<usize> {
    usize::try_from(value).ok().filter(|value| *value > 0).map_or_else(|| misfit(format!("{value} is no length")), Ok)
}

const WHOLE: &[Type] = &[Type::I64, Type::I32];

fn transform(node: &Node<'_>) -> Built {
    let old = node.opset < 20;
    node.arity(1, if old { 2 } else { 3 }, 1)?;
    node.optional(1, WHOLE)?;
    node.optional(2, &[Type::I64])?;
    let (inverse, onesided) = (node.flag("inverse")?, node.flag("onesided")?);
    if inverse && onesided {
        return unsupported("the inverse of half a spectrum is not proved");
    }
    let fixed = if old { Some(node.int("axis")?.unwrap_or(1)) } else { None };
    fn of<T: Element + Real>(fixed: Option<i64>, inverse: bool, onesided: bool) -> Built {
        Plan::new([T::TYPE], move |inputs, run| {
            let x = inputs.view::<T>(0)?;
            let axis = match fixed {
                Some(axis) => axis,
                None => whole(inputs, 2)?.unwrap_or(-2),
            };
            let axis = axis_of(axis, x.rank())?;
            let length = match whole(inputs, 1)? {
                Some(length) => size(length)?,
                None => x.shape[axis],
            };
            Ok(vec![Value::of(dft(run.room, x, DftSpec { axis, length, inverse, onesided })?)])
        })
    }
    match node.ty(0, &[Type::F32, Type::F64])? {
        Type::F64 => of::<f64>(fixed, inverse, onesided),
        _ => of::<f32>(fixed, inverse, onesided),
    }
}

fn frames(node: &Node<'_>) -> Built {
    node.arity(2, 4, 1)?;
    let ty = node.ty(0, &[Type::F32, Type::F64])?;
    node.ty(1, WHOLE)?;
    node.optional(2, &[ty])?;
    node.optional(3, WHOLE)?;
    if !node.has(2) && !node.has(3) {
        return unsupported("it has neither a window nor a length of frames");
    }
    let onesided = node.int("onesided")?.unwrap_or(1) != 0;
    fn of<T: Element + Real>(onesided: bool) -> Built {
        Plan::new([T::TYPE], move |inputs, run| {
            let window = inputs.optional_view::<T>(2)?;
            let step = size(whole(inputs, 1)?.unwrap_or(0))?;
            let length = match whole(inputs, 3)? {
                Some(length) => size(length)?,
                None => window.map_or(0, |window| window.len()),
            };
            Ok(vec![Value::of(stft(run.room, inputs.view(0)?, step, window, length, onesided)?)])
        })
    }
    if ty == Type::F64 { of::<f64>(onesided) } else { of::<f32>(onesided) }
}

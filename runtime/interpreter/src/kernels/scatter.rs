//! Values put to where indices point: ScatterElements, ScatterND.

use std::sync::Arc;

use half::f16;

use crate::kernel::{Inputs, Run};
use crate::kernels::layout::WHOLE;
use crate::kernels::nn::plain::{Made, must};
use crate::kernels::number::{Number, typed};
use crate::kernels::pick::{pointed, tuples};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, between, since};
use crate::unsupported::unsupported;
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    between(9, 10, "Scatter", |node| scatter(node, false)),
    since(11, "ScatterElements", |node| scatter(node, false)),
    since(11, "ScatterND", |node| scatter(node, true)),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meet {
    Replace,
    Add,
    Mul,
    Min,
    Max,
}

fn scatter(node: &Node<'_>, nd: bool) -> Built {
    node.arity(3, 3, 1)?;
    let ty = node.ty(0, Type::ALL)?;
    node.ty(1, if nd { WHOLE } else { &[Type::I32, Type::I64] })?;
    node.ty(2, &[ty])?;
    let axis = if nd { 0 } else { node.int("axis")?.unwrap_or(0) };
    let meet = if node.opset < 16 { None } else { node.text("reduction")? };
    let meet = match meet.as_deref() {
        None | Some("none") => Meet::Replace,
        Some("add") => Meet::Add,
        Some("mul") => Meet::Mul,
        Some("min") if node.opset >= 18 => Meet::Min,
        Some("max") if node.opset >= 18 => Meet::Max,
        Some(other) => return unsupported(format!("the reduction {other:?} is not known")),
    };
    if meet == Meet::Replace {
        return typed!(ty, [F32 f32, F64 f64, F16 f16, BF16 half::bf16, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16,
            U32 u32, U64 u64, Bool bool, Text Arc<str>], T => put::<T>(nd, axis, |_, new| new));
    }
    if ty == Type::Bool {
        return put::<bool>(
            nd,
            axis,
            match meet {
                Meet::Add | Meet::Max => |old, new| old | new,
                _ => |old, new| old & new,
            },
        );
    }
    typed!(ty, [F32 f32, F64 f64, F16 f16, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64], T => {
        put::<T>(nd, axis, match meet {
            Meet::Add => T::plus,
            Meet::Mul => T::times,
            Meet::Min => T::smaller,
            _ => T::larger,
        })
    })
}

fn put<T: Element>(nd: bool, axis: i64, f: fn(T, T) -> T) -> Built {
    Plan::new([T::TYPE], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
        let (indices, index_shape) = (inputs.get(1)?.whole()?, inputs.get(1)?.shape().to_vec());
        let value = inputs.take(0)?;
        run.room.claim(value.bytes())?;
        let new = inputs.view::<T>(2)?;
        let (starts, len) = if nd {
            let (starts, len) = tuples(value.shape(), &index_shape, &indices, 0, run.room)?;
            let depth = index_shape.last().copied().unwrap_or(0);
            let lead = index_shape.len().saturating_sub(1);
            let wanted = [&index_shape[..lead], &value.shape()[depth..]].concat();
            must!(new.shape == wanted, "its updates are {:?}, not {wanted:?}", new.shape);
            (starts, len)
        } else {
            must!(new.shape == index_shape, "its updates are {:?}, its indices {index_shape:?}", new.shape);
            (pointed(value.shape(), &index_shape, &indices, axis)?, 1)
        };
        let mut out = value.into_dense::<T>()?;
        for (place, start) in starts.iter().enumerate() {
            for offset in 0..len {
                let slot = &mut out.data[start + offset];
                *slot = f(slot.clone(), new.data[place * len + offset].clone());
            }
        }
        Made::Ok(vec![Value::of(out)]).map_err(Into::into)
    })
}

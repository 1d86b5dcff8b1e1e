//! Unique: the elements, or the slices along an axis, that differ.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::kernel::{Inputs, Run};
use crate::kernels::nn::plain::{Made, axis_of, count};
use crate::kernels::number::typed;
use crate::kernels::strided::{Walk, gather, steps};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[since(11, "Unique", unique)];

fn unique(node: &Node<'_>) -> Built {
    node.arity(1, 1, 4)?;
    let ty = node.ty(0, &[Type::F32, Type::F64, Type::I8, Type::I64, Type::Text])?;
    let axis = node.int("axis")?;
    let sorted = node.int("sorted")?.unwrap_or(1) != 0;
    typed!(ty, [F32 f32, F64 f64, I8 i8, I64 i64, Text Arc<str>], T => {
        Plan::new([ty, Type::I64, Type::I64, Type::I64], move |inputs: &mut Inputs<'_>, run: &Run<'_>| {
            Ok(found::<T>(inputs.get(0)?, axis, sorted, run)?)
        })
    })
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The slices, where each is first met, which of them each was, and how often it comes.
fn found<T: Element + PartialOrd>(value: &Value, axis: Option<i64>, sorted: bool, run: &Run<'_>) -> Made<Vec<Value>> {
    let at = axis.map(|axis| axis_of(axis, value.rank())).transpose()?;
    // The axis comes to the front, so that each slice lies in one piece.
    let (front, rest) = match at {
        None => (value.clone().reshaped(vec![value.len()])?, Vec::new()),
        Some(at) => {
            let mut walk = Walk { offset: 0, shape: value.shape().to_vec(), strides: steps(value.shape()) };
            let (dim, step) = (walk.shape.remove(at), walk.strides.remove(at));
            let rest = walk.shape.clone();
            walk.shape.insert(0, dim);
            walk.strides.insert(0, step);
            (gather(value, &walk, run.room)?, rest)
        }
    };
    let (many, len) = (front.shape().first().copied().unwrap_or(1), count(&rest)?);
    let data = front.view::<T>()?.data;
    let slice = |index: usize| data.get(index * len..(index + 1) * len).unwrap_or_default();
    // What is no number comes last, and is like nothing else.
    let number = |x: &T| x.partial_cmp(x).is_some();
    let element = |a: &T, b: &T| a.partial_cmp(b).unwrap_or_else(|| number(b).cmp(&number(a)));
    let order = |a: usize, b: usize| {
        let pairs = slice(a).iter().zip(slice(b));
        pairs.map(|(a, b)| element(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    };
    run.room.claim(many.saturating_mul(6 * size_of::<usize>()))?;
    let mut places: Vec<usize> = (0..many).collect();
    places.sort_by(|a, b| order(*a, *b));
    let like = |a: usize, b: usize| order(a, b).is_eq() && slice(a).iter().all(number);
    // Groups of equal slices; the first of each is the first in the input, since the order keeps that.
    let mut groups: Vec<&[usize]> = places.chunk_by(|a, b| like(*a, *b)).collect();
    if !sorted {
        groups.sort_by_key(|group| group.first().copied());
    }
    let mut inverse = vec![0_i64; many];
    let (mut firsts, mut counts) = (Vec::with_capacity(groups.len()), Vec::with_capacity(groups.len()));
    let mut elements = Vec::with_capacity(groups.len().saturating_mul(len));
    for (number, group) in groups.iter().enumerate() {
        let first = group.first().copied().unwrap_or(0);
        elements.extend_from_slice(slice(first));
        firsts.push(whole(first));
        counts.push(whole(group.len()));
        for place in *group {
            if let Some(place) = inverse.get_mut(*place) {
                *place = whole(number);
            }
        }
    }
    let mut shape = vec![groups.len()];
    shape.extend(&rest);
    let made = Value::shared(shape.clone(), T::wrap(Arc::new(elements)))?;
    let made = match at {
        None => made,
        Some(at) => {
            let mut strides = steps(&shape);
            let (dim, step) = (shape.remove(0), strides.remove(0));
            shape.insert(at, dim);
            strides.insert(at, step);
            gather(&made, &Walk { offset: 0, shape, strides }, run.room)?
        }
    };
    let list = |list: Vec<i64>| Value::shared(vec![list.len()], i64::wrap(Arc::new(list)));
    Ok(vec![made, list(firsts)?, list(inverse)?, list(counts)?])
}

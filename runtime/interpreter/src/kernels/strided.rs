//! One way to move elements: walk an input by strides. Transpose, Slice, Split, Expand and Tile are walks.

use std::sync::Arc;

use crate::kernels::nn::plain::{Made, Room, count};
use crate::value::{Element, Value, each};

/// A walk over a dense tensor: where it begins, how far it goes along each axis, and in which steps.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) offset: isize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<isize>,
}

/// Elements between neighbours along each axis.
pub(crate) fn steps(shape: &[usize]) -> Vec<isize> {
    let mut steps = vec![0; shape.len()];
    let mut step = 1_isize;
    for (place, dim) in steps.iter_mut().zip(shape).rev() {
        *place = step;
        step = step.saturating_mul(isize::try_from(*dim).unwrap_or(isize::MAX));
    }
    steps
}

impl Walk {
    /// The walk that visits everything in order.
    pub(crate) fn over(shape: &[usize]) -> Self {
        Self { offset: 0, shape: shape.to_vec(), strides: steps(shape) }
    }
}

/// The elements that a walk visits, as a tensor of the walk's shape. The walk must stay within the input.
pub(crate) fn gather(value: &Value, walk: &Walk, room: Room<'_>) -> Made<Value> {
    fn visited<T: Element>(elements: &Arc<Vec<T>>, walk: &Walk, room: Room<'_>) -> Made<Value> {
        let total = count(&walk.shape)?;
        room.claim(total.saturating_mul(size_of::<T>()))?;
        let mut out = Vec::with_capacity(total);
        if total > 0 {
            visit(elements, walk, &mut out);
        }
        Value::shared(walk.shape.clone(), T::wrap(Arc::new(out)))
    }
    each!(value.data(), elements => visited(elements, walk, room))
}

fn visit<T: Element>(elements: &[T], walk: &Walk, out: &mut Vec<T>) {
    let Some((inner, outer)) = walk.shape.split_last() else {
        out.extend(at(elements, walk.offset).cloned());
        return;
    };
    let (step, rest) = (walk.strides.last().copied().unwrap_or(1), &walk.strides);
    let mut index = vec![0_usize; outer.len()];
    let mut start = walk.offset;
    loop {
        match (step, usize::try_from(start)) {
            (1, Ok(from)) => out.extend_from_slice(elements.get(from..from + inner).unwrap_or_default()),
            (0, Ok(from)) => {
                if let Some(element) = elements.get(from) {
                    out.extend(std::iter::repeat_n(element, *inner).cloned());
                }
            }
            _ => {
                let mut place = start;
                for _ in 0..*inner {
                    out.extend(at(elements, place).cloned());
                    // Behind the last element nothing is read: a step beyond every place may wrap.
                    place = place.wrapping_add(step);
                }
            }
        }
        // The next row, and where it begins.
        let mut axis = outer.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            start = start.wrapping_add(rest[axis]);
            if index[axis] < outer[axis] {
                break;
            }
            start = start.wrapping_sub(rest[axis].wrapping_mul(isize::try_from(outer[axis]).unwrap_or(0)));
            index[axis] = 0;
        }
    }
}

fn at<T>(elements: &[T], place: isize) -> Option<&T> {
    usize::try_from(place).ok().and_then(|place| elements.get(place))
}

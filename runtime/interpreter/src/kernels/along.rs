//! Along one axis: ArgMax and ArgMin, Softmax and LogSoftmax, CumSum, TopK.

use crate::kernels::nn::plain::{Dense, Made, Real, Room, View, axis_of, misfit, must};
use crate::node::{Built, Node, Plan};
use crate::table::{Entry, since, standard};
use crate::value::{Element, Type, Value};

pub(crate) static TABLE: &[Entry] = &[
    standard("ArgMax", |node| arg(node, true)),
    standard("ArgMin", |node| arg(node, false)),
    standard("Softmax", |node| softmax(node, false)),
    standard("LogSoftmax", |node| softmax(node, true)),
    since(11, "CumSum", cum_sum),
    since(11, "TopK", top_k),
];

/// A tensor as lines along an axis: how many lines lie before and behind it, and how long they are.
#[derive(Clone, Copy)]
struct Lines {
    before: usize,
    length: usize,
    behind: usize,
}

impl Lines {
    fn of(shape: &[usize], axis: usize) -> Self {
        let (before, rest) = shape.split_at(axis);
        let (length, behind) = rest.split_first().map_or((1, &[][..]), |(length, behind)| (*length, behind));
        Self { before: before.iter().product(), length, behind: behind.iter().product() }
    }

    /// Calls `f` with where each line begins; its elements are `behind` apart.
    fn each(self, mut f: impl FnMut(usize) -> Made<()>) -> Made<()> {
        for before in 0..self.before {
            for behind in 0..self.behind {
                f(before * self.length * self.behind + behind)?;
            }
        }
        Ok(())
    }

    fn line<T: Copy>(self, data: &[T], start: usize, line: &mut Vec<T>) {
        line.clear();
        line.extend((0..self.length).filter_map(|at| data.get(start + at * self.behind)));
    }
}

fn arg(node: &Node<'_>, largest: bool) -> Built {
    node.arity(1, 1, 1)?;
    let (axis, keep) = (node.int("axis")?.unwrap_or(0), node.int("keepdims")?.unwrap_or(1) != 0);
    let last = node.opset >= 12 && node.flag("select_last_index")?;
    fn plan<T: Element + Copy + PartialOrd>(axis: i64, keep: bool, last: bool, largest: bool) -> Built {
        Plan::new([Type::I64], move |inputs, run| {
            let x = inputs.view::<T>(0)?;
            let axis = axis_of(axis, x.rank())?;
            let lines = Lines::of(x.shape, axis);
            must!(lines.length > 0, "there is nothing along axis {axis}");
            let mut shape = x.shape.to_vec();
            shape[axis] = 1;
            let mut out = run.room.tensor(&shape, 0_i64)?;
            let (mut line, mut outs) = (Vec::new(), out.data.iter_mut());
            lines.each(|start| {
                lines.line(x.data, start, &mut line);
                let mut best = 0;
                for (at, y) in line.iter().enumerate() {
                    #[expect(clippy::eq_op, reason = "only NaN differs from itself")]
                    if *y != *y {
                        return misfit("NaN has no order");
                    }
                    let better = if largest { *y > line[best] } else { *y < line[best] };
                    if better || (last && *y == line[best]) {
                        best = at;
                    }
                }
                if let Some(out) = outs.next() {
                    *out = i64::try_from(best).unwrap_or(i64::MAX);
                }
                Ok(())
            })?;
            if !keep {
                out.shape.remove(axis);
            }
            Ok(vec![Value::of(out)])
        })
    }
    match node.ty(0, &[Type::F32, Type::F64, Type::I32, Type::I8, Type::U8])? {
        Type::F64 => plan::<f64>(axis, keep, last, largest),
        Type::I32 => plan::<i32>(axis, keep, last, largest),
        Type::I8 => plan::<i8>(axis, keep, last, largest),
        Type::U8 => plan::<u8>(axis, keep, last, largest),
        _ => plan::<f32>(axis, keep, last, largest),
    }
}

/// Before version 13 everything from `axis` on is one line; since then the axis alone.
fn softmax(node: &Node<'_>, log: bool) -> Built {
    node.arity(1, 1, 1)?;
    let flat = node.opset < 13;
    let axis = node.int("axis")?.unwrap_or(if flat { 1 } else { -1 });
    fn plan<T: Element + Real>(axis: i64, flat: bool, log: bool) -> Built {
        Plan::new([T::TYPE], move |inputs, _| {
            let mut x = inputs.take(0)?.into_dense::<T>()?;
            if x.data.is_empty() {
                return Ok(vec![Value::of(x)]);
            }
            let rank = x.shape.len();
            let lines = if flat {
                // The axis may be the rank: then each element is a line of its own.
                let signed = i64::try_from(rank).unwrap_or(i64::MAX);
                let at = usize::try_from(if axis < 0 { axis + signed } else { axis }).unwrap_or(usize::MAX);
                must!(at <= rank, "axis {axis} is outside of rank {rank}");
                let (before, behind) = x.shape.split_at(at);
                Lines { before: before.iter().product(), length: behind.iter().product(), behind: 1 }
            } else {
                Lines::of(&x.shape, axis_of(axis, rank)?)
            };
            let mut line = Vec::new();
            lines.each(|start| {
                lines.line(&x.data, start, &mut line);
                share(&mut line, log);
                for (at, y) in line.iter().enumerate() {
                    if let Some(place) = x.data.get_mut(start + at * lines.behind) {
                        *place = *y;
                    }
                }
                Ok(())
            })?;
            Ok(vec![Value::of(x)])
        })
    }
    match node.ty(0, &[Type::F32, Type::F64])? {
        Type::F64 => plan::<f64>(axis, flat, log),
        _ => plan::<f32>(axis, flat, log),
    }
}

fn share<T: Real>(line: &mut [T], log: bool) {
    // NaN anywhere makes the whole line NaN through the sum.
    let most = line.iter().copied().fold(T::neg_infinity(), |most, x| if x > most { x } else { most });
    let sum: f64 = line.iter().map(|x| (*x - most).wide().exp()).sum();
    for x in line {
        *x = T::of(if log { (*x - most).wide() - sum.ln() } else { (*x - most).wide().exp() / sum });
    }
}

fn cum_sum(node: &Node<'_>) -> Built {
    node.arity(2, 2, 1)?;
    node.ty(1, &[Type::I32, Type::I64])?;
    let (exclusive, reverse) = (node.flag("exclusive")?, node.flag("reverse")?);
    fn plan<T: Element + Copy>(exclusive: bool, reverse: bool, zero: T, add: fn(T, T) -> T) -> Built {
        Plan::new([T::TYPE], move |inputs, _| {
            let [axis] = inputs.get(1)?.whole()?[..] else { return Ok(misfit("its axis must be one number")?) };
            let mut x = inputs.take(0)?.into_dense::<T>()?;
            let lines = Lines::of(&x.shape, axis_of(axis, x.shape.len())?);
            lines.each(|start| {
                let mut sum = zero;
                for at in 0..lines.length {
                    let at = if reverse { lines.length - 1 - at } else { at };
                    if let Some(place) = x.data.get_mut(start + at * lines.behind) {
                        let next = add(sum, *place);
                        *place = if exclusive { sum } else { next };
                        sum = next;
                    }
                }
                Ok(())
            })?;
            Ok(vec![Value::of(x)])
        })
    }
    match node.ty(0, &[Type::F32, Type::F64, Type::I32, Type::I64])? {
        Type::F64 => plan::<f64>(exclusive, reverse, 0.0, |a, b| a + b),
        Type::I32 => plan::<i32>(exclusive, reverse, 0, i32::wrapping_add),
        Type::I64 => plan::<i64>(exclusive, reverse, 0, i64::wrapping_add),
        _ => plan::<f32>(exclusive, reverse, 0.0, |a, b| a + b),
    }
}

fn top_k(node: &Node<'_>) -> Built {
    node.arity(2, 2, 2)?;
    node.ty(1, &[Type::I64])?;
    let axis = node.int("axis")?.unwrap_or(-1);
    let largest = node.int("largest")?.unwrap_or(1) != 0;
    if node.int("sorted")?.unwrap_or(1) == 0 {
        return Err("it asks for no order (sorted = 0), so that no order is the right one".to_owned());
    }
    fn plan<T: Element + Copy + PartialOrd>(axis: i64, largest: bool) -> Built {
        Plan::new([T::TYPE, Type::I64], move |inputs, run| {
            let k = inputs.view::<i64>(1)?.one("K")?;
            let x = inputs.view::<T>(0)?;
            let axis = axis_of(axis, x.rank())?;
            let lines = Lines::of(x.shape, axis);
            let k = usize::try_from(k).ok().filter(|k| *k <= lines.length);
            let Some(k) = k else { return Ok(misfit(format!("K is not within the {} there are", lines.length))?) };
            top(x, lines, axis, k, largest, run.room)
                .map(|(values, places)| vec![Value::of(values), Value::of(places)])
                .map_err(Into::into)
        })
    }
    match node.ty(0, &[Type::F32, Type::F64, Type::I32, Type::I64])? {
        Type::F64 => plan::<f64>(axis, largest),
        Type::I32 => plan::<i32>(axis, largest),
        Type::I64 => plan::<i64>(axis, largest),
        _ => plan::<f32>(axis, largest),
    }
}

fn top<T: Element + Copy + PartialOrd>(
    x: View<'_, T>,
    lines: Lines,
    axis: usize,
    k: usize,
    largest: bool,
    room: Room<'_>,
) -> Made<(Dense<T>, Dense<i64>)> {
    let mut shape = x.shape.to_vec();
    shape[axis] = k;
    let (mut values, mut places) = (room.tensor(&shape, T::blank())?, room.tensor(&shape, 0_i64)?);
    let out = Lines { length: k, ..lines };
    let (mut line, mut number) = (Vec::new(), 0);
    lines.each(|start| {
        lines.line(x.data, start, &mut line);
        let mut order: Vec<usize> = (0..line.len()).collect();
        let mut unordered = false;
        // Stable: of equal ones the first stays first.
        order.sort_by(|a, b| {
            let by = if largest { line[*b].partial_cmp(&line[*a]) } else { line[*a].partial_cmp(&line[*b]) };
            by.unwrap_or_else(|| {
                unordered = true;
                std::cmp::Ordering::Equal
            })
        });
        must!(!unordered, "NaN has no order");
        let first = (number / out.behind.max(1)) * k * out.behind + number % out.behind.max(1);
        for (rank, at) in order.into_iter().take(k).enumerate() {
            let place = first + rank * out.behind;
            values.data[place] = line[at];
            places.data[place] = i64::try_from(at).unwrap_or(i64::MAX);
        }
        number += 1;
        Ok(())
    })?;
    Ok((values, places))
}

//! Operators that move values about: `DepthToSpace`, `SpaceToDepth`, `ReverseSequence`.

use super::plain::{Dense, Made, Room, View, advance, count, misfit, must};

/// Copies `x`, seen as `shape`, with its axes in the order `order`; the result gets the shape `made`.
fn permuted<T: Copy + Default>(
    room: Room<'_>,
    x: &[T],
    shape: &[usize],
    order: &[usize],
    made: &[usize],
) -> Made<Dense<T>> {
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at] * shape[at];
    }
    let sizes: Vec<usize> = order.iter().map(|axis| shape[*axis]).collect();
    let steps: Vec<usize> = order.iter().map(|axis| strides[*axis]).collect();
    let mut out = room.tensor(made, T::default())?;
    must!(count(&sizes)? == out.data.len(), "{} values do not fill the shape {made:?}", x.len());
    let mut index = vec![0; sizes.len()];
    for value in &mut out.data {
        *value = x[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()];
        advance(&mut index, &sizes);
    }
    Ok(out)
}

fn image(shape: &[usize], block: usize) -> Made<[usize; 4]> {
    let &[n, c, h, w] = shape else {
        return misfit(format!("the operator wants batch, channels, height and width, not the shape {shape:?}"));
    };
    must!(block > 0, "the block size must be at least 1");
    Ok([n, c, h, w])
}

/// `DepthToSpace`; in mode CRD the channels of a block lie together.
pub(crate) fn depth_to_space<T: Copy + Default>(
    room: Room<'_>,
    x: View<'_, T>,
    block: usize,
    crd: bool,
) -> Made<Dense<T>> {
    let [n, c, h, w] = image(x.shape, block)?;
    let square = count(&[block, block])?;
    must!(c % square == 0, "{c} channels can not be cut into blocks of {block} x {block}");
    let made = [n, c / square, count(&[h, block])?, count(&[w, block])?];
    if crd {
        permuted(room, x.data, &[n, c / square, block, block, h, w], &[0, 1, 4, 2, 5, 3], &made)
    } else {
        permuted(room, x.data, &[n, block, block, c / square, h, w], &[0, 3, 4, 1, 5, 2], &made)
    }
}

/// `SpaceToDepth`.
pub(crate) fn space_to_depth<T: Copy + Default>(room: Room<'_>, x: View<'_, T>, block: usize) -> Made<Dense<T>> {
    let [n, c, h, w] = image(x.shape, block)?;
    must!(h % block == 0 && w % block == 0, "{h} x {w} can not be cut into blocks of {block} x {block}");
    let made = [n, count(&[c, block, block])?, h / block, w / block];
    permuted(room, x.data, &[n, c, h / block, block, w / block, block], &[0, 3, 5, 1, 2, 4], &made)
}

/// `ReverseSequence`: the first `lengths[b]` steps of each batch in reverse. One of the axes is 0, the other 1.
pub(crate) fn reverse_sequence<T: Copy + Default>(
    room: Room<'_>,
    x: View<'_, T>,
    lengths: View<'_, i64>,
    time_first: bool,
) -> Made<Dense<T>> {
    let [first, second, rest @ ..] = x.shape else {
        return misfit(format!("a sequence wants batch and time, not the shape {:?}", x.shape));
    };
    let (times, batches) = if time_first { (*first, *second) } else { (*second, *first) };
    must!(lengths.shape == [batches], "lengths of shape {:?} do not fit {batches} batches", lengths.shape);
    let mut out = room.tensor(x.shape, T::default())?;
    let size = count(rest)?;
    for (batch, length) in lengths.data.iter().enumerate() {
        let length = usize::try_from(*length).ok().filter(|length| *length <= times);
        let Some(length) = length else {
            return misfit(format!("a length is outside of the {times} steps"));
        };
        for time in 0..times {
            let from = if time < length { length - 1 - time } else { time };
            let at = |time: usize| size * if time_first { time * batches + batch } else { batch * times + time };
            out.data[at(time)..][..size].copy_from_slice(&x.data[at(from)..][..size]);
        }
    }
    Ok(out)
}

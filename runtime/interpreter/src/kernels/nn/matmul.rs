//! `MatMul` with broadcast batches, and `Gemm`.

use super::gemm::{Product, transposed};
use super::plain::{Dense, Made, Real, Room, View, count, misfit, must};

/// How the batches of two stacks of matrices meet.
pub(super) struct Batches {
    /// Sizes of the product: rows, depth, columns.
    pub(super) sizes: [usize; 3],
    /// Which matrix of each side makes each matrix of the result.
    pub(super) pairs: Vec<[usize; 2]>,
    pub(super) shape: Vec<usize>,
}

/// Lines two stacks of matrices up as NumPy does: vectors count as one row or one column and lose it in the result.
pub(super) fn batches(room: Room<'_>, a: &[usize], b: &[usize]) -> Made<Batches> {
    must!(!a.is_empty() && !b.is_empty(), "a matrix product wants at least vectors, not the shapes {a:?} and {b:?}");
    let rows = if a.len() == 1 { 1 } else { a[a.len() - 2] };
    let depth = a[a.len() - 1];
    let (below, columns) = if b.len() == 1 { (b[0], 1) } else { (b[b.len() - 2], b[b.len() - 1]) };
    must!(depth == below, "matrices of shapes {a:?} and {b:?} do not fit together");
    let (outer_a, outer_b) = (&a[..a.len().saturating_sub(2)], &b[..b.len().saturating_sub(2)]);
    let rank = outer_a.len().max(outer_b.len());
    let at = |outer: &[usize], axis: usize| (axis + outer.len()).checked_sub(rank).map_or(1, |at| outer[at]);
    let mut shape = Vec::with_capacity(rank + 2);
    for axis in 0..rank {
        shape.push(match (at(outer_a, axis), at(outer_b, axis)) {
            (left, right) if left == right => left,
            (1, size) | (size, 1) => size,
            _ => return misfit(format!("stacks of matrices of shapes {a:?} and {b:?} do not fit together")),
        });
    }
    let stacked = count(&shape)?;
    room.claim(stacked.saturating_mul(2 * size_of::<[usize; 2]>()))?;
    let mut pairs = vec![[0, 0]];
    for (axis, &size) in shape.iter().enumerate() {
        let (left, right) = (at(outer_a, axis), at(outer_b, axis));
        pairs = pairs
            .iter()
            .flat_map(|[l, r]| {
                (0..size).map(move |i| {
                    [l * left + if left == 1 { 0 } else { i }, r * right + if right == 1 { 0 } else { i }]
                })
            })
            .collect();
    }
    if a.len() > 1 {
        shape.push(rows);
    }
    if b.len() > 1 {
        shape.push(columns);
    }
    Ok(Batches { sizes: [rows, depth, columns], pairs, shape })
}

/// `MatMul`.
pub(crate) fn matmul<T: Product>(room: Room<'_>, a: View<'_, T>, b: View<'_, T>) -> Made<Dense<T>> {
    let batches = batches(room, a.shape, b.shape)?;
    let [m, k, n] = batches.sizes;
    let mut out = room.tensor(&batches.shape, T::default())?;
    if out.data.is_empty() {
        return Ok(out);
    }
    // One right side for all: one product of all rows.
    if b.len() == k * n && batches.pairs.len() * m * k == a.len() {
        let rows = batches.pairs.len() * m;
        T::product(room, [rows, k, n], a.data, b.data, &mut out.data)?;
        return Ok(out);
    }
    for ([left, right], out) in batches.pairs.iter().zip(out.data.chunks_exact_mut(m * n)) {
        let (left, right) = (&a.data[left * m * k..][..m * k], &b.data[right * k * n..][..k * n]);
        T::product(room, batches.sizes, left, right, out)?;
    }
    Ok(out)
}

/// The attributes of `Gemm`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GemmSpec {
    pub(crate) alpha: f32,
    pub(crate) beta: f32,
    pub(crate) transpose_a: bool,
    pub(crate) transpose_b: bool,
}

/// `Gemm`: `alpha * A * B + beta * C`, where `C` is stretched to the result.
pub(crate) fn gemm<T: Product + Real>(
    room: Room<'_>,
    a: View<'_, T>,
    b: View<'_, T>,
    c: Option<View<'_, T>>,
    spec: GemmSpec,
) -> Made<Dense<T>> {
    let (&[a0, a1], &[b0, b1]) = (a.shape, b.shape) else {
        return misfit(format!("Gemm wants two matrices, not the shapes {:?} and {:?}", a.shape, b.shape));
    };
    let (m, k) = if spec.transpose_a { (a1, a0) } else { (a0, a1) };
    let (below, n) = if spec.transpose_b { (b1, b0) } else { (b0, b1) };
    must!(k == below, "matrices of shapes {:?} and {:?} do not fit together", a.shape, b.shape);
    let mut out = room.tensor(&[m, n], T::zero())?;
    let turned = |turn: bool, view: View<'_, T>| if turn { room.claim(view.len() * size_of::<T>()) } else { Ok(()) };
    turned(spec.transpose_a, a)?;
    turned(spec.transpose_b, b)?;
    let left = if spec.transpose_a { Some(transposed(a0, a1, a.data)) } else { None };
    let right = if spec.transpose_b { Some(transposed(b0, b1, b.data)) } else { None };
    let (left, right) = (left.as_deref().unwrap_or(a.data), right.as_deref().unwrap_or(b.data));
    T::product(room, [m, k, n], left, right, &mut out.data)?;
    finish(&mut out, c, spec)?;
    Ok(out)
}

/// Scales the product and adds `C`.
pub(crate) fn finish<T: Real>(out: &mut Dense<T>, c: Option<View<'_, T>>, spec: GemmSpec) -> Made<()> {
    let (alpha, beta) = (T::of(f64::from(spec.alpha)), T::of(f64::from(spec.beta)));
    if spec.alpha != 1.0 {
        out.data.iter_mut().for_each(|value| *value = *value * alpha);
    }
    let Some(c) = c.filter(|_| spec.beta != 0.0) else { return Ok(()) };
    let (rows, columns) = (out.shape[0], out.shape[1]);
    let (down, across) = match *c.shape {
        [] => (0, 0),
        [1] | [1, 1] => (0, 0),
        [size] if size == columns => (0, 1),
        [1, size] if size == columns => (0, 1),
        [size, 1] if size == rows => (1, 0),
        [down, across] if down == rows && across == columns => (columns, 1),
        _ => return misfit(format!("C of shape {:?} can not be stretched to {:?}", c.shape, out.shape)),
    };
    for (row, values) in out.data.chunks_exact_mut(columns.max(1)).enumerate() {
        if across == 1 {
            let more = &c.data[row * down..][..columns];
            if spec.beta == 1.0 {
                values.iter_mut().zip(more).for_each(|(value, more)| *value = *value + *more);
            } else {
                values.iter_mut().zip(more).for_each(|(value, more)| *value = *value + beta * *more);
            }
        } else {
            let more = beta * c.data[row * down];
            values.iter_mut().for_each(|value| *value = *value + more);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn stacks_are_stretched_and_vectors_lose_their_axis() {
        let (a, b) = ([1.0_f32, 2.0, 3.0, 4.0], [1.0_f32, 10.0]);
        let a = View { shape: &[2, 1, 2], data: &a };
        let made = matmul(boundless(), a, View { shape: &[2], data: &b }).unwrap();
        assert_eq!((made.shape, made.data), (vec![2, 1], vec![21.0, 43.0]));
    }

    #[test]
    fn depth_zero_gives_zeros() {
        let made = matmul(boundless(), View::<f32> { shape: &[2, 0], data: &[] }, View { shape: &[0, 3], data: &[] });
        assert_eq!(made.unwrap().data, [0.0; 6]);
    }
}

//! Products of quantised matrices: `MatMulInteger` and `QLinearMatMul`, exact on every processor.

use super::gemm::{transposed, whole_product};
use super::matmul::batches;
use super::plain::{Dense, Made, Room, View, must};
use super::quantize::{Small, rounded};

/// A value less its zero point; both have eight bits, so the difference fits.
pub(super) fn centred<Q: Small>(value: Q, zero: i32) -> i16 {
    i16::try_from(value.to_i32() - zero).unwrap_or_default()
}

/// Zero points of the matrices of one side: one for all, or one for each row (column) of each matrix.
fn zeros<Q: Small>(zero: Option<View<'_, Q>>, lines: usize, matrices: usize, side: &str) -> Made<Vec<i32>> {
    let Some(zero) = zero else { return Ok(vec![0]) };
    let fits = zero.len() == 1 || zero.len() == lines || zero.len() == lines * matrices;
    must!(fits, "{} zero points do not fit {side} with {lines} lines", zero.len());
    Ok(zero.data.iter().map(|zero| zero.to_i32()).collect())
}

fn line(list: &[i32], matrix: usize, line: usize, lines: usize) -> i32 {
    match list.len() {
        1 => list[0],
        size if size == lines => list[line],
        _ => list[matrix * lines + line],
    }
}

/// `MatMulInteger`: the exact product in int32 (wrapping at its ends) of values less their zero points.
pub(crate) fn matmul_integer<A: Small, B: Small>(
    room: Room<'_>,
    a: View<'_, A>,
    b: View<'_, B>,
    a_zero: Option<View<'_, A>>,
    b_zero: Option<View<'_, B>>,
) -> Made<Dense<i32>> {
    let batches = batches(room, a.shape, b.shape)?;
    let [m, k, n] = batches.sizes;
    let mut out = room.tensor(&batches.shape, 0_i32)?;
    if out.data.is_empty() || k == 0 {
        return Ok(out);
    }
    let (lefts, rights) = (a.len() / (m * k), b.len() / (k * n));
    let a_zero = zeros(a_zero, m, lefts, "A")?;
    let b_zero = zeros(b_zero, n, rights, "B")?;
    room.claim((m * k).saturating_add(2 * k * n).saturating_mul(size_of::<i16>()))?;
    let mut right_of = None;
    let mut right = Vec::new();
    let mut left = vec![0_i16; m * k];
    for ([at_a, at_b], out) in batches.pairs.iter().zip(out.data.chunks_exact_mut(m * n)) {
        if right_of != Some(*at_b) {
            right_of = Some(*at_b);
            let values = &b.data[at_b * k * n..][..k * n];
            let values = values.iter().enumerate().map(|(i, value)| centred(*value, line(&b_zero, *at_b, i % n, n)));
            right = transposed(k, n, &values.collect::<Vec<_>>());
        }
        for (i, (made, value)) in left.iter_mut().zip(&a.data[at_a * m * k..][..m * k]).enumerate() {
            *made = centred(*value, line(&a_zero, *at_a, i / k, m));
        }
        whole_product(room, k, &left, &right, out)?;
    }
    Ok(out)
}

/// A quantised tensor: values, scale and zero point.
#[derive(Clone, Copy)]
pub(crate) struct Quantised<'a, Q> {
    pub(crate) values: View<'a, Q>,
    pub(crate) scale: View<'a, f32>,
    pub(crate) zero: Option<View<'a, Q>>,
}

impl<Q: Small> Quantised<'_, Q> {
    /// The zero point where there must be one for the whole tensor.
    pub(crate) fn one_zero(&self) -> Made<i32> {
        self.zero.map_or(Ok(0), |zero| zero.one("the zero point").map(Small::to_i32))
    }
}

/// `QLinearMatMul`: the scales of `B` may be one for each column.
#[expect(clippy::cast_precision_loss, reason = "float32 is what the operator computes in")]
pub(crate) fn qlinear_matmul<A: Small, B: Small>(
    room: Room<'_>,
    a: Quantised<'_, A>,
    b: Quantised<'_, B>,
    y_scale: f32,
    y_zero: A,
) -> Made<Dense<A>> {
    let a_scale = a.scale.one("the scale of A")?;
    a.one_zero()?;
    let columns = b.values.shape.last().copied().unwrap_or(1);
    let one = b.scale.len() == 1;
    must!(one || b.scale.len() == columns, "{} scales do not fit B with {columns} columns", b.scale.len());
    let sums = matmul_integer(room, a.values, b.values, a.zero, b.zero)?;
    let mut out = room.tensor(&sums.shape, A::default())?;
    for (at, (made, sum)) in out.data.iter_mut().zip(&sums.data).enumerate() {
        let b_scale = b.scale.data[if one { 0 } else { at % columns }];
        *made = rounded(*sum as f32 * (a_scale * b_scale / y_scale), y_zero.to_i32());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn the_largest_products_are_exact() {
        let (most, shape) = ([255_u8; 4], [2, 2]);
        let full = View { shape: &shape, data: &most };
        let made = matmul_integer(boundless(), full, full, None, None).unwrap();
        assert_eq!(made.data, [130_050; 4]);
        let least = [-128_i8; 4];
        let low = View { shape: &shape, data: &least };
        let made = matmul_integer(boundless(), full, low, None, None).unwrap();
        assert_eq!(made.data, [-65_280; 4]);
    }

    #[test]
    fn zero_points_may_be_one_for_each_column() {
        let (a, b, zeros) = ([1_u8, 2], [3_u8, 4, 5, 6], [3_u8, 4]);
        let a = View { shape: &[1, 2], data: &a };
        let b = View { shape: &[2, 2], data: &b };
        let made = matmul_integer(boundless(), a, b, None, Some(View { shape: &[2], data: &zeros })).unwrap();
        assert_eq!(made.data, [4, 4]);
    }
}

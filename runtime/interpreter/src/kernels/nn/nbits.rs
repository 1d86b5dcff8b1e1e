//! `MatMulNBits`: a matrix of four-bit weights, each block of which has a scale and a zero point.

use super::gemm::Product;
use super::plain::{Dense, Made, Room, View, count, must};

/// Sizes and weights of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<'a> {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) block: usize,
    /// Outputs x blocks x half a block, the lower half of a byte first.
    pub(crate) weights: &'a [u8],
    /// Outputs x blocks.
    pub(crate) scales: &'a [f32],
    /// Outputs x half the blocks, the lower half of a byte first; without, 8.
    pub(crate) zeros: Option<&'a [u8]>,
}

impl Packed<'_> {
    /// The matrix, inputs x outputs.
    pub(crate) fn unpacked(&self, room: Room<'_>) -> Made<Vec<f32>> {
        let Self { inputs, outputs, block, .. } = *self;
        must!(block >= 16 && block.is_power_of_two(), "blocks of {block} weights are not known");
        let blocks = inputs.div_ceil(block);
        let fits = self.weights.len() == count(&[outputs, blocks, block / 2])?
            && self.scales.len() == count(&[outputs, blocks])?
            && self.zeros.is_none_or(|zeros| zeros.len() == outputs * blocks.div_ceil(2));
        must!(fits, "weights of {outputs} x {inputs} in blocks of {block} do not fit the bytes given");
        let mut out = room.fill(count(&[inputs, outputs])?, 0.0_f32)?;
        let half = |byte: u8, at: usize| f32::from(if at.is_multiple_of(2) { byte & 15 } else { byte >> 4 });
        for output in 0..outputs {
            for at in 0..blocks {
                let scale = self.scales[output * blocks + at];
                let zero = self.zeros.map_or(8.0, |zeros| half(zeros[output * blocks.div_ceil(2) + at / 2], at));
                let bytes = &self.weights[(output * blocks + at) * (block / 2)..][..block / 2];
                for within in 0..block.min(inputs - at * block) {
                    let weight = half(bytes[within / 2], within);
                    out[(at * block + within) * outputs + output] = (weight - zero) * scale;
                }
            }
        }
        Ok(out)
    }
}

/// The product of rows with the matrix, and the bias added.
pub(crate) fn matmul(
    room: Room<'_>,
    x: View<'_, f32>,
    weights: &[f32],
    [inputs, outputs]: [usize; 2],
    bias: Option<View<'_, f32>>,
) -> Made<Dense<f32>> {
    must!(
        x.shape.last() == Some(&inputs) && inputs > 0,
        "an input of shape {:?} does not fit {inputs} weights",
        x.shape
    );
    must!(bias.is_none_or(|bias| bias.shape == [outputs]), "the bias does not fit {outputs} outputs");
    let mut shape = x.shape.to_vec();
    if let Some(last) = shape.last_mut() {
        *last = outputs;
    }
    let mut out = room.tensor(&shape, 0.0_f32)?;
    f32::product(room, [x.len() / inputs, inputs, outputs], x.data, weights, &mut out.data)?;
    if let Some(bias) = bias {
        for row in out.data.chunks_exact_mut(outputs.max(1)) {
            row.iter_mut().zip(bias.data).for_each(|(sum, bias)| *sum += bias);
        }
    }
    Ok(out)
}

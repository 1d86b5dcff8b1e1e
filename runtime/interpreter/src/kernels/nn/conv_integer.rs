//! Convolutions of quantised tensors: `ConvInteger` and `QLinearConv`, exact on every processor.

use super::conv::{BLOCK, Plan};
use super::gemm::dot;
use super::integer::{Quantised, centred};
use super::plain::{Dense, Made, Room, View, count, must};
use super::quantize::{Small, rounded};
use super::window::WindowSpec;

/// Convolves values less their zero points; `finish` makes the result from the sum and the number of the channel.
#[expect(clippy::too_many_arguments, reason = "called twice, with the parts of one convolution")]
fn sums<X: Small, W: Small, Y: Copy>(
    room: Room<'_>,
    x: View<'_, X>,
    x_zero: i32,
    w: View<'_, W>,
    w_zero: &[i32],
    plan: &Plan,
    out: &mut [Y],
    finish: impl Fn(i32, usize) -> Y,
) -> Made<()> {
    let (plane, depth) = (plan.output_plane(), plan.depth()?);
    let channels = plan.groups * plan.outputs;
    must!(w_zero.len() == 1 || w_zero.len() == channels, "{} zero points do not fit {channels} channels", w_zero.len());
    let weights = room.fill(w.len(), 0_i16)?;
    let mut weights = weights;
    for (at, (made, value)) in weights.iter_mut().zip(w.data).enumerate() {
        let zero = if w_zero.len() == 1 { w_zero[0] } else { w_zero[at / depth.max(1)] };
        *made = centred(*value, zero);
    }
    let mut rows = room.fill(count(&[BLOCK.min(plane), depth])?, 0_i16)?;
    let group_in = plan.inputs * plan.input_plane();
    for item in 0..plan.batch {
        for group in 0..plan.groups {
            let at = item * plan.groups + group;
            let source = &x.data[at * group_in..][..group_in];
            let weights = &weights[group * plan.outputs * depth..][..plan.outputs * depth];
            let made = &mut out[at * plan.outputs * plane..][..plan.outputs * plane];
            for first in (0..plane).step_by(BLOCK) {
                let count = BLOCK.min(plane - first);
                // The padding is the zero point, so it adds nothing.
                let rows = &mut rows[..count * depth];
                if depth > 0 {
                    plan.unfold(source, first, rows, 0, |value| centred(value, x_zero))?;
                }
                room.work(rows.len())?;
                for channel in 0..plan.outputs {
                    room.work(rows.len() / 4)?;
                    let weights = &weights[channel * depth..][..depth];
                    for row in 0..count {
                        let sum = dot(weights, &rows[row * depth..][..depth]);
                        made[channel * plane + first + row] = finish(sum, group * plan.outputs + channel);
                    }
                }
            }
        }
    }
    Ok(())
}

/// `ConvInteger`.
pub(crate) fn conv_integer<X: Small, W: Small>(
    room: Room<'_>,
    x: View<'_, X>,
    w: View<'_, W>,
    x_zero: Option<View<'_, X>>,
    w_zero: Option<View<'_, W>>,
    groups: usize,
    spec: &WindowSpec,
) -> Made<Dense<i32>> {
    let plan = Plan::new(x.shape, w.shape, None, groups, spec)?;
    let x_zero = x_zero.map_or(Ok(0), |zero| zero.one("the zero point of x").map(Small::to_i32))?;
    let w_zero = w_zero.map_or_else(|| vec![0], |zero| zero.data.iter().map(|zero| zero.to_i32()).collect());
    let mut out = room.tensor(&plan.shape, 0_i32)?;
    sums(room, x, x_zero, w, &w_zero, &plan, &mut out.data, |sum, _| sum)?;
    Ok(out)
}

/// `QLinearConv`: the scales of the weights may be one for each channel.
#[expect(
    clippy::cast_precision_loss,
    clippy::too_many_arguments,
    reason = "float32 is what the operator computes in; its inputs"
)]
pub(crate) fn qlinear_conv<X: Small, W: Small>(
    room: Room<'_>,
    x: Quantised<'_, X>,
    w: Quantised<'_, W>,
    y_scale: f32,
    y_zero: X,
    bias: Option<View<'_, i32>>,
    groups: usize,
    spec: &WindowSpec,
) -> Made<Dense<X>> {
    let plan = Plan::new(x.values.shape, w.values.shape, bias.map(|bias| bias.len()), groups, spec)?;
    let x_scale = x.scale.one("the scale of x")?;
    let x_zero = x.one_zero()?;
    let channels = plan.groups * plan.outputs;
    let scales = w.scale.data;
    must!(scales.len() == 1 || scales.len() == channels, "{} scales do not fit {channels} channels", scales.len());
    let w_zero = w.zero.map_or_else(|| vec![0], |zero| zero.data.iter().map(|zero| zero.to_i32()).collect());
    let mut out = room.tensor(&plan.shape, X::default())?;
    sums(room, x.values, x_zero, w.values, &w_zero, &plan, &mut out.data, |sum, channel| {
        let sum = sum.wrapping_add(bias.map_or(0, |bias| bias.data[channel]));
        let scale = scales[if scales.len() == 1 { 0 } else { channel }];
        rounded(sum as f32 * (x_scale * scale / y_scale), y_zero.to_i32())
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn the_largest_sums_are_exact_and_the_padding_is_the_zero_point() {
        let most = [255_u8; 4];
        let full = View { shape: &[1, 1, 2, 2], data: &most };
        let none = WindowSpec::default();
        let made = conv_integer(boundless(), full, full, None, None, 1, &none).unwrap();
        assert_eq!((made.shape, made.data), (vec![1, 1, 1, 1], vec![260_100]));
        let zero = [255_u8];
        let zero = View { shape: &[], data: &zero };
        let padded = WindowSpec { pads: vec![1; 4], ..WindowSpec::default() };
        let made = conv_integer(boundless(), full, full, Some(zero), None, 1, &padded).unwrap();
        assert_eq!(made.data, [0; 9]);
    }
}

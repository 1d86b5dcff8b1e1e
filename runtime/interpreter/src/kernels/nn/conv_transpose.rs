//! `ConvTranspose` over any number of spatial axes: a matrix product, and its columns added where they belong.

use super::gemm::{Product, transposed};
use super::plain::{Dense, Made, Room, View, advance, count, misfit, must};
use super::window::AutoPad;

/// The attributes; empty lists mean the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct TransposeSpec {
    pub(crate) strides: Vec<usize>,
    pub(crate) dilations: Vec<usize>,
    pub(crate) pads: Vec<usize>,
    pub(crate) output_padding: Vec<usize>,
    /// The spatial sizes of the result, from which the paddings follow.
    pub(crate) output_shape: Vec<usize>,
    pub(crate) auto_pad: AutoPad,
    pub(crate) groups: usize,
}

/// One spatial axis.
struct Axis {
    input: usize,
    output: usize,
    stride: usize,
    dilation: usize,
    kernel: usize,
    /// How much of the front of the full result is cut off (below zero: zeros are put in front).
    head: isize,
}

const MOST: usize = 1 << 24;

fn axes(spec: &TransposeSpec, kernel: &[usize], input: &[usize]) -> Made<Vec<Axis>> {
    let rank = kernel.len();
    must!(rank == input.len(), "a kernel of {rank} axes does not fit an input with {} spatial axes", input.len());
    let lists = [(&spec.strides, rank), (&spec.dilations, rank), (&spec.output_padding, rank), (&spec.pads, rank * 2)];
    for (list, size) in lists {
        must!(
            list.is_empty() || list.len() == size,
            "an attribute with {} values does not fit a kernel of {rank} axes",
            list.len()
        );
    }
    // ONNX Runtime also takes the whole shape.
    let wanted = match spec.output_shape.len() {
        size if size == rank + 2 => &spec.output_shape[2..],
        size if size == rank || size == 0 => &spec.output_shape[..],
        size => return misfit(format!("an output_shape of {size} values does not fit a kernel of {rank} axes")),
    };
    let mut axes = Vec::with_capacity(rank);
    for at in 0..rank {
        let get = |list: &[usize], at: usize, default: usize| list.get(at).copied().unwrap_or(default);
        let (stride, dilation) = (get(&spec.strides, at, 1), get(&spec.dilations, at, 1));
        let (kernel, input, more) = (kernel[at], input[at], get(&spec.output_padding, at, 0));
        let (head, tail) = (get(&spec.pads, at, 0), get(&spec.pads, at + rank, 0));
        let sane = [kernel, stride, dilation].into_iter().all(|size| (1..=MOST).contains(&size));
        must!(
            sane && head <= MOST && tail <= MOST && more <= MOST && input <= MOST,
            "a transposed convolution of kernel {kernel}, stride {stride}, dilation {dilation}, pads {head} and {tail} is beyond what is computed"
        );
        must!(input > 0, "a transposed convolution wants values on every spatial axis");
        let full = (input - 1) * stride + (kernel - 1) * dilation + 1 + more;
        let (output, head) = if let Some(&wanted) = wanted.get(at) {
            must!(wanted <= 1 << 40, "an output of {wanted} elements is beyond what is computed");
            split(full, wanted, spec.auto_pad)
        } else {
            match spec.auto_pad {
                AutoPad::Given => {
                    must!(head + tail < full, "pads of {head} and {tail} leave nothing of {full} elements");
                    (full - head - tail, head)
                }
                AutoPad::Valid => (full, 0),
                AutoPad::SameUpper | AutoPad::SameLower => split(full, full.min(input * stride), spec.auto_pad),
            }
        };
        must!(output > 0, "a transposed convolution of {input} elements leaves nothing");
        axes.push(Axis { input, output, stride, dilation, kernel, head: isize::try_from(head).unwrap_or(isize::MAX) });
    }
    Ok(axes)
}

/// The wanted size, and what is cut off in front to reach it.
fn split(full: usize, wanted: usize, auto_pad: AutoPad) -> (usize, usize) {
    let total = full.saturating_sub(wanted);
    let small = total / 2;
    (wanted, if auto_pad == AutoPad::SameUpper { small } else { total - small })
}

/// `ConvTranspose` of `x` (batch, channels, spatial) with `w` (channels, outputs of a group, kernel).
pub(crate) fn conv_transpose(
    room: Room<'_>,
    x: View<'_, f32>,
    w: View<'_, f32>,
    bias: Option<View<'_, f32>>,
    spec: &TransposeSpec,
) -> Made<Dense<f32>> {
    let ([batch, channels, spatial @ ..], [inputs, outputs, kernel @ ..]) = (x.shape, w.shape) else {
        return misfit(format!(
            "a convolution wants batch and channels, not the shapes {:?} and {:?}",
            x.shape, w.shape
        ));
    };
    let groups = spec.groups;
    let fits = groups > 0 && inputs == channels && channels % groups == 0 && !spatial.is_empty();
    must!(fits, "weights of shape {:?} in {groups} groups do not fit an input of shape {:?}", w.shape, x.shape);
    let all = count(&[groups, *outputs])?;
    must!(bias.is_none_or(|bias| bias.len() == all), "the bias does not fit {all} channels");
    let axes = axes(spec, kernel, spatial)?;
    let mut shape = vec![*batch, all];
    shape.extend(axes.iter().map(|axis| axis.output));
    let mut out = room.tensor(&shape, 0.0_f32)?;
    let (plane_in, plane_out, taps) = (count(spatial)?, count(&shape[2..])?, count(kernel)?);
    let per_group = channels / groups;
    let width = count(&[*outputs, taps])?;
    let mut columns = room.fill(count(&[plane_in, width])?, 0.0_f32)?;
    room.claim(count(&[taps, axes.len(), size_of::<isize>()])?)?;
    room.claim(count(&[per_group, plane_in, size_of::<f32>()])?)?;
    let places = places(&axes, kernel, taps);
    for item in 0..*batch {
        for group in 0..groups {
            let source = (item * groups + group) * per_group * plane_in;
            room.work(plane_out)?;
            let source = transposed(per_group, plane_in, &x.data[source..][..per_group * plane_in]);
            let weights = &w.data[group * per_group * width..][..per_group * width];
            f32::product(room, [plane_in, per_group, width], &source, weights, &mut columns)?;
            let made = &mut out.data[(item * groups + group) * outputs * plane_out..][..outputs * plane_out];
            if let Some(bias) = bias {
                for (channel, values) in made.chunks_exact_mut(plane_out.max(1)).enumerate() {
                    values.fill(bias.data[group * outputs + channel]);
                }
            }
            let mut position = vec![0; axes.len()];
            for row in columns.chunks_exact(width.max(1)) {
                room.work(width)?;
                for tap in 0..taps {
                    let Some(at) = place(&axes, &position, &places[tap * axes.len()..][..axes.len()]) else { continue };
                    for channel in 0..*outputs {
                        made[channel * plane_out + at] += row[channel * taps + tap];
                    }
                }
                advance(&mut position, spatial);
            }
        }
    }
    Ok(out)
}

/// How far each tap lies from the front, cut-off counted: one row of axes a tap.
fn places(axes: &[Axis], kernel: &[usize], taps: usize) -> Vec<isize> {
    let mut tap = vec![0_usize; axes.len()];
    let mut places = Vec::with_capacity(taps * axes.len());
    for _ in 0..taps {
        for (axis, &k) in axes.iter().zip(&tap) {
            places.push((k * axis.dilation).cast_signed() - axis.head);
        }
        advance(&mut tap, kernel);
    }
    debug_assert!(axes.iter().zip(kernel).all(|(axis, kernel)| axis.kernel == *kernel));
    places
}

/// Where a tap of an input position lands; none if it is cut off.
fn place(axes: &[Axis], position: &[usize], tap: &[isize]) -> Option<usize> {
    let mut offset = 0;
    for ((axis, &at), &tap) in axes.iter().zip(position).zip(tap) {
        debug_assert!(at < axis.input);
        let at = (at * axis.stride).checked_add_signed(tap).filter(|at| *at < axis.output)?;
        offset = offset * axis.output + at;
    }
    Some(offset)
}

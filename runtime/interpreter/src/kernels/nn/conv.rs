//! `Conv` in float32: one and two spatial axes by rten's kernel, three by unfolding into matrices.

use rten::BufferPool;
use rten::ops::Padding;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, TensorView};

use super::gemm::{AT_ONCE, Product};
use super::plain::{Dense, Made, Misfit, Room, View, advance, count, misfit, must};
use super::window::{Axis, WindowSpec, resolve};

/// A convolution whose sizes fit together.
pub(super) struct Plan {
    pub(super) batch: usize,
    pub(super) groups: usize,
    /// Channels of input and output in one group.
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) axes: Vec<Axis>,
    pub(super) shape: Vec<usize>,
}

impl Plan {
    pub(super) fn new(x: &[usize], w: &[usize], bias: Option<usize>, groups: usize, spec: &WindowSpec) -> Made<Self> {
        let ([batch, channels, spatial @ ..], [outputs, inputs, kernel @ ..]) = (x, w) else {
            return misfit(format!("a convolution wants batch and channels, not the shapes {x:?} and {w:?}"));
        };
        must!(!spatial.is_empty(), "a convolution wants at least one spatial axis, not the shape {x:?}");
        let fits = groups > 0 && outputs % groups == 0 && inputs.checked_mul(groups) == Some(*channels);
        must!(fits, "weights of shape {w:?} in {groups} groups do not fit an input of shape {x:?}");
        must!(bias.is_none_or(|len| len == *outputs), "a bias of {bias:?} values does not fit {outputs} channels");
        let axes = resolve(spec, kernel, spatial)?;
        let mut shape = vec![*batch, *outputs];
        shape.extend(axes.iter().map(|axis| axis.output));
        Ok(Self { batch: *batch, groups, inputs: *inputs, outputs: outputs / groups, axes, shape })
    }

    /// Elements under one window, over the channels of a group.
    pub(super) fn depth(&self) -> Made<usize> {
        let kernel: Vec<usize> = self.axes.iter().map(|axis| axis.kernel).collect();
        count(&[self.inputs, count(&kernel)?])
    }

    pub(super) fn input_plane(&self) -> usize {
        self.axes.iter().map(|axis| axis.input).product()
    }

    pub(super) fn output_plane(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product()
    }

    /// Writes what the windows from `first` on cover, a row each, with `padding` outside of the input.
    pub(super) fn unfold<T: Copy, U: Copy>(
        &self,
        group: &[T],
        first: usize,
        rows: &mut [U],
        padding: U,
        convert: impl Fn(T) -> U,
    ) -> Made<()> {
        let depth = self.depth()?;
        if depth == 0 {
            return Ok(());
        }
        let outputs: Vec<usize> = self.axes.iter().map(|axis| axis.output).collect();
        let kernel: Vec<usize> = self.axes.iter().map(|axis| axis.kernel).collect();
        let mut window = split(first, &outputs);
        let plane = self.input_plane();
        let taps = count(&kernel)?;
        for row in rows.chunks_exact_mut(depth) {
            let mut tap = vec![0; kernel.len()];
            for at in 0..taps {
                let mut offset = Some(0);
                for ((axis, &o), &k) in self.axes.iter().zip(&window).zip(&tap) {
                    offset = offset.zip(axis.source(o, k)).map(|(offset, at)| offset * axis.input + at);
                }
                for channel in 0..self.inputs {
                    row[channel * taps + at] =
                        offset.map_or(padding, |offset| convert(group[channel * plane + offset]));
                }
                advance(&mut tap, &kernel);
            }
            advance(&mut window, &outputs);
        }
        Ok(())
    }
}

/// The position with that row-major number.
fn split(mut number: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, dim) in index.iter_mut().zip(shape).rev() {
        *at = number % dim.max(&1);
        number /= dim.max(&1);
    }
    index
}

/// Windows that are unfolded at a time: bounds the memory that a convolution takes beside its result.
pub(super) const BLOCK: usize = 1024;

/// `Conv`.
pub(crate) fn conv(
    room: Room<'_>,
    x: View<'_, f32>,
    w: View<'_, f32>,
    bias: Option<View<'_, f32>>,
    groups: usize,
    spec: &WindowSpec,
) -> Made<Dense<f32>> {
    let plan = Plan::new(x.shape, w.shape, bias.map(|bias| bias.len()), groups, spec)?;
    let products = count(&plan.shape)?.saturating_mul(plan.depth()?);
    // What takes long is done in parts, between which the run may end.
    if plan.axes.len() > 2 || products == 0 || x.data.is_empty() || products > AT_ONCE {
        return unfolded(room, x, w, bias, &plan);
    }
    // rten allocates the result itself: ask for the room first.
    room.claim(count(&plan.shape)?.saturating_mul(size_of::<f32>()))?;
    let pads: Vec<usize> =
        plan.axes.iter().map(|axis| axis.head).chain(plan.axes.iter().map(|axis| axis.tail)).collect();
    let strides: Vec<usize> = plan.axes.iter().map(|axis| axis.stride).collect();
    let dilations: Vec<usize> = plan.axes.iter().map(|axis| axis.dilation).collect();
    let tensor = |view: View<'_, f32>| -> Made<()> {
        must!(count(view.shape)? == view.len(), "a tensor of shape {:?} has {} values", view.shape, view.len());
        Ok(())
    };
    tensor(x)?;
    tensor(w)?;
    let made = rten::ops::conv(
        &BufferPool::new(),
        TensorView::from_data(x.shape, x.data),
        TensorView::from_data(w.shape, w.data),
        bias.map(|bias| NdTensorView::from_data([bias.len()], bias.data)),
        Padding::from(pads),
        groups,
        &strides,
        &dilations,
    )
    .map_err(|error| Misfit(format!("the convolution failed: {error}")))?;
    must!(
        made.shape() == plan.shape.as_slice(),
        "the convolution came out as {:?}, not {:?}",
        made.shape(),
        plan.shape
    );
    room.work(products / 16)?;
    Ok(Dense { shape: plan.shape, data: made.into_data() })
}

fn unfolded(
    room: Room<'_>,
    x: View<'_, f32>,
    w: View<'_, f32>,
    bias: Option<View<'_, f32>>,
    plan: &Plan,
) -> Made<Dense<f32>> {
    let mut out = room.tensor(&plan.shape, 0.0_f32)?;
    let (plane, depth) = (plan.output_plane(), plan.depth()?);
    let block = BLOCK.min(plane);
    let mut rows = room.fill(count(&[block, depth])?, 0.0_f32)?;
    let mut part = room.fill(count(&[block, plan.outputs])?, 0.0_f32)?;
    room.claim(count(&[plan.outputs, depth])?.saturating_mul(size_of::<f32>()))?;
    let group_in = plan.inputs * plan.input_plane();
    for item in 0..plan.batch {
        for group in 0..plan.groups {
            let at = item * plan.groups + group;
            let source = &x.data[at * group_in..][..group_in];
            let weights = &w.data[group * plan.outputs * depth..][..plan.outputs * depth];
            room.work(group_in)?;
            let weights = super::gemm::transposed(plan.outputs, depth, weights);
            let made = &mut out.data[at * plan.outputs * plane..][..plan.outputs * plane];
            for first in (0..plane).step_by(BLOCK) {
                let count = BLOCK.min(plane - first);
                let rows = &mut rows[..count * depth];
                plan.unfold(source, first, rows, 0.0, |value| value)?;
                room.work(rows.len())?;
                let part = &mut part[..count * plan.outputs];
                f32::product(room, [count, depth, plan.outputs], rows, &weights, part)?;
                for (row, values) in part.chunks_exact(plan.outputs.max(1)).enumerate() {
                    for (channel, value) in values.iter().enumerate() {
                        let bias = bias.map_or(0.0, |bias| bias.data[group * plan.outputs + channel]);
                        made[channel * plane + first + row] = value + bias;
                    }
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn nothing_to_convolve_is_no_error() {
        let (one, bias) = ([2.0_f32], [3.0_f32]);
        let spec = WindowSpec::default();
        let bias = View { shape: &[1], data: &bias };
        let w = View { shape: &[1, 1, 1, 1], data: &one };
        let made = conv(boundless(), View { shape: &[0, 1, 2, 2], data: &[] }, w, Some(bias), 1, &spec).unwrap();
        assert_eq!(made.shape, [0, 1, 2, 2]);
        // No channels at all: the sum of nothing, and the bias.
        let (x, w) = (View { shape: &[1, 0, 2, 1], data: &[] }, View { shape: &[1, 0, 1, 1], data: &[] });
        let made = conv(boundless(), x, w, Some(bias), 1, &spec).unwrap();
        assert_eq!((made.shape, made.data), (vec![1, 1, 2, 1], vec![3.0; 2]));
    }

    #[test]
    fn groups_that_do_not_fit_are_an_error() {
        let (x, w) = ([1.0_f32; 4], [1.0_f32; 4]);
        let x = View { shape: &[1, 4, 1], data: &x };
        for (shape, groups) in [([4, 1, 1], 0), ([4, 1, 1], 3), ([2, 2, 1], 4), ([4, 1, 1], usize::MAX)] {
            let w = View { shape: &shape, data: &w };
            assert!(conv(boundless(), x, w, None, groups, &WindowSpec::default()).is_err(), "{groups}");
        }
    }

    #[test]
    fn in_parts_it_is_the_same() {
        let x: Vec<f32> = (0..2 * 4 * 5 * 6).map(|at| (at % 7) as f32 - 3.0).collect();
        let w: Vec<f32> = (0..4 * 2 * 3 * 2).map(|at| (at % 5) as f32 - 2.0).collect();
        let bias = [0.5_f32, -1.0, 2.0, 0.0];
        let (x, w) = (View { shape: &[2, 4, 5, 6], data: &x }, View { shape: &[4, 2, 3, 2], data: &w });
        let bias = View { shape: &[4], data: &bias };
        let spec = WindowSpec { strides: vec![2, 1], pads: vec![1, 0, 0, 1], ..WindowSpec::default() };
        let whole = conv(boundless(), x, w, Some(bias), 2, &spec).unwrap();
        let plan = Plan::new(x.shape, w.shape, Some(4), 2, &spec).unwrap();
        assert_eq!(unfolded(boundless(), x, w, Some(bias), &plan).unwrap(), whole);
    }
}

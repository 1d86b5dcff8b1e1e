//! Where windows of convolutions and pools lie: paddings and output sizes, computed here for all of them.

use super::plain::{Made, misfit, must};

/// The attribute `auto_pad`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AutoPad {
    /// Paddings are given.
    #[default]
    Given,
    /// No padding.
    Valid,
    /// As many outputs as inputs over the stride; an odd element goes behind.
    SameUpper,
    /// The same; an odd element goes in front.
    SameLower,
}

/// The attributes of a window over the spatial axes; empty lists mean the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct WindowSpec {
    pub(crate) strides: Vec<usize>,
    pub(crate) dilations: Vec<usize>,
    /// All begins, then all ends.
    pub(crate) pads: Vec<usize>,
    pub(crate) auto_pad: AutoPad,
    /// Windows that begin inside of the input count even where they end outside.
    pub(crate) ceil: bool,
}

/// One spatial axis, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    pub(crate) head: usize,
    pub(crate) tail: usize,
}

impl Axis {
    /// The input position that element `k` of window `o` reads; none in the padding.
    pub(crate) fn source(&self, o: usize, k: usize) -> Option<usize> {
        (o * self.stride + k * self.dilation).checked_sub(self.head).filter(|at| *at < self.input)
    }

    /// The elements of window `o` that lie inside of the input, as a range of `k`.
    pub(crate) fn inside(&self, o: usize) -> std::ops::Range<usize> {
        let start = o * self.stride;
        let first = self.head.saturating_sub(start).div_ceil(self.dilation).min(self.kernel);
        let end = (self.input + self.head).saturating_sub(start).div_ceil(self.dilation).min(self.kernel);
        first..end.max(first)
    }
}

/// The largest padding, kernel, stride or dilation: beyond any real model, and products of two never overflow.
const MOST: usize = 1 << 24;

/// Resolves a window of `kernel` over the spatial sizes `input`.
pub(crate) fn resolve(spec: &WindowSpec, kernel: &[usize], input: &[usize]) -> Made<Vec<Axis>> {
    let rank = kernel.len();
    must!(rank == input.len(), "a kernel of {rank} axes does not fit an input with {} spatial axes", input.len());
    let fits = |list: &[usize], size: usize| list.is_empty() || list.len() == size;
    must!(fits(&spec.strides, rank), "{} strides do not fit a kernel of {rank} axes", spec.strides.len());
    must!(fits(&spec.dilations, rank), "{} dilations do not fit a kernel of {rank} axes", spec.dilations.len());
    must!(fits(&spec.pads, rank * 2), "{} pads do not fit a kernel of {rank} axes", spec.pads.len());
    let mut axes = Vec::with_capacity(rank);
    for (at, (&kernel, &input)) in kernel.iter().zip(input).enumerate() {
        let get = |list: &[usize], at: usize, default: usize| list.get(at).copied().unwrap_or(default);
        let (stride, dilation) = (get(&spec.strides, at, 1), get(&spec.dilations, at, 1));
        let (mut head, mut tail) = (get(&spec.pads, at, 0), get(&spec.pads, at + rank, 0));
        let sane = [kernel, stride, dilation].into_iter().all(|size| (1..=MOST).contains(&size));
        must!(
            sane && head <= MOST && tail <= MOST && input <= 1 << 40,
            "a window of kernel {kernel}, stride {stride}, dilation {dilation}, pads {head} and {tail} is beyond what is computed"
        );
        let span = (kernel - 1) * dilation + 1;
        match spec.auto_pad {
            AutoPad::Given => {}
            AutoPad::Valid => (head, tail) = (0, 0),
            AutoPad::SameUpper | AutoPad::SameLower => {
                let wanted = input.div_ceil(stride);
                let needed = (wanted.max(1) - 1) * stride + span;
                let needed = needed.saturating_sub(input);
                let small = needed / 2;
                let large = needed - small;
                (head, tail) = if spec.auto_pad == AutoPad::SameUpper { (small, large) } else { (large, small) };
            }
        }
        let padded = input + head + tail;
        if padded < span {
            return misfit(format!("a window of {span} does not fit an axis of {padded} elements (padding counted)"));
        }
        let mut output = (padded - span) / stride + 1;
        if spec.ceil {
            output = (padded - span).div_ceil(stride) + 1;
            // The last window must begin inside of the input or its front padding.
            if (output - 1) * stride >= input + head {
                output -= 1;
            }
        }
        axes.push(Axis { input, output, kernel, stride, dilation, head, tail });
    }
    Ok(axes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(spec: &WindowSpec, kernel: usize, input: usize) -> Axis {
        resolve(spec, &[kernel], &[input]).unwrap()[0]
    }

    #[test]
    fn the_odd_element_of_same_goes_where_it_says() {
        let spec = |auto_pad| WindowSpec { auto_pad, ..WindowSpec::default() };
        let (upper, lower) = (one(&spec(AutoPad::SameUpper), 2, 4), one(&spec(AutoPad::SameLower), 2, 4));
        assert_eq!((upper.head, upper.tail, upper.output), (0, 1, 4));
        assert_eq!((lower.head, lower.tail, lower.output), (1, 0, 4));
    }

    #[test]
    fn the_last_window_of_ceil_begins_inside() {
        let spec = WindowSpec { strides: vec![2], ceil: true, pads: vec![0, 1], ..WindowSpec::default() };
        assert_eq!(one(&spec, 1, 4).output, 2);
    }

    #[test]
    fn windows_that_are_none_are_errors() {
        for (stride, dilation, kernel, input) in
            [(0, 1, 1, 4), (1, 0, 1, 4), (1, 1, 0, 4), (1, 1, 5, 4), (1, 1 << 40, 2, 4)]
        {
            let spec = WindowSpec { strides: vec![stride], dilations: vec![dilation], ..WindowSpec::default() };
            assert!(resolve(&spec, &[kernel], &[input]).is_err(), "{stride} {dilation} {kernel}");
        }
    }
}

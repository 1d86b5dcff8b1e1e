//! Pools over windows: the largest, the mean and the Lp norm.

use super::plain::{Dense, Made, Real, Room, View, advance, count, must};
use super::window::{Axis, WindowSpec, resolve};

/// A tensor cut into planes: the spatial axes of one channel of one item.
struct Planes<'a> {
    room: Room<'a>,
    count: usize,
    input: usize,
    axes: Vec<Axis>,
    shape: Vec<usize>,
}

impl<'a> Planes<'a> {
    fn new(room: Room<'a>, shape: &[usize], kernel: &[usize], spec: &WindowSpec) -> Made<Self> {
        let [batch, channels, spatial @ ..] = shape else {
            return Err(super::plain::Misfit(format!("a pool wants batch and channels, not the shape {shape:?}")));
        };
        must!(!spatial.is_empty(), "a pool wants at least one spatial axis, not the shape {shape:?}");
        let axes = resolve(spec, kernel, spatial)?;
        let mut out = vec![*batch, *channels];
        out.extend(axes.iter().map(|axis| axis.output));
        Ok(Self { room, count: count(&[*batch, *channels])?, input: count(spatial)?, axes, shape: out })
    }

    /// Calls `each` with every window: its number, and the offsets inside of its plane that it covers.
    fn windows(&self, mut each: impl FnMut(usize, &[usize], &[usize])) -> Made<()> {
        let outputs: Vec<usize> = self.axes.iter().map(|axis| axis.output).collect();
        let mut strides = vec![1; self.axes.len()];
        for at in (1..self.axes.len()).rev() {
            strides[at - 1] = strides[at] * self.axes[at].input;
        }
        // A window covers at most the plane.
        self.room.claim(self.input.saturating_mul(2 * size_of::<usize>()))?;
        let mut offsets = Vec::new();
        let mut window = vec![0; self.axes.len()];
        for number in 0..count(&outputs)? {
            offsets.clear();
            offsets.push(0);
            for ((axis, &o), &stride) in self.axes.iter().zip(&window).zip(&strides) {
                let inside = axis.inside(o);
                let before = std::mem::take(&mut offsets);
                offsets.reserve(before.len() * inside.len());
                for offset in before {
                    offsets.extend(inside.clone().filter_map(|k| axis.source(o, k)).map(|at| offset + at * stride));
                }
            }
            self.room.work(offsets.len().saturating_mul(self.count.max(1)))?;
            each(number, &window, &offsets);
            advance(&mut window, &outputs);
        }
        Ok(())
    }

    /// Folds every window of every plane.
    fn fold<T: Copy, U: Copy>(
        &self,
        data: &[T],
        out: &mut [U],
        mut fold: impl FnMut(usize, &[usize], &[T], &[usize]) -> U,
    ) -> Made<()> {
        let windows = count(&self.shape[2..])?;
        self.windows(|number, window, offsets| {
            for plane in 0..self.count {
                let values = &data[plane * self.input..][..self.input];
                out[plane * windows + number] = fold(plane, window, values, offsets);
            }
        })
    }
}

/// `MaxPool`: the largest value of each window and, if wanted, where it stands (`column_major` counts the spatial axes
/// from the front).
///
/// As ONNX Runtime: the first of equal values; NaN is passed over unless it comes first.
pub(crate) fn max_pool<T: Copy + PartialOrd>(
    room: Room<'_>,
    x: View<'_, T>,
    kernel: &[usize],
    spec: &WindowSpec,
    lowest: T,
) -> Made<Dense<T>> {
    let planes = Planes::new(room, x.shape, kernel, spec)?;
    let mut out = room.tensor(&planes.shape, lowest)?;
    planes.fold(x.data, &mut out.data, |_, _, values, offsets| {
        let mut rest = offsets.iter().map(|at| values[*at]);
        let first = rest.next().unwrap_or(lowest);
        rest.fold(first, |most, value| if value > most { value } else { most })
    })?;
    Ok(out)
}

/// The second output of `MaxPool`: the position of each largest value in the whole input.
pub(crate) fn max_pool_indices<T: Copy + PartialOrd>(
    room: Room<'_>,
    x: View<'_, T>,
    kernel: &[usize],
    spec: &WindowSpec,
    column_major: bool,
) -> Made<Dense<i64>> {
    let planes = Planes::new(room, x.shape, kernel, spec)?;
    let mut out = room.tensor(&planes.shape, 0_i64)?;
    let input = planes.input;
    let sizes: Vec<usize> = planes.axes.iter().map(|axis| axis.input).collect();
    planes.fold(x.data, &mut out.data, |plane, _, values, offsets| {
        let mut best = offsets.first().copied().unwrap_or(0);
        for &at in offsets {
            if values[at] > values[best] {
                best = at;
            }
        }
        let place = if column_major { from_front(best, &sizes) } else { best };
        i64::try_from(plane * input + place).unwrap_or(i64::MAX)
    })?;
    Ok(out)
}

/// A row-major offset as a column-major one.
fn from_front(mut offset: usize, sizes: &[usize]) -> usize {
    let mut place = 0;
    let mut weight: usize = sizes.iter().product();
    for size in sizes.iter().rev() {
        weight /= size.max(&1);
        place += offset % size.max(&1) * weight;
        offset /= size.max(&1);
    }
    place
}

/// `AveragePool`; with `count_pads` the padding (not what `ceil` adds behind it) counts as zeros.
pub(crate) fn average_pool<T: Real>(
    room: Room<'_>,
    x: View<'_, T>,
    kernel: &[usize],
    spec: &WindowSpec,
    count_pads: bool,
) -> Made<Dense<T>> {
    let planes = Planes::new(room, x.shape, kernel, spec)?;
    let mut out = room.tensor(&planes.shape, T::zero())?;
    planes.fold(x.data, &mut out.data, |_, window, values, offsets| {
        let sum = offsets.iter().fold(T::zero(), |sum, at| sum + values[*at]);
        let parts = if count_pads {
            let inside = planes.axes.iter().zip(window).map(|(axis, &o)| {
                let start = o * axis.stride;
                let room = (axis.head + axis.input + axis.tail).saturating_sub(start);
                room.div_ceil(axis.dilation).min(axis.kernel)
            });
            inside.fold(1, usize::saturating_mul)
        } else {
            offsets.len()
        };
        if offsets.is_empty() { T::zero() } else { sum / T::of_count(parts) }
    })?;
    Ok(out)
}

/// `LpPool`: the p-norm of each window.
pub(crate) fn lp_pool<T: Real>(
    room: Room<'_>,
    x: View<'_, T>,
    kernel: &[usize],
    spec: &WindowSpec,
    p: i32,
) -> Made<Dense<T>> {
    let planes = Planes::new(room, x.shape, kernel, spec)?;
    let mut out = room.tensor(&planes.shape, T::zero())?;
    planes.fold(x.data, &mut out.data, |_, _, values, offsets| norm(offsets.iter().map(|at| values[*at]), p))?;
    Ok(out)
}

fn norm<T: Real>(values: impl Iterator<Item = T>, p: i32) -> T {
    let power = T::of(f64::from(p));
    values.fold(T::zero(), |sum, value| sum + value.abs().powf(power)).powf(T::one() / power)
}

/// A pool over all spatial axes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// `GlobalMaxPool`.
    Max,
    /// `GlobalAveragePool`.
    Average,
    /// `GlobalLpPool`.
    Lp(i32),
}

/// The global pools.
pub(crate) fn global_pool<T: Real>(room: Room<'_>, x: View<'_, T>, kind: Whole) -> Made<Dense<T>> {
    let [batch, channels, spatial @ ..] = x.shape else {
        return Err(super::plain::Misfit(format!("a pool wants batch and channels, not the shape {:?}", x.shape)));
    };
    let size = count(spatial)?;
    must!(size > 0, "a global pool wants values to pool, but the shape is {:?}", x.shape);
    let mut shape = vec![*batch, *channels];
    shape.resize(x.rank(), 1);
    let mut out = room.tensor(&shape, T::zero())?;
    for (value, plane) in out.data.iter_mut().zip(x.data.chunks_exact(size)) {
        *value = match kind {
            Whole::Max => plane.iter().skip(1).fold(plane[0], |most, at| if *at > most { *at } else { most }),
            Whole::Average => plane.iter().fold(T::zero(), |sum, at| sum + *at) / T::of_count(size),
            Whole::Lp(p) => norm(plane.iter().copied(), p),
        };
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn windows_of_more_elements_than_a_number_holds_have_a_mean() {
        let (size, one) = (1 << 24, [1.0_f32]);
        let pads = [vec![size - 1; 3], vec![0; 3]].concat();
        let spec = WindowSpec { pads, ..WindowSpec::default() };
        let x = View { shape: &[1, 1, 1, 1, 1], data: &one };
        let made = average_pool(boundless(), x, &[size; 3], &spec, true).unwrap();
        assert_eq!(made.shape, [1; 5]);
        let made = average_pool(boundless(), x, &[size; 3], &spec, false).unwrap();
        assert_eq!(made.data, [1.0]);
    }

    #[test]
    fn a_largest_value_that_is_not_a_number_wins_only_where_it_comes_first() {
        let x = [f32::NAN, 1.0, 2.0, f32::NAN];
        let made = max_pool(
            boundless(),
            View { shape: &[1, 1, 4], data: &x },
            &[2],
            &WindowSpec { strides: vec![2], ..WindowSpec::default() },
            f32::MIN,
        )
        .unwrap();
        assert!(made.data[0].is_nan());
        assert_eq!(made.data[1], 2.0);
    }
}

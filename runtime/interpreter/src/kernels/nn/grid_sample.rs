//! `GridSample`: values of an image or a volume at positions given between -1 and 1.

use super::plain::{Dense, Made, Room, View, count, misfit, must};
use super::resize::cubic;

/// How values between elements are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// The nearest element, halves to even.
    Nearest,
    /// Weighted by the distance.
    Linear,
    /// Cubic convolution (two axes only).
    Cubic,
}

/// What stands outside of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// Zeros.
    Zeros,
    /// The nearest element of the border.
    Border,
    /// The image, mirrored.
    Reflection,
}

/// The attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GridSpec {
    pub(crate) between: Between,
    pub(crate) beyond: Beyond,
    pub(crate) align_corners: bool,
}

/// One axis of the image.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    low: f32,
    high: f32,
}

impl Axis {
    #[expect(clippy::cast_precision_loss, reason = "float32 is what the operator computes in")]
    fn new(size: usize, align_corners: bool) -> Self {
        let last = size as f32 - 1.0;
        let (low, high) = if align_corners { (0.0, last) } else { (-0.5, last + 0.5) };
        Self { size, low, high }
    }

    #[expect(clippy::cast_precision_loss, reason = "float32 is what the operator computes in")]
    fn position(self, x: f32, spec: GridSpec) -> f32 {
        let size = self.size as f32;
        let mut at = if spec.align_corners { (x + 1.0) / 2.0 * (size - 1.0) } else { ((x + 1.0) * size - 1.0) / 2.0 };
        if spec.between == Between::Nearest {
            at = at.round_ties_even();
        }
        if at < self.low || at > self.high {
            match spec.beyond {
                Beyond::Zeros => {}
                // Each of the four elements is held inside of the image by itself.
                Beyond::Border if spec.between == Between::Cubic => {}
                Beyond::Border => at = at.clamp(0.0, size - 1.0),
                Beyond::Reflection => at = self.mirrored(at),
            }
        }
        at
    }

    fn mirrored(self, at: f32) -> f32 {
        let range = self.high - self.low;
        if range <= 0.0 {
            return self.low;
        }
        let mirrored = |over: f32, from: f32, to: f32, sign: f32| {
            let turns = (over / range).trunc();
            let rest = over - turns * range;
            if turns % 2.0 == 0.0 { from + sign * rest } else { to - sign * rest }
        };
        if at < self.low {
            mirrored(self.low - at, self.low, self.high, 1.0)
        } else if at > self.high {
            mirrored(at - self.high, self.high, self.low, -1.0)
        } else {
            at
        }
    }

    /// The element at a whole position; none where a zero stands.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "held inside of the axis"
    )]
    fn element(self, at: f32, beyond: Beyond) -> Option<usize> {
        let last = self.size as f32 - 1.0;
        match beyond {
            Beyond::Zeros if at < 0.0 || at > last => None,
            Beyond::Zeros => Some(at as usize),
            Beyond::Border => Some(at.clamp(0.0, last) as usize),
            Beyond::Reflection => Some(self.mirrored(at).clamp(0.0, last) as usize),
        }
    }
}

/// The weighted elements of one axis.
fn taps(axis: Axis, x: f32, spec: GridSpec) -> ([(Option<usize>, f32); 4], usize) {
    let at = axis.position(x, spec);
    let tap = |place: f32, weight: f32| (axis.element(place, spec.beyond), weight);
    let none = (None, 0.0);
    match spec.between {
        Between::Nearest => ([tap(at, 1.0), none, none, none], 1),
        Between::Linear => {
            let first = at.floor();
            ([tap(first, first + 1.0 - at), tap(first + 1.0, at - first), none, none], 2)
        }
        Between::Cubic => {
            let first = at.floor();
            let [a, b, c, d] = cubic(at - first, -0.75);
            ([tap(first - 1.0, a), tap(first, b), tap(first + 1.0, c), tap(first + 2.0, d)], 4)
        }
    }
}

/// `GridSample` of `x` (batch, channels, two or three axes) at `grid` (batch, positions, axes from the last to the first).
pub(crate) fn grid_sample(room: Room<'_>, x: View<'_, f32>, grid: View<'_, f32>, spec: GridSpec) -> Made<Dense<f32>> {
    let ([batch, channels, spatial @ ..], [grids, positions @ .., dims]) = (x.shape, grid.shape) else {
        return misfit(format!(
            "GridSample wants an image and a grid, not the shapes {:?} and {:?}",
            x.shape, grid.shape
        ));
    };
    let rank = spatial.len();
    let fits = matches!(rank, 2 | 3) && *dims == rank && positions.len() == rank && batch == grids;
    must!(fits, "a grid of shape {:?} does not fit an image of shape {:?}", grid.shape, x.shape);
    must!(rank == 2 || spec.between != Between::Cubic, "a volume can not be sampled by cubic convolution");
    let small = spatial.iter().all(|size| (1..1 << 24).contains(size));
    must!(small, "an image of shape {:?} can not be sampled", x.shape);
    let axes: Vec<Axis> = spatial.iter().map(|size| Axis::new(*size, spec.align_corners)).collect();
    let mut shape = vec![*batch, *channels];
    shape.extend(positions);
    let mut out = room.tensor(&shape, 0.0_f32)?;
    let (plane, points) = (count(spatial)?, count(positions)?);
    let mut places: Vec<(usize, f32)> = Vec::new();
    for (number, point) in grid.data.chunks_exact(rank).enumerate() {
        must!(point.iter().all(|x| x.is_finite()), "a position of the grid is not a finite number");
        places.clear();
        places.push((0, 1.0));
        for (axis, x) in axes.iter().zip(point.iter().rev()) {
            let (taps, used) = taps(*axis, *x, spec);
            let before = std::mem::take(&mut places);
            for (offset, weight) in before {
                for (at, more) in &taps[..used] {
                    if let Some(at) = at {
                        places.push((offset * axis.size + at, weight * more));
                    }
                }
            }
        }
        let (item, point) = (number / points, number % points);
        for channel in 0..*channels {
            let at = item * channels + channel;
            let values = &x.data[at * plane..][..plane];
            out.data[at * points + point] = places.iter().map(|(at, weight)| values[*at] * weight).sum();
        }
    }
    Ok(out)
}

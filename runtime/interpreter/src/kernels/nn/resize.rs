//! `Resize` and `Upsample`: each axis by itself, coordinates in float32 as ONNX Runtime computes them.

use super::plain::{Dense, Made, Room, View, advance, count, misfit, must};

/// The attribute `coordinate_transformation_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coordinates {
    /// Centres of pixels.
    HalfPixel,
    /// The same, and 0 where one element is left.
    PytorchHalfPixel,
    /// Centres, where the scale does not divide the size evenly both ends are treated alike.
    HalfPixelSymmetric,
    /// Corners.
    Asymmetric,
    /// First on first and last on last.
    AlignCorners,
    /// A half further than [`Self::HalfPixel`], for the nearest element.
    TfHalfPixelForNn,
}

/// Which element is the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nearest {
    /// Halves go down.
    RoundPreferFloor,
    /// Halves go up.
    RoundPreferCeil,
    /// Down.
    Floor,
    /// Up.
    Ceil,
    /// Opset 10 and before: down, but up where the axis shrinks.
    Simple,
}

/// The attribute `mode`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    /// The nearest element.
    Nearest(Nearest),
    /// Between two elements on each axis.
    Linear,
    /// Between four elements on each axis; `a`, and whether elements outside are left out.
    Cubic(f32, bool),
}

/// How one axis is resized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Along {
    pub(crate) size: usize,
    pub(crate) scale: f32,
}

/// How a tensor is resized.
#[derive(Clone, Debug)]
pub(crate) struct ResizeSpec {
    pub(crate) mode: Mode,
    pub(crate) coordinates: Coordinates,
    /// One for each axis.
    pub(crate) axes: Vec<Along>,
}

/// The position in the input that output `x` is taken from.
#[expect(clippy::cast_precision_loss, reason = "float32 is what ONNX Runtime computes coordinates in")]
fn source(mode: Coordinates, x: usize, along: Along, input: usize) -> f32 {
    let (at, size, length, scale) = (x as f32, along.size as f32, input as f32, along.scale);
    let half = (at + 0.5) / scale - 0.5;
    match mode {
        Coordinates::HalfPixel => half,
        Coordinates::PytorchHalfPixel => {
            if along.size > 1 {
                half
            } else {
                0.0
            }
        }
        Coordinates::HalfPixelSymmetric => {
            let adjustment = size / (scale * length);
            length / 2.0 * (1.0 - adjustment) + (at + 0.5) / scale - 0.5
        }
        Coordinates::Asymmetric => at / scale,
        Coordinates::AlignCorners => {
            if along.size == 1 {
                0.0
            } else {
                at * (length - 1.0) / (size - 1.0)
            }
        }
        Coordinates::TfHalfPixelForNn => (at + 0.5) / scale,
    }
}

/// The inputs of one output element along an axis, weighted.
struct Taps {
    at: [usize; 4],
    weight: [f32; 4],
    used: usize,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "positions within an axis, held inside of it"
)]
fn taps(spec: &ResizeSpec, x: usize, along: Along, input: usize) -> Taps {
    let last = input - 1;
    let position = source(spec.coordinates, x, along, input);
    let hold = |at: i64| at.clamp(0, last as i64) as usize;
    let mut taps = Taps { at: [0; 4], weight: [1.0, 0.0, 0.0, 0.0], used: 1 };
    match spec.mode {
        Mode::Nearest(nearest) => {
            let at = match nearest {
                Nearest::RoundPreferFloor => {
                    if position == position.trunc() + 0.5 {
                        position.floor()
                    } else {
                        position.round()
                    }
                }
                Nearest::RoundPreferCeil => position.round(),
                Nearest::Floor => position.floor(),
                Nearest::Ceil => position.ceil(),
                Nearest::Simple => {
                    if along.scale < 1.0 {
                        position.ceil()
                    } else {
                        position.trunc()
                    }
                }
            };
            taps.at[0] = hold(at as i64);
        }
        Mode::Linear => {
            let position = position.clamp(0.0, last as f32);
            let first = (position as usize).min(last);
            let second = (first + 1).min(last);
            let part = position - first as f32;
            taps.at[..2].copy_from_slice(&[first, second]);
            taps.weight[..2].copy_from_slice(&[1.0 - part, part]);
            taps.used = if part == 0.0 { 1 } else { 2 };
        }
        Mode::Cubic(a, exclude) => {
            let first = position.floor();
            let mut weight = cubic(position - first, a);
            let first = (first as i64).saturating_sub(1);
            if exclude {
                for (number, weight) in weight.iter_mut().enumerate() {
                    if !(0..=last as i64).contains(&first.saturating_add(number as i64)) {
                        *weight = 0.0;
                    }
                }
                let sum: f32 = weight.iter().sum();
                weight.iter_mut().for_each(|weight| *weight /= sum);
            }
            for (number, at) in taps.at.iter_mut().enumerate() {
                *at = hold(first.saturating_add(number as i64));
            }
            taps.weight = weight;
            taps.used = 4;
        }
    }
    taps
}

/// The four weights of cubic convolution at `s` behind the second element.
pub(super) fn cubic(s: f32, a: f32) -> [f32; 4] {
    [
        ((a * (s + 1.0) - 5.0 * a) * (s + 1.0) + 8.0 * a) * (s + 1.0) - 4.0 * a,
        ((a + 2.0) * s - (a + 3.0)) * s * s + 1.0,
        ((a + 2.0) * (1.0 - s) - (a + 3.0)) * (1.0 - s) * (1.0 - s) + 1.0,
        ((a * (2.0 - s) - 5.0 * a) * (2.0 - s) + 8.0 * a) * (2.0 - s) - 4.0 * a,
    ]
}

/// All taps of all axes, and the shape of the result.
fn tables(room: Room<'_>, shape: &[usize], spec: &ResizeSpec) -> Made<(Vec<Vec<Taps>>, Vec<usize>)> {
    must!(shape.len() == spec.axes.len(), "{} axes do not fit a tensor of shape {shape:?}", spec.axes.len());
    let made: Vec<usize> = spec.axes.iter().map(|along| along.size).collect();
    if shape.contains(&0) || made.contains(&0) {
        must!(made.contains(&0), "an empty tensor of shape {shape:?} can not be resized to {made:?}");
        return Ok((Vec::new(), made));
    }
    let mut tables = Vec::with_capacity(shape.len());
    for (along, input) in spec.axes.iter().zip(shape) {
        let sane = along.scale > 0.0 && along.scale.is_finite() && *input < 1 << 24 && along.size < 1 << 24;
        must!(sane, "an axis of {input} elements can not be resized to {} by {}", along.size, along.scale);
        room.claim(along.size.saturating_mul(size_of::<Taps>()))?;
        tables.push((0..along.size).map(|x| taps(spec, x, *along, *input)).collect());
    }
    Ok((tables, made))
}

/// Resizes to the nearest elements, of any type.
pub(crate) fn nearest<T: Copy + Default>(room: Room<'_>, x: View<'_, T>, spec: &ResizeSpec) -> Made<Dense<T>> {
    if !matches!(spec.mode, Mode::Nearest(_)) {
        return misfit("only the nearest elements can be taken of this type");
    }
    let (tables, made) = tables(room, x.shape, spec)?;
    let mut out = room.tensor(&made, T::default())?;
    let mut index = vec![0; made.len()];
    for value in &mut out.data {
        let mut at = 0;
        for ((table, i), dim) in tables.iter().zip(&index).zip(x.shape) {
            at = at * dim + table[*i].at[0];
        }
        *value = x.data[at];
        advance(&mut index, &made);
    }
    Ok(out)
}

/// Resizes by any mode.
pub(crate) fn resize(room: Room<'_>, x: View<'_, f32>, spec: &ResizeSpec) -> Made<Dense<f32>> {
    if matches!(spec.mode, Mode::Nearest(_)) {
        return nearest(room, x, spec);
    }
    let (tables, made) = tables(room, x.shape, spec)?;
    if made.contains(&0) {
        return room.tensor(&made, 0.0_f32);
    }
    let mut now = Dense { shape: x.shape.to_vec(), data: room.fill(0, 0.0)? };
    let mut begun = false;
    for (axis, table) in tables.iter().enumerate() {
        let same = table.len() == x.shape[axis]
            && table.iter().enumerate().all(|(i, taps)| taps.used == 1 && taps.at[0] == i && taps.weight[0] == 1.0);
        if same {
            continue;
        }
        let from = if begun { now.view() } else { x };
        let mut shape = from.shape.to_vec();
        shape[axis] = table.len();
        let mut out = room.tensor(&shape, 0.0_f32)?;
        let (input, inner) = (from.shape[axis], count(&shape[axis + 1..])?);
        let blocks = out.data.chunks_exact_mut(table.len() * inner).zip(from.data.chunks_exact(input * inner));
        for (out, values) in blocks {
            for (row, taps) in out.chunks_exact_mut(inner).zip(table) {
                for tap in 0..taps.used {
                    let (weight, values) = (taps.weight[tap], &values[taps.at[tap] * inner..][..inner]);
                    row.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * *value);
                }
            }
        }
        now = out;
        begun = true;
    }
    if !begun {
        now = Dense { shape: made.clone(), data: room.fill(count(&made)?, 0.0)? };
        now.data.copy_from_slice(x.data);
    }
    Ok(now)
}

//! Between real numbers and small integers: `QuantizeLinear`, `DequantizeLinear`, `DynamicQuantizeLinear`.

use half::f16;

use super::plain::{Dense, Made, Room, View, axis_of, count, misfit, must};

/// A small integer that stands for a real number.
pub(crate) trait Small: Copy + Default + Send + Sync + 'static {
    /// The ends of its range.
    const ENDS: (i32, i32);
    fn to_i32(self) -> i32;
    /// The value, held inside of the range.
    fn from_i32(value: i32) -> Self;
}

macro_rules! small {
    ($($kind:ty),+) => { $(
        impl Small for $kind {
            const ENDS: (i32, i32) = (<$kind>::MIN as i32, <$kind>::MAX as i32);
            fn to_i32(self) -> i32 {
                i32::from(self)
            }
            fn from_i32(value: i32) -> Self {
                let (low, high) = Self::ENDS;
                Self::try_from(value.clamp(low, high)).unwrap_or_default()
            }
        }
    )+ };
}
small!(i8, u8, i16, u16);

/// A real number that is quantised.
pub(crate) trait Quotient: Copy {
    /// How often the scale is in it, rounded to its own type.
    fn over(self, scale: Self) -> f32;
}

impl Quotient for f32 {
    fn over(self, scale: Self) -> f32 {
        self / scale
    }
}

impl Quotient for f16 {
    fn over(self, scale: Self) -> f32 {
        Self::from_f32(self.to_f32() / scale.to_f32()).to_f32()
    }
}

/// Which scale belongs to which element.
pub(super) enum Scales {
    One,
    /// Runs of `inner` elements share a scale, `count` of them in turn.
    Axis {
        inner: usize,
        count: usize,
    },
    /// The same with `block` neighbours along the axis sharing one; the scales have `count` of them.
    Block {
        inner: usize,
        axis: usize,
        block: usize,
        count: usize,
    },
}

impl Scales {
    pub(super) fn new(shape: &[usize], scale: &[usize], axis: i64, block: usize) -> Made<Self> {
        if block > 0 {
            let axis = axis_of(axis, shape.len())?;
            let fits =
                scale.len() == shape.len()
                    && shape.iter().zip(scale).enumerate().all(|(at, (dim, scales))| {
                        if at == axis { dim.div_ceil(block) == *scales } else { dim == scales }
                    });
            must!(fits, "scales of shape {scale:?} do not fit blocks of {block} in a tensor of shape {shape:?}");
            let inner = count(&shape[axis + 1..])?;
            return Ok(Self::Block { inner, axis: shape[axis], block, count: scale[axis] });
        }
        match *scale {
            [] | [1] => Ok(Self::One),
            [scales] => {
                let axis = axis_of(axis, shape.len())?;
                must!(shape[axis] == scales, "{scales} scales do not fit axis {axis} of a tensor of shape {shape:?}");
                Ok(Self::Axis { inner: count(&shape[axis + 1..])?, count: scales })
            }
            _ => misfit(format!("scales of shape {scale:?} do not fit a tensor of shape {shape:?}")),
        }
    }

    pub(super) fn at(&self, element: usize) -> usize {
        match *self {
            Self::One => 0,
            Self::Axis { inner, count } => element / inner.max(1) % count.max(1),
            Self::Block { inner, axis, block, count } => {
                let (inner, axis) = (inner.max(1), axis.max(1));
                let (outer, along) = (element / inner / axis, element / inner % axis);
                (outer * count + along / block) * inner + element % inner
            }
        }
    }
}

/// The nearest integer (halves to even) of `value / scale` plus `zero`, held inside of the range.
///
/// NaN becomes the lowest value, as in ONNX Runtime's vector code.
pub(crate) fn quantized<Q: Small>(value: f32, scale: f32, zero: i32) -> Q {
    rounded(value / scale, zero)
}

/// The nearest integer plus `zero`, held inside of the range.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "held inside of a 16-bit range")]
pub(crate) fn rounded<Q: Small>(value: f32, zero: i32) -> Q {
    let (low, high) = Q::ENDS;
    let (low, high) = ((low - zero) as f32, (high - zero) as f32);
    let value = if value > low { value.min(high) } else { low };
    Q::from_i32(value.round_ties_even() as i32 + zero)
}

/// `QuantizeLinear`.
pub(crate) fn quantize<Q: Small, T: Quotient>(
    room: Room<'_>,
    x: View<'_, T>,
    scale: View<'_, T>,
    zero: Option<View<'_, Q>>,
    axis: i64,
    block: usize,
) -> Made<Dense<Q>> {
    must!(zero.is_none_or(|zero| zero.len() == scale.len()), "zero points do not fit the scales");
    let scales = Scales::new(x.shape, scale.shape, axis, block)?;
    let mut out = room.tensor(x.shape, Q::default())?;
    for (at, (made, value)) in out.data.iter_mut().zip(x.data).enumerate() {
        let at = scales.at(at);
        *made = rounded(value.over(scale.data[at]), zero.map_or(0, |zero| zero.data[at].to_i32()));
    }
    Ok(out)
}

/// `DequantizeLinear`.
#[expect(clippy::cast_precision_loss, reason = "float32 is what the operator gives")]
pub(crate) fn dequantize<Q: Copy + Into<i32>>(
    room: Room<'_>,
    x: View<'_, Q>,
    scale: View<'_, f32>,
    zero: Option<View<'_, Q>>,
    axis: i64,
    block: usize,
) -> Made<Dense<f32>> {
    must!(zero.is_none_or(|zero| zero.len() == scale.len()), "zero points do not fit the scales");
    let scales = Scales::new(x.shape, scale.shape, axis, block)?;
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    for (at, (made, value)) in out.data.iter_mut().zip(x.data).enumerate() {
        let at = scales.at(at);
        let zero: i32 = zero.map_or(0, |zero| zero.data[at].into());
        let value: i32 = (*value).into();
        *made = value.wrapping_sub(zero) as f32 * scale.data[at];
    }
    Ok(out)
}

/// The scale and zero point for values that range from `low` to `high`, as `DynamicQuantizeLinear` chooses them.
pub(crate) fn chosen_u8(values: &[f32]) -> (f32, u8) {
    let low = values.iter().fold(0.0_f32, |low, value| if *value < low { *value } else { low });
    let high = values.iter().fold(0.0_f32, |high, value| if *value > high { *value } else { high });
    let scale = if low == high { 1.0 } else { (high - low) / 255.0 };
    (scale, rounded::<u8>(0.0 - low / scale, 0))
}

/// The three outputs of `DynamicQuantizeLinear`.
pub(crate) fn dynamic(room: Room<'_>, x: View<'_, f32>) -> Made<(Dense<u8>, f32, u8)> {
    let (scale, zero) = chosen_u8(x.data);
    let mut out = room.tensor(x.shape, 0_u8)?;
    for (made, value) in out.data.iter_mut().zip(x.data) {
        *made = quantized(*value, scale, i32::from(zero));
    }
    Ok((out, scale, zero))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn halves_go_to_the_even_neighbour_and_the_ends_hold() {
        let x = [0.5, 1.5, 2.5, 3.5, -0.5, 300.0, -300.0, f32::NAN, f32::INFINITY];
        let (x, one) = (View { shape: &[9], data: &x }, [1.0_f32]);
        let scale = View { shape: &[], data: &one };
        let made = quantize::<u8, f32>(boundless(), x, scale, None, 1, 0).unwrap();
        assert_eq!(made.data, [0, 2, 2, 4, 0, 255, 0, 0, 255]);
    }

    #[test]
    fn a_dynamic_scale_always_covers_zero() {
        let x = [2.0_f32, 4.0];
        let (made, scale, zero) = dynamic(boundless(), View { shape: &[2], data: &x }).unwrap();
        assert_eq!((scale, zero), (4.0 / 255.0, 0));
        assert_eq!(made.data, [127, 255]);
    }
}

//! Normalisation of the last axes: `LayerNormalization`, `RMSNormalization` and ONNX Runtime's relatives of them.

use super::plain::{Dense, Made, Real, Room, View, axis_of, count, must};

/// What a layer normalisation gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer<T> {
    pub(crate) y: Dense<T>,
    pub(crate) mean: Dense<f32>,
    /// One over the standard deviation (or the root of the mean square).
    pub(crate) inverse: Dense<f32>,
}

/// The attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerSpec {
    pub(crate) axis: i64,
    pub(crate) epsilon: f32,
    /// Without a mean: the root of the mean square only.
    pub(crate) simple: bool,
}

/// How an operand that is stretched to the normalised axes is read: by element.
struct Stretched<'a, T> {
    data: &'a [T],
    places: Option<Vec<usize>>,
}

impl<'a, T: Real> Stretched<'a, T> {
    /// `whole` is the full shape, the last `inner` values of which are normalised together.
    fn new(operand: View<'a, T>, whole: &[usize], axis: usize) -> Made<Self> {
        let inner = &whole[axis..];
        if operand.shape == inner
            || (operand.len() == count(inner)?
                && operand.shape.iter().filter(|d| **d != 1).eq(inner.iter().filter(|d| **d != 1)))
        {
            return Ok(Self { data: operand.data, places: None });
        }
        let fits = operand.rank() <= whole.len()
            && operand.shape.iter().rev().zip(whole.iter().rev()).all(|(dim, whole)| dim == whole || *dim == 1);
        must!(fits, "a scale of shape {:?} can not be stretched to {whole:?}", operand.shape);
        let mut places = Vec::with_capacity(count(whole)?);
        let mut index = vec![0; whole.len()];
        for _ in 0..count(whole)? {
            let skip = whole.len() - operand.rank();
            let place = operand
                .shape
                .iter()
                .zip(&index[skip..])
                .fold(0, |at, (dim, i)| at * dim + if *dim == 1 { 0 } else { *i });
            places.push(place);
            super::plain::advance(&mut index, whole);
        }
        Ok(Self { data: operand.data, places: Some(places) })
    }

    fn at(&self, row: usize, column: usize, width: usize) -> T {
        match &self.places {
            None => self.data[column],
            Some(places) => self.data[places[row * width + column]],
        }
    }
}

/// `LayerNormalization` (or its simple form) from `axis` on.
pub(crate) fn layer<T: Real>(
    room: Room<'_>,
    x: View<'_, T>,
    scale: View<'_, T>,
    bias: Option<View<'_, T>>,
    spec: LayerSpec,
) -> Made<Layer<T>> {
    let axis = axis_of(spec.axis, x.rank())?;
    let (rows, width) = (count(&x.shape[..axis])?, count(&x.shape[axis..])?);
    must!(width > 0, "a normalisation wants values, but the shape is {:?}", x.shape);
    let mut kept = x.shape[..axis].to_vec();
    kept.resize(x.rank(), 1);
    room.claim(x.len().saturating_mul(2 * size_of::<usize>()))?;
    let scale = Stretched::new(scale, x.shape, axis)?;
    let bias = bias.map(|bias| Stretched::new(bias, x.shape, axis)).transpose()?;
    let mut made = Layer {
        y: room.tensor(x.shape, T::zero())?,
        mean: room.tensor(&kept, 0.0_f32)?,
        inverse: room.tensor(&kept, 0.0_f32)?,
    };
    for row in 0..rows {
        let values = &x.data[row * width..][..width];
        let size = T::of_count(width);
        let mean = if spec.simple { T::zero() } else { values.iter().copied().sum::<T>() / size };
        let squares: T = values.iter().map(|value| (*value - mean) * (*value - mean)).sum();
        let inverse = T::one() / (squares / size + T::of(f64::from(spec.epsilon))).sqrt();
        made.mean.data[row] = f32::of(mean.wide());
        made.inverse.data[row] = f32::of(inverse.wide());
        for (column, (made, value)) in made.y.data[row * width..][..width].iter_mut().zip(values).enumerate() {
            let shift = bias.as_ref().map_or(T::zero(), |bias| bias.at(row, column, width));
            let value = (*value - mean) * inverse * scale.at(row, column, width);
            *made = if bias.is_some() { value + shift } else { value };
        }
    }
    Ok(made)
}

/// The sum that ONNX Runtime's `Skip...` operators normalise: input, skip and bias, the latter two stretched.
pub(crate) fn skipped(
    room: Room<'_>,
    x: View<'_, f32>,
    skip: View<'_, f32>,
    bias: Option<View<'_, f32>>,
) -> Made<Dense<f32>> {
    let width = x.shape.last().copied().unwrap_or(1);
    must!(matches!(x.rank(), 2 | 3), "the input must have two or three axes, not the shape {:?}", x.shape);
    let tail = skip.rank() <= x.rank() && skip.shape.iter().rev().zip(x.shape.iter().rev()).all(|(a, b)| a == b);
    let one_batch = skip.rank() == 3 && x.rank() == 3 && skip.shape[0] == 1 && skip.shape[1..] == x.shape[1..];
    must!(
        (tail || one_batch) && skip.rank() >= 2,
        "a skip of shape {:?} does not fit an input of shape {:?}",
        skip.shape,
        x.shape
    );
    must!(bias.is_none_or(|bias| bias.shape == [width]), "the bias does not fit {width} values");
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    for (at, (made, value)) in out.data.iter_mut().zip(x.data).enumerate() {
        *made = *value + skip.data[at % skip.len().max(1)] + bias.map_or(0.0, |bias| bias.data[at % width.max(1)]);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::nn::plain::boundless;

    #[test]
    fn all_outputs_are_given() {
        let (x, scale, bias) = ([1.0_f32, 3.0, 5.0, 5.0], [2.0_f32, 1.0], [0.0_f32, 1.0]);
        let x = View { shape: &[2, 2], data: &x };
        let (scale, bias) = (View { shape: &[2], data: &scale }, View { shape: &[2], data: &bias });
        let spec = LayerSpec { axis: -1, epsilon: 0.0, simple: false };
        let made = layer(boundless(), x, scale, Some(bias), spec).unwrap();
        assert_eq!((made.mean.shape, made.mean.data), (vec![2, 1], vec![2.0, 5.0]));
        assert_eq!(made.inverse.data, [1.0, f32::INFINITY]);
        assert_eq!(made.y.data[..2], [-2.0, 2.0]);
    }
}

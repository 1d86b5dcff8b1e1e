//! `ndarray` for pre- and post-processing.

use ndarray::{Array, ArrayD, ArrayView, Axis, Dimension, IxDyn};
use trackside_codes::{Class, Reason};
use trackside_spec::{ElementType, Tensor};

use super::TensorIoError;

/// A Rust type that is the element of a tensor.
pub trait Element: Copy + 'static {
    /// The element type that it stands for.
    const TYPE: ElementType;
    /// From the little-endian bytes of one element.
    fn read(bytes: &[u8]) -> Option<Self>;
    /// Appends its little-endian bytes.
    fn write(self, to: &mut Vec<u8>);
}

macro_rules! element {
    ($($type:ty => $element:ident),+ $(,)?) => {$(
        impl Element for $type {
            const TYPE: ElementType = ElementType::$element;

            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(<$type>::from_le_bytes)
            }

            fn write(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
        }
    )+};
}

element! {
    u8 => Uint8, i8 => Int8, u16 => Uint16, i16 => Int16, u32 => Uint32, i32 => Int32, u64 => Uint64, i64 => Int64,
    half::f16 => Float16, half::bf16 => Bfloat16, f32 => Float32, f64 => Float64,
}

impl Element for bool {
    const TYPE: ElementType = ElementType::Boolean;

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first().map(|byte| *byte != 0)
    }

    fn write(self, to: &mut Vec<u8>) {
        to.push(u8::from(self));
    }
}

/// A copy of `tensor` as an array.
///
/// # Errors
/// When its element type is not `T`.
pub fn to_ndarray<T: Element>(tensor: &Tensor) -> Result<ArrayD<T>, TensorIoError> {
    if tensor.element() != T::TYPE {
        let (want, have) = (T::TYPE.name(), tensor.element().name());
        return Err(TensorIoError::Array(format!("a {want} tensor is needed, not a {have} tensor").into()));
    }
    let size = T::TYPE.size().unwrap_or(1);
    let values: Vec<T> = tensor.data().chunks_exact(size).filter_map(T::read).collect();
    let shape: Vec<usize> = tensor.shape().iter().map(|dim| *dim as usize).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|error| TensorIoError::Array(Reason::by(Class::Bug, error)))
}

/// A copy of a float32 tensor as an array.
///
/// # Errors
/// When it is of another type.
pub fn to_ndarray_f32(tensor: &Tensor) -> Result<ArrayD<f32>, TensorIoError> {
    to_ndarray(tensor)
}

/// A copy of `array`, whatever its memory layout, as a tensor.
///
/// # Errors
/// When a dimension is over 2^32.
pub fn from_ndarray<T: Element, D: Dimension>(array: &ArrayView<'_, T, D>) -> Result<Tensor, TensorIoError> {
    let shape = array.shape().iter().map(|dim| u32::try_from(*dim)).collect::<Result<Vec<_>, _>>();
    let shape =
        shape.map_err(|_| TensorIoError::Array(format!("the shape {:?} is too large", array.shape()).into()))?;
    let mut data = Vec::with_capacity(array.len() * T::TYPE.size().unwrap_or(1));
    array.iter().for_each(|value| value.write(&mut data));
    Ok(Tensor::from_bytes(T::TYPE, shape, data)?)
}

/// The elements as `f64`, booleans as 0 and 1; `None` for text. Whole numbers beyond 2^53 are rounded.
#[must_use]
pub fn to_f64(tensor: &Tensor) -> Option<Vec<f64>> {
    fn all<T: Element>(tensor: &Tensor, convert: impl Fn(T) -> f64) -> Vec<f64> {
        tensor.data().chunks_exact(T::TYPE.size().unwrap_or(1)).filter_map(T::read).map(convert).collect()
    }
    Some(match tensor.element() {
        ElementType::Boolean => all(tensor, |value: bool| f64::from(u8::from(value))),
        ElementType::Uint8 => all(tensor, |value: u8| value.into()),
        ElementType::Int8 => all(tensor, |value: i8| value.into()),
        ElementType::Uint16 => all(tensor, |value: u16| value.into()),
        ElementType::Int16 => all(tensor, |value: i16| value.into()),
        ElementType::Uint32 => all(tensor, |value: u32| value.into()),
        ElementType::Int32 => all(tensor, |value: i32| value.into()),
        ElementType::Uint64 => all(tensor, |value: u64| value as f64),
        ElementType::Int64 => all(tensor, |value: i64| value as f64),
        ElementType::Float16 => all(tensor, half::f16::to_f64),
        ElementType::Bfloat16 => all(tensor, half::bf16::to_f64),
        ElementType::Float32 => all(tensor, |value: f32| value.into()),
        ElementType::Float64 => all(tensor, |value: f64| value),
        ElementType::Text => return None,
    })
}

/// `exp(x - max) / sum(exp(x - max))` along `axis`. A lane of nothing but minus infinity gives NaN, as the formula does.
///
/// # Errors
/// When there is no such axis.
pub fn softmax<D: Dimension + ndarray::RemoveAxis>(
    logits: &ArrayView<'_, f32, D>,
    axis: usize,
) -> Result<Array<f32, D>, TensorIoError> {
    let mut scores = logits.to_owned();
    check_axis(scores.ndim(), axis)?;
    for mut lane in scores.lanes_mut(Axis(axis)) {
        let most = lane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        lane.mapv_inplace(|value| (value - most).exp());
        let sum: f32 = lane.sum();
        lane.mapv_inplace(|value| value / sum);
    }
    Ok(scores)
}

/// The index of the largest value along `axis`; the first of equals; NaN is never the largest.
///
/// # Errors
/// When there is no such axis, or it is empty.
pub fn argmax<D: Dimension + ndarray::RemoveAxis>(
    values: &ArrayView<'_, f32, D>,
    axis: usize,
) -> Result<Array<i64, D::Smaller>, TensorIoError> {
    check_axis(values.ndim(), axis)?;
    if values.len_of(Axis(axis)) == 0 {
        return Err(TensorIoError::Array(format!("axis {axis} is empty: nothing in it is the largest").into()));
    }
    Ok(values.map_axis(Axis(axis), |lane| {
        let best = lane.iter().enumerate().fold((0usize, f32::NEG_INFINITY), |best, (index, value)| {
            if *value > best.1 { (index, *value) } else { best }
        });
        i64::try_from(best.0).unwrap_or(i64::MAX)
    }))
}

fn check_axis(rank: usize, axis: usize) -> Result<(), TensorIoError> {
    if axis < rank {
        return Ok(());
    }
    Err(TensorIoError::Array(format!("there is no axis {axis}: the array has {rank} dimensions").into()))
}

/// The `k` largest values with their indices, largest first; the lower index first among equals; NaN comes last.
#[must_use]
pub fn top_k(values: &[f32], k: usize) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = values.iter().copied().enumerate().collect();
    let key = |value: f32| if value.is_nan() { f32::NEG_INFINITY } else { value };
    ranked.sort_by(|a, b| key(b.1).total_cmp(&key(a.1)).then(a.1.is_nan().cmp(&b.1.is_nan())).then(a.0.cmp(&b.0)));
    ranked.truncate(k);
    ranked
}

#[cfg(test)]
mod tests {
    use ndarray::{arr2, array};

    use super::*;

    #[test]
    fn arrays_come_back_as_they_went_also_transposed() {
        let array = arr2(&[[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let tensor = from_ndarray(&array.t()).unwrap();
        assert_eq!(tensor.shape(), [3, 2]);
        assert_eq!(tensor.to_f32().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(to_ndarray_f32(&tensor).unwrap(), array.t().to_owned().into_dyn());
        assert!(to_ndarray::<i64>(&tensor).unwrap_err().to_string().contains("int64"));
        assert_eq!(to_f64(&tensor).unwrap()[1], 4.0);
    }

    #[test]
    fn softmax_sums_to_one_and_does_not_overflow() {
        let scores = softmax(&arr2(&[[1000.0f32, 1000.0], [0.0, 3.0f32.ln()]]).view(), 1).unwrap();
        assert_eq!(scores.row(0).to_vec(), [0.5, 0.5]);
        assert!((scores[[1, 1]] - 0.75).abs() < 1e-6);
        assert!(softmax(&scores.view(), 2).is_err());
    }

    #[test]
    fn the_largest_are_found_and_nan_never_is() {
        let values = arr2(&[[0.1f32, 0.7, 0.7], [f32::NAN, -2.0, -1.0]]);
        assert_eq!(argmax(&values.view(), 1).unwrap(), array![1i64, 2]);
        assert!(argmax(&arr2::<f32, 0>(&[[], []]).view(), 1).is_err());
        assert_eq!(top_k(&[0.2, f32::NAN, 0.9, 0.2], 3), [(2, 0.9), (0, 0.2), (3, 0.2)]);
        assert_eq!(top_k(&[], 3), []);
    }
}

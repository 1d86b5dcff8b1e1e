//! What every kernel of this room stands on: a dense tensor by its shape and values, and room that is asked for before
//! it is taken.

use num_traits::{Float, FromPrimitive};

/// Why something can not be computed or held: what is given does not fit together, or it would be too large.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(pub(crate) String);

impl Misfit {
    /// The same, with the call that it was.
    pub(crate) fn at(self, call: &str) -> Self {
        Self(format!("{call}: {}", self.0))
    }
}

impl From<String> for Misfit {
    fn from(words: String) -> Self {
        Self(words)
    }
}

impl From<&str> for Misfit {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

/// The result of a kernel.
pub(crate) type Made<T> = Result<T, Misfit>;

/// A [`Misfit`] in words.
pub(crate) fn misfit<T>(words: impl Into<String>) -> Made<T> {
    Err(Misfit(words.into()))
}

/// Ends the kernel with the words unless the condition holds.
macro_rules! must {
    ($holds:expr, $($words:tt)+) => {
        // Not `if !`: a condition that a NaN fails must fail here too.
        match $holds {
            true => {}
            false => return Err($crate::kernels::nn::plain::Misfit(format!($($words)+)).into()),
        }
    };
}
pub(crate) use must;

/// A dense tensor in row-major order that is only read.
#[derive(Debug)]
pub(crate) struct View<'a, T> {
    pub(crate) shape: &'a [usize],
    pub(crate) data: &'a [T],
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'a, T> View<'a, T> {
    pub(crate) fn rank(&self) -> usize {
        self.shape.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// The one value of a scalar or of a tensor with one element.
    pub(crate) fn one(&self, what: &str) -> Made<T>
    where
        T: Copy,
    {
        match self.data {
            [value] => Ok(*value),
            _ => misfit(format!("{what} must be one value, but its shape is {:?}", self.shape)),
        }
    }
}

/// A dense tensor in row-major order that a kernel made.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dense<T> {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<T>,
}

impl<T> Dense<T> {
    pub(crate) fn view(&self) -> View<'_, T> {
        View { shape: &self.shape, data: &self.data }
    }
}

/// What a run may still take: bytes, asked before any are taken, since shapes come from outside; and time.
#[derive(Clone, Copy)]
pub(crate) struct Room<'a> {
    claim: &'a dyn Fn(usize) -> Made<()>,
    work: &'a dyn Fn(usize) -> Made<()>,
}

impl<'a> Room<'a> {
    pub(crate) fn new(claim: &'a dyn Fn(usize) -> Made<()>, work: &'a dyn Fn(usize) -> Made<()>) -> Self {
        Self { claim, work }
    }

    /// Counts work that a kernel has done or is about to do, and ends it when the run is to end. One unit is about what
    /// copying a byte takes. Kernels ask wherever the work can be more than what they read and write.
    pub(crate) fn work(&self, amount: usize) -> Made<()> {
        (self.work)(amount)
    }

    /// Asks for that many bytes, which a library will take itself.
    pub(crate) fn claim(&self, bytes: usize) -> Made<()> {
        (self.claim)(bytes)
    }

    /// Room for `count` values, all `value`.
    pub(crate) fn fill<T: Clone>(&self, count: usize, value: T) -> Made<Vec<T>> {
        let Some(bytes) = count.checked_mul(size_of::<T>()) else {
            return misfit("the result has more elements than fit in memory");
        };
        (self.claim)(bytes)?;
        Ok(vec![value; count])
    }

    /// A tensor of that shape, all `value`.
    pub(crate) fn tensor<T: Clone>(&self, shape: &[usize], value: T) -> Made<Dense<T>> {
        Ok(Dense { shape: shape.to_vec(), data: self.fill(count(shape)?, value)? })
    }
}

/// Most axes of a tensor.
const MOST_AXES: usize = 64;
/// Most that the sizes of an empty tensor may come to without those that are zero: loops run over them.
const MOST_EMPTY: usize = 1 << 24;

/// Room without an end, for tests.
#[cfg(test)]
pub(crate) fn boundless() -> Room<'static> {
    fn any(_: usize) -> Made<()> {
        Ok(())
    }
    Room::new(&any, &any)
}

/// The number of elements of a shape.
pub(crate) fn count(shape: &[usize]) -> Made<usize> {
    let product = shape.iter().filter(|dim| **dim != 0).try_fold(1_usize, |product, dim| product.checked_mul(*dim));
    match product {
        Some(product) if shape.len() <= MOST_AXES => {
            if !shape.contains(&0) {
                return Ok(product);
            }
            if product <= MOST_EMPTY {
                return Ok(0);
            }
        }
        _ => {}
    }
    if shape.len() > MOST_AXES {
        return misfit(format!("a tensor of {} axes is beyond what is computed", shape.len()));
    }
    misfit(format!("a tensor of shape {shape:?} does not fit in memory"))
}

/// An axis counted from the front; negative ones count from the back.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Made<usize> {
    let size = i64::try_from(rank).unwrap_or(i64::MAX);
    let found = if axis < 0 { axis.checked_add(size) } else { Some(axis) };
    match found.and_then(|axis| usize::try_from(axis).ok()) {
        Some(axis) if axis < rank => Ok(axis),
        _ => misfit(format!("axis {axis} is outside of a tensor of rank {rank}")),
    }
}

/// Steps `index` to the next position of `shape` in row-major order.
pub(crate) fn advance(index: &mut [usize], shape: &[usize]) {
    for (at, dim) in index.iter_mut().zip(shape).rev() {
        *at += 1;
        if *at < *dim {
            return;
        }
        *at = 0;
    }
}

/// A floating point type that kernels compute in.
pub(crate) trait Real: Float + FromPrimitive + Default + Send + Sync + std::iter::Sum + 'static {
    /// The nearest value of the type.
    fn of(value: f64) -> Self;
    /// The nearest value of the type.
    fn of_count(value: usize) -> Self;
    /// The same value.
    fn wide(self) -> f64;
}

impl Real for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the nearest value is wanted")]
    fn of(value: f64) -> Self {
        value as Self
    }
    #[expect(clippy::cast_precision_loss, reason = "the nearest value is wanted")]
    fn of_count(value: usize) -> Self {
        value as Self
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    #[expect(clippy::cast_precision_loss, reason = "the nearest value is wanted")]
    fn of_count(value: usize) -> Self {
        value as Self
    }
    fn wide(self) -> f64 {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_shape_with_huge_sizes_is_refused() {
        assert_eq!(count(&[3, 0, 5]), Ok(0));
        assert_eq!(count(&[]), Ok(1));
        assert!(count(&[1 << 40, 0]).is_err());
        assert!(count(&[1 << 40, 1 << 40]).is_err());
        assert!(count(&[1; 65]).is_err());
    }

    #[test]
    fn axes_at_the_ends_of_their_type_are_outside() {
        assert_eq!(axis_of(-1, 3), Ok(2));
        for axis in [i64::MIN, i64::MAX, 3, -4] {
            assert!(axis_of(axis, 3).is_err(), "{axis}");
        }
    }
}

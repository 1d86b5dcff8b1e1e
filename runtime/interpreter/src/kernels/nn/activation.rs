//! Functions of one value with parameters, and `PRelu`.

use super::plain::{Dense, Made, Real, Room, View, advance, must};

/// A function of one value. Where the formula would overflow or cancel on the way, the equal form that does not is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Activation {
    /// `x` above zero, else `alpha * (exp(x) - 1)`.
    Elu(f32),
    /// Scaled [`Self::Elu`]: `alpha`, `gamma`.
    Selu(f32, f32),
    /// `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`.
    Celu(f32),
    /// `alpha * x + beta` between 0 and 1.
    HardSigmoid(f32, f32),
    /// `x` times [`Self::HardSigmoid`] of a sixth and a half.
    HardSwish,
    /// `x` above zero, else `alpha * x`.
    LeakyRelu(f32),
    /// `x` above `alpha`, else zero.
    ThresholdedRelu(f32),
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x * tanh(softplus(x))`.
    Mish,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// The same by tanh.
    GeluTanh,
    /// `x * sigmoid(alpha * x)`.
    Swish(f32),
}

impl Activation {
    /// The function's value.
    pub(crate) fn of<T: Real>(self, x: T) -> T {
        let real = |value: f32| T::of(f64::from(value));
        let (zero, one) = (T::zero(), T::one());
        match self {
            Self::Elu(alpha) => {
                if x >= zero || x.is_nan() {
                    x
                } else {
                    real(alpha) * x.exp_m1()
                }
            }
            Self::Selu(alpha, gamma) => {
                if x > zero || x.is_nan() {
                    real(gamma) * x
                } else {
                    real(gamma) * (real(alpha) * x.exp_m1())
                }
            }
            Self::Celu(alpha) => {
                if x >= zero || x.is_nan() {
                    x
                } else {
                    real(alpha) * (x / real(alpha)).exp_m1()
                }
            }
            Self::HardSigmoid(alpha, beta) => clamp(real(alpha) * x + real(beta), zero, one),
            Self::HardSwish => x * clamp(x / T::of(6.0) + T::of(0.5), zero, one),
            Self::LeakyRelu(alpha) => {
                if x >= zero {
                    x
                } else {
                    real(alpha) * x
                }
            }
            Self::ThresholdedRelu(alpha) => {
                if x > real(alpha) {
                    x
                } else {
                    zero
                }
            }
            Self::Softplus => softplus(x),
            Self::Softsign => x / (one + x.abs()),
            Self::Mish => x * softplus(x).tanh(),
            Self::Gelu => {
                let x = x.wide();
                T::of(0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2))
            }
            Self::GeluTanh => {
                let x = x.wide();
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
                T::of(0.5 * x * (1.0 + inner.tanh()))
            }
            Self::Swish(alpha) => x * sigmoid(real(alpha) * x),
        }
    }
}

/// The logistic function.
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    if x >= T::zero() {
        T::one() / (T::one() + (-x).exp())
    } else {
        let power = x.exp();
        power / (T::one() + power)
    }
}

fn softplus<T: Real>(x: T) -> T {
    if x > T::zero() { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// Holds a value between two; NaN stays.
fn clamp<T: Real>(x: T, low: T, high: T) -> T {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

/// `BiasGelu` and `FastGelu` of ONNX Runtime: the function of input and bias added, the latter along the last axis.
pub(crate) fn biased(room: Room<'_>, x: View<'_, f32>, bias: View<'_, f32>, function: Activation) -> Made<Dense<f32>> {
    let width = x.shape.last().copied().unwrap_or(1);
    must!(bias.shape == [width], "a bias of shape {:?} does not fit an input of shape {:?}", bias.shape, x.shape);
    let mut out = room.tensor(x.shape, 0.0_f32)?;
    for (made, value) in out.data.iter_mut().zip(x.data.iter().zip(bias.data.iter().cycle())) {
        *made = function.of(value.0 + value.1);
    }
    Ok(out)
}

/// `PRelu`: negative values times a slope that is stretched to the input.
pub(crate) fn prelu<T: Copy + Default + PartialOrd>(
    room: Room<'_>,
    x: View<'_, T>,
    slope: View<'_, T>,
    times: impl Fn(T, T) -> T,
) -> Made<Dense<T>> {
    let fits = slope.rank() <= x.rank()
        && slope.shape.iter().rev().zip(x.shape.iter().rev()).all(|(slope, x)| slope == x || *slope == 1);
    must!(fits, "a slope of shape {:?} can not be stretched to {:?}", slope.shape, x.shape);
    let mut out = room.tensor(x.shape, T::default())?;
    let skip = x.rank() - slope.rank();
    let mut index = vec![0; x.rank()];
    for (made, value) in out.data.iter_mut().zip(x.data) {
        let dims = slope.shape.iter().zip(&index[skip..]);
        let at = dims.fold(0, |at, (dim, i)| at * dim + if *dim == 1 { 0 } else { *i });
        *made = if *value > T::default() { *value } else { times(*value, slope.data[at]) };
        advance(&mut index, x.shape);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_from_zero_nothing_overflows() {
        assert_eq!(Activation::Softplus.of(100.0_f32), 100.0);
        assert!(Activation::Softplus.of(-100.0_f32) > 0.0);
        assert_eq!(Activation::Mish.of(1000.0_f32), 1000.0);
        assert_eq!(sigmoid(-1000.0_f32), 0.0);
        assert_eq!(Activation::Elu(1.0).of(f32::NEG_INFINITY), -1.0);
    }

    #[test]
    fn nan_stays() {
        let all = [
            Activation::Elu(1.0),
            Activation::HardSigmoid(0.2, 0.5),
            Activation::LeakyRelu(0.1),
            Activation::Softplus,
            Activation::Gelu,
            Activation::Swish(1.0),
        ];
        for function in all {
            assert!(function.of(f32::NAN).is_nan(), "{function:?}");
        }
    }
}

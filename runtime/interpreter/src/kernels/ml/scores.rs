//! What classical models do with their scores at the end, as ONNX Runtime does it.

use crate::kernels::nn::plain::Real;

/// The attribute `post_transform`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transform {
    /// Scores as they are.
    #[default]
    None,
    /// The logistic function of each.
    Logistic,
    /// The softmax of a row.
    Softmax,
    /// The same, with scores of zero left out.
    SoftmaxZero,
    /// The inverse of the normal distribution.
    Probit,
}

impl Transform {
    /// The transform of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "NONE" => Self::None,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX" => Self::Softmax,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            _ => return None,
        })
    }

    /// Transforms a row of two or more scores.
    pub(crate) fn row<T: Real>(self, scores: &mut [T]) {
        match self {
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Softmax => softmax(scores),
            Self::SoftmaxZero => softmax_zero(scores),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
        }
    }
}

/// The logistic function, computed in float32.
pub(crate) fn logistic<T: Real>(value: T) -> T {
    let value = f32::of(value.wide());
    let part = 1.0 / (1.0 + (-value.abs()).exp());
    T::of(f64::from(if value < 0.0 { 1.0 - part } else { part }))
}

/// The inverse of the normal distribution, by the approximation (and the short constants) that ONNX Runtime takes.
#[expect(clippy::approx_constant, reason = "the constants are part of what is computed")]
pub(crate) fn probit<T: Real>(value: T) -> T {
    let x = 2.0 * f32::of(value.wide()) - 1.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (3.141_59 * 0.147) + 0.5 * log;
    let v2 = 1.0 / 0.147 * log;
    T::of(f64::from(1.414_213_5_f32 * (sign * (-v + (v * v - v2).sqrt()).sqrt())))
}

fn softmax<T: Real>(scores: &mut [T]) {
    let most = scores.iter().fold(T::min_value(), |most, score| if *score > most { *score } else { most });
    let mut sum = T::zero();
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum = sum + *score;
    }
    scores.iter_mut().for_each(|score| *score = *score / sum);
}

fn softmax_zero<T: Real>(scores: &mut [T]) {
    let most = scores.iter().fold(T::min_value(), |most, score| if *score > most { *score } else { most });
    let (tiny, rest) = (T::of(1e-7), (-most).exp());
    let mut sum = T::zero();
    for score in scores.iter_mut() {
        if score.abs() > tiny {
            *score = (*score - most).exp();
            sum = sum + *score;
        } else {
            *score = *score * rest;
        }
    }
    scores.iter_mut().for_each(|score| *score = *score / sum);
}

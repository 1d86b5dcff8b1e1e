//! The functions that gates may use.

use super::super::activation::sigmoid;

/// A function of a gate with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    /// `max(0, x)`.
    Relu,
    /// `tanh(x)`.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `alpha * x + beta`.
    Affine(f32, f32),
    /// `x` above zero, else `alpha * x`.
    LeakyRelu(f32),
    /// `x` from `alpha` on, else zero.
    ThresholdedRelu(f32),
    /// `alpha * tanh(beta * x)`.
    ScaledTanh(f32, f32),
    /// `alpha * x + beta` between 0 and 1.
    HardSigmoid(f32, f32),
    /// `x` above zero, else `alpha * (exp(x) - 1)`.
    Elu(f32),
    /// `x / (1 + |x|)`.
    Softsign,
    /// `ln(1 + exp(x))`.
    Softplus,
}

impl Function {
    /// The function of that name (in any case); takes its parameters from the lists as ONNX orders them.
    pub(crate) fn named(
        name: &str,
        alphas: &mut impl Iterator<Item = f32>,
        betas: &mut impl Iterator<Item = f32>,
    ) -> Option<Self> {
        let mut alpha = |default: f32| alphas.next().unwrap_or(default);
        let mut beta = |default: f32| betas.next().unwrap_or(default);
        Some(match name.to_ascii_lowercase().as_str() {
            "relu" => Self::Relu,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "affine" => Self::Affine(alpha(1.0), beta(0.0)),
            "leakyrelu" => Self::LeakyRelu(alpha(0.01)),
            "thresholdedrelu" => Self::ThresholdedRelu(alpha(1.0)),
            "scaledtanh" => Self::ScaledTanh(alpha(1.0), beta(1.0)),
            "hardsigmoid" => Self::HardSigmoid(alpha(0.2), beta(0.5)),
            "elu" => Self::Elu(alpha(1.0)),
            "softsign" => Self::Softsign,
            "softplus" => Self::Softplus,
            _ => return None,
        })
    }

    /// The function's value.
    pub(crate) fn of(self, x: f32) -> f32 {
        match self {
            Self::Relu => {
                if x > 0.0 || x.is_nan() {
                    x
                } else {
                    0.0
                }
            }
            Self::Tanh => x.tanh(),
            Self::Sigmoid => sigmoid(x),
            Self::Affine(alpha, beta) => alpha * x + beta,
            Self::LeakyRelu(alpha) => {
                if x >= 0.0 {
                    x
                } else {
                    alpha * x
                }
            }
            Self::ThresholdedRelu(alpha) => {
                if x > alpha {
                    x
                } else {
                    0.0
                }
            }
            Self::ScaledTanh(alpha, beta) => alpha * (beta * x).tanh(),
            Self::HardSigmoid(alpha, beta) => {
                let x = alpha * x + beta;
                if x.is_nan() { x } else { x.clamp(0.0, 1.0) }
            }
            Self::Elu(alpha) => {
                if x >= 0.0 {
                    x
                } else {
                    alpha * x.exp_m1()
                }
            }
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Softplus => {
                if x > 0.0 {
                    x + (-x).exp().ln_1p()
                } else {
                    x.exp().ln_1p()
                }
            }
        }
    }
}

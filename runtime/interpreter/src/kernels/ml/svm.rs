//! `SVMRegressor`, and how alike two rows are for its classifier too.

use super::trees::rows;
use crate::kernels::nn::plain::{Dense, Made, Room, View, must};

/// How alike two rows are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kernel {
    /// The inner product.
    Linear,
    /// `(gamma * product + coef0) ^ degree`.
    Poly { gamma: f32, coef0: f32, degree: f32 },
    /// `exp(-gamma * squared distance)`.
    Rbf { gamma: f32 },
    /// `tanh(gamma * product + coef0)`.
    Sigmoid { gamma: f32, coef0: f32 },
}

impl Kernel {
    pub(crate) fn of(self, a: &[f32], b: &[f32]) -> f32 {
        let product = || a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        match self {
            Self::Linear => product(),
            Self::Poly { gamma, coef0, degree } => (gamma * product() + coef0).powf(degree),
            Self::Rbf { gamma } => (-gamma * a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()).exp(),
            Self::Sigmoid { gamma, coef0 } => (gamma * product() + coef0).tanh(),
        }
    }
}

/// A regressor by support vectors; without vectors its coefficients are those of a linear one.
#[derive(Clone, Debug)]
pub(crate) struct SvmRegressor {
    pub(crate) kernel: Kernel,
    pub(crate) vectors: Vec<f32>,
    pub(crate) coefficients: Vec<f32>,
    pub(crate) rho: f32,
    /// 1 for what lies inside, -1 for what does not.
    pub(crate) one_class: bool,
    /// The number of vectors; none: linear.
    pub(crate) count: usize,
}

impl SvmRegressor {
    /// The number of features of a row.
    pub(crate) fn features(&self) -> usize {
        self.vectors.len().checked_div(self.count).unwrap_or(self.coefficients.len())
    }

    /// One target for each row.
    pub(crate) fn run(&self, room: Room<'_>, x: View<'_, f32>) -> Made<Dense<f32>> {
        let (rows, columns) = rows(x.shape)?;
        let features = self.features();
        must!(features > 0 && columns == features, "rows of {columns} features do not fit vectors of {features}");
        let mut out = room.tensor(&[rows, 1], 0.0_f32)?;
        for (out, row) in out.data.iter_mut().zip(x.data.chunks_exact(columns)) {
            room.work(self.vectors.len())?;
            let mut sum = if self.count == 0 {
                Kernel::Linear.of(row, &self.coefficients)
            } else {
                let vectors = self.vectors.chunks_exact(features).zip(&self.coefficients);
                vectors.map(|(vector, weight)| self.kernel.of(row, vector) * weight).sum()
            };
            sum += self.rho;
            *out = match self.one_class {
                true if sum > 0.0 => 1.0,
                true => -1.0,
                false => sum,
            };
        }
        Ok(out)
    }
}

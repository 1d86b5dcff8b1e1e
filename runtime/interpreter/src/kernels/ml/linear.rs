//! `LinearRegressor` and `LinearClassifier`.

use super::scores::{Transform, logistic, probit};
use super::trees::rows;
use crate::kernels::nn::gemm::{Product, transposed};
use crate::kernels::nn::plain::{Dense, Made, Room, View, must};

/// Scores that are weighted sums of the features.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// Features x scores.
    weights: Vec<f32>,
    intercepts: Vec<f32>,
    features: usize,
    scores: usize,
}

impl Linear {
    /// From `coefficients` (scores x features) and as many intercepts as scores, or none.
    pub(crate) fn new(coefficients: &[f32], intercepts: &[f32], scores: usize) -> Made<Self> {
        let fits = scores > 0 && !coefficients.is_empty() && coefficients.len().is_multiple_of(scores);
        must!(fits, "{} coefficients do not fit {scores} scores", coefficients.len());
        let fits = intercepts.is_empty() || intercepts.len() == scores;
        must!(fits, "{} intercepts do not fit {scores} scores", intercepts.len());
        let features = coefficients.len() / scores;
        let mut intercepts = intercepts.to_vec();
        intercepts.resize(scores, 0.0);
        Ok(Self { weights: transposed(scores, features, coefficients), intercepts, features, scores })
    }

    fn sums(&self, room: Room<'_>, x: View<'_, f32>) -> Made<Dense<f32>> {
        let (rows, columns) = rows(x.shape)?;
        must!(columns == self.features, "rows of {columns} features do not fit {} coefficients", self.features);
        let mut out = room.tensor(&[rows, self.scores], 0.0_f32)?;
        f32::product(room, [rows, columns, self.scores], x.data, &self.weights, &mut out.data)?;
        for row in out.data.chunks_exact_mut(self.scores) {
            row.iter_mut().zip(&self.intercepts).for_each(|(sum, intercept)| *sum += intercept);
        }
        Ok(out)
    }

    /// `LinearRegressor`: the scores of each row.
    pub(crate) fn regress(&self, room: Room<'_>, x: View<'_, f32>, transform: Transform) -> Made<Dense<f32>> {
        let mut out = self.sums(room, x)?;
        for row in out.data.chunks_exact_mut(self.scores) {
            match (self.scores, transform) {
                (1, Transform::Probit) => row[0] = probit(row[0]),
                (1, Transform::None) => {}
                (_, transform) => transform.row(row),
            }
        }
        Ok(out)
    }

    /// `LinearClassifier`: the place of each row's class in the list of labels, and the scores of the classes.
    ///
    /// One score stands for two classes.
    pub(crate) fn classify(
        &self,
        room: Room<'_>,
        x: View<'_, f32>,
        transform: Transform,
    ) -> Made<(Vec<usize>, Dense<f32>)> {
        let sums = self.sums(room, x)?;
        let rows = sums.shape[0];
        let mut places = room.fill(rows, 0_usize)?;
        if self.scores > 1 {
            let mut out = sums;
            for (row, place) in out.data.chunks_exact_mut(self.scores).zip(&mut places) {
                for (at, score) in row.iter().enumerate() {
                    if *score > row[*place] {
                        *place = at;
                    }
                }
                transform.row(row);
            }
            return Ok((places, out));
        }
        let mut out = room.tensor(&[rows, 2], 0.0_f32)?;
        for ((row, sum), place) in out.data.chunks_exact_mut(2).zip(&sums.data).zip(&mut places) {
            *place = usize::from(*sum > 0.0);
            let scores =
                if transform == Transform::Logistic { [logistic(-sum), logistic(*sum)] } else { [1.0 - sum, *sum] };
            row.copy_from_slice(&scores);
        }
        Ok((places, out))
    }
}

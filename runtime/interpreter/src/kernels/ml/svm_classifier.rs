//! `SVMClassifier`, as ONNX Runtime computes it.

use super::scores::{Transform, logistic};
use super::svm::Kernel;
use super::trees::rows;
use crate::kernels::nn::plain::{Dense, Made, Room, View, must};

/// A classifier by support vectors: each pair of classes has a score, which is a vote for one of them. Without vectors each
/// class has a linear score.
#[derive(Clone, Debug)]
pub(crate) struct SvmClassifier {
    pub(crate) kernel: Kernel,
    /// The number of classes, two or more.
    pub(crate) classes: usize,
    /// How many vectors each class has; none: linear.
    pub(crate) counts: Vec<usize>,
    pub(crate) vectors: Vec<f32>,
    /// Of vectors: (classes - 1) x vectors. Else classes x features.
    pub(crate) coefficients: Vec<f32>,
    /// One for each pair; linear: one.
    pub(crate) rho: Vec<f32>,
    /// Slope and offset of each pair's probability, or none.
    pub(crate) probabilities: Vec<(f32, f32)>,
    pub(crate) transform: Transform,
}

/// How far from certain a pair's probability is kept.
const LEAST: f32 = 1.0e-7;
/// Rounds of the search for the probabilities of several classes.
const ROUNDS: usize = 100;

impl SvmClassifier {
    const fn pairs(classes: usize) -> usize {
        classes * classes.saturating_sub(1) / 2
    }

    /// Why the parts do not fit together, if they do not.
    pub(crate) fn misfit(&self) -> Option<String> {
        let (classes, vectors) =
            (self.classes, self.counts.iter().fold(0_usize, |sum, count| sum.saturating_add(*count)));
        let pairs = Self::pairs(classes);
        let fits = if self.counts.is_empty() {
            !self.coefficients.is_empty() && self.coefficients.len().is_multiple_of(classes) && self.rho.len() == 1
        } else {
            self.counts.len() == classes
                && vectors > 0
                && !self.vectors.is_empty()
                && self.vectors.len().is_multiple_of(vectors)
                && Some(self.coefficients.len()) == vectors.checked_mul(classes - 1)
                && self.rho.len() == pairs
                && (self.probabilities.is_empty() || self.probabilities.len() == pairs)
        };
        (!fits).then(|| format!("its vectors, coefficients and rho do not fit {classes} classes"))
    }

    fn features(&self) -> usize {
        match self.counts.iter().sum::<usize>() {
            0 => self.coefficients.len() / self.classes,
            vectors => self.vectors.len() / vectors,
        }
    }

    /// The number of scores of a row: of classes, or of pairs where there are no probabilities.
    fn width(&self) -> usize {
        match (self.counts.is_empty() || !self.probabilities.is_empty(), self.classes) {
            (true, classes) => classes,
            (false, 2) => 2,
            (false, classes) => Self::pairs(classes),
        }
    }

    /// The place of each row's class in the list of labels, and the scores.
    pub(crate) fn run(&self, room: Room<'_>, x: View<'_, f32>) -> Made<(Vec<usize>, Dense<f32>)> {
        let (rows, columns) = rows(x.shape)?;
        let features = self.features();
        must!(features > 0 && columns == features, "rows of {columns} features do not fit vectors of {features}");
        let width = self.width();
        let mut places = room.fill(rows, 0_usize)?;
        let mut out = room.tensor(&[rows, width], 0.0_f32)?;
        let mut scratch = Scratch {
            likeness: room.fill(self.counts.iter().sum::<usize>(), 0.0_f32)?,
            pairs: room.fill(Self::pairs(self.classes), 0.0_f32)?,
            votes: room.fill(self.classes, 0_usize)?,
            square: room
                .fill(if self.probabilities.is_empty() { 0 } else { self.classes * self.classes * 2 }, 0.0_f32)?,
        };
        for ((row, out), place) in x.data.chunks_exact(columns).zip(out.data.chunks_exact_mut(width)).zip(&mut places) {
            room.work(self.vectors.len().saturating_add(self.coefficients.len()))?;
            *place =
                if self.counts.is_empty() { self.linear(row, out) } else { self.voted(room, row, out, &mut scratch)? };
        }
        Ok((places, out))
    }

    /// Linear scores, and the best class.
    fn linear(&self, row: &[f32], out: &mut [f32]) -> usize {
        let rho = self.rho.first().copied().unwrap_or_default();
        for (out, coefficients) in out.iter_mut().zip(self.coefficients.chunks_exact(row.len())) {
            *out = Kernel::Linear.of(row, coefficients) + rho;
        }
        let mut best = 0;
        for (at, score) in out.iter().enumerate() {
            if *score > out[best] {
                best = at;
            }
        }
        let most = out[best];
        let positive = self.coefficients.iter().all(|coefficient| *coefficient >= 0.0);
        // Of two classes ONNX Runtime takes the second one wherever the higher score speaks for anything at all.
        if self.classes == 2 && (if positive { most >= 0.5 } else { most > 0.0 }) {
            best = 1;
        }
        self.transform.row(out);
        best
    }

    /// The scores of pairs, or the probabilities of classes, and the class with the most votes.
    fn voted(&self, room: Room<'_>, row: &[f32], out: &mut [f32], scratch: &mut Scratch) -> Made<usize> {
        let Scratch { likeness, pairs, votes, square } = scratch;
        for (likeness, vector) in likeness.iter_mut().zip(self.vectors.chunks_exact(row.len())) {
            *likeness = self.kernel.of(row, vector);
        }
        votes.fill(0);
        let vectors = likeness.len();
        let (mut pair, mut first) = (0, 0);
        for i in 0..self.classes {
            let mut second = first + self.counts[i];
            for j in i + 1..self.classes {
                let mut sum = 0.0_f64;
                let mut add = |line: usize, start: usize, count: usize| {
                    let weights = &self.coefficients[line * vectors + start..][..count];
                    for (weight, likeness) in weights.iter().zip(&likeness[start..][..count]) {
                        sum += f64::from(weight * likeness);
                    }
                };
                add(j - 1, first, self.counts[i]);
                add(i, second, self.counts[j]);
                sum += f64::from(self.rho[pair]);
                #[expect(clippy::cast_possible_truncation, reason = "ONNX Runtime keeps the sum in float32")]
                let score = sum as f32;
                pairs[pair] = score;
                votes[if sum > 0.0 { i } else { j }] += 1;
                second += self.counts[j];
                pair += 1;
            }
            first += self.counts[i];
        }
        let mut best = 0;
        for (at, count) in votes.iter().enumerate() {
            if *count > votes[best] {
                best = at;
            }
        }
        if !self.probabilities.is_empty() {
            self.probable(room, pairs, square, out)?;
            self.transform.row(out);
        } else if self.classes == 2 {
            let score = pairs[0];
            out.copy_from_slice(&match self.transform {
                Transform::None => [-score, score],
                Transform::Logistic => [logistic(-score), logistic(score)],
                _ => [1.0 - score, score],
            });
        } else {
            out.copy_from_slice(pairs);
            self.transform.row(out);
        }
        Ok(best)
    }

    /// The probabilities of classes from those of pairs (Wu, Lin and Weng 2004, their second approach), in ONNX Runtime's
    /// order of sums.
    fn probable(&self, room: Room<'_>, pairs: &[f32], square: &mut [f32], p: &mut [f32]) -> Made<()> {
        let classes = self.classes;
        let (r, q) = square.split_at_mut(classes * classes);
        let mut pair = 0;
        for i in 0..classes {
            for j in i + 1..classes {
                let (slope, offset) = self.probabilities[pair];
                // NaN goes through, as in C++.
                let value = (1.0 - logistic(pairs[pair] * slope + offset)).clamp(LEAST, 1.0 - LEAST);
                r[i * classes + j] = value;
                r[j * classes + i] = 1.0 - value;
                pair += 1;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of classes")]
        let count = classes as f32;
        p.fill(1.0 / count);
        q.fill(0.0);
        for i in 0..classes {
            for j in (0..classes).filter(|j| *j != i) {
                q[i * classes + i] += r[j * classes + i] * r[j * classes + i];
                q[i * classes + j] = if j < i { q[j * classes + i] } else { -r[j * classes + i] * r[i * classes + j] };
            }
        }
        let mut products = vec![0.0_f32; classes];
        for _ in 0..ROUNDS {
            room.work(classes * classes * 4)?;
            let mut whole = 0.0_f32;
            for i in 0..classes {
                products[i] = 0.0;
                for j in 0..classes {
                    products[i] += q[i * classes + j] * p[j];
                }
                whole += p[i] * products[i];
            }
            let error = products
                .iter()
                .map(|product| (product - whole).abs())
                .fold(0.0_f32, |most, error| if error > most { error } else { most });
            if error < 0.005 / count {
                break;
            }
            for i in 0..classes {
                let own = q[i * classes + i];
                let step = (-products[i] + whole) / own;
                p[i] += step;
                whole = (whole + step * (step * own + 2.0 * products[i])) / (1.0 + step) / (1.0 + step);
                for j in 0..classes {
                    products[j] = (products[j] + step * q[i * classes + j]) / (1.0 + step);
                    p[j] /= 1.0 + step;
                }
            }
        }
        Ok(())
    }
}

/// What a row needs beside its result.
struct Scratch {
    likeness: Vec<f32>,
    pairs: Vec<f32>,
    votes: Vec<usize>,
    square: Vec<f32>,
}

//! `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble`: forests and what is made of their answers.

use super::forest::Forest;
use super::scores::{Transform, logistic, probit};
use crate::kernels::nn::plain::{Dense, Made, Real, Room, View, count, misfit, must};

/// How the answers of trees become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Aggregate {
    /// The sum.
    #[default]
    Sum,
    /// The mean over all trees.
    Average,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// Rows and columns of a table; one row may come without its axis.
pub(crate) fn rows(shape: &[usize]) -> Made<(usize, usize)> {
    match *shape {
        [columns] => Ok((1, columns)),
        [rows, columns] => Ok((rows, columns)),
        _ => misfit(format!("a table of rows and columns is wanted, not the shape {shape:?}")),
    }
}

fn checked<T: Real>(forest: &Forest<T>, shape: &[usize]) -> Made<(usize, usize)> {
    let (rows, columns) = rows(shape)?;
    let needed = forest.features().max(1);
    must!(columns >= needed, "the forest asks for {needed} features, but a row has {columns}");
    Ok((rows, columns))
}

/// A forest whose targets are numbers.
#[derive(Clone, Debug)]
pub(crate) struct Regressor<T> {
    pub(crate) forest: Forest<T>,
    pub(crate) aggregate: Aggregate,
    /// None, or one for each target.
    pub(crate) base: Vec<T>,
    pub(crate) transform: Transform,
}

impl<T: Real> Regressor<T> {
    /// The targets of each row.
    pub(crate) fn run(&self, room: Room<'_>, x: View<'_, T>) -> Made<Dense<T>> {
        let (rows, columns) = checked(&self.forest, x.shape)?;
        let targets = self.forest.targets();
        let mut out = room.tensor(&[rows, targets], T::zero())?;
        let mut seen = vec![false; targets];
        for (row, out) in x.data.chunks_exact(columns).zip(out.data.chunks_exact_mut(targets)) {
            seen.fill(false);
            self.forest.answers(room, row, |weights| {
                for weight in weights {
                    let (sum, seen) = (&mut out[weight.target], &mut seen[weight.target]);
                    *sum = match self.aggregate {
                        Aggregate::Sum | Aggregate::Average => *sum + weight.value,
                        Aggregate::Min if !*seen || weight.value < *sum => weight.value,
                        Aggregate::Max if !*seen || weight.value > *sum => weight.value,
                        Aggregate::Min | Aggregate::Max => *sum,
                    };
                    *seen = true;
                }
            })?;
            if self.aggregate == Aggregate::Average {
                let trees = T::of_count(self.forest.trees());
                out.iter_mut().for_each(|sum| *sum = *sum / trees);
            }
            out.iter_mut().zip(&self.base).for_each(|(sum, base)| *sum = *sum + *base);
            match (targets, self.transform) {
                // ONNX Runtime transforms one target alone by this one only.
                (1, Transform::Probit) => out[0] = probit(out[0]),
                (1, _) => {}
                (_, transform) => transform.row(out),
            }
        }
        Ok(out)
    }
}

/// A forest whose targets are classes.
#[derive(Clone, Debug)]
pub(crate) struct Classifier<T> {
    pub(crate) forest: Forest<T>,
    /// None, or one for each class (one in all where there are two classes).
    pub(crate) base: Vec<T>,
    pub(crate) transform: Transform,
    pub(crate) kind: Classes,
}

/// How scores become a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Classes {
    /// Two classes by one score, whose weights all belong to the first place: `positive` where no weight is below zero,
    /// so that scores are parts of one.
    OneScore {
        /// Scores are parts of one.
        positive: bool,
    },
    /// The same, with the weights in the second place.
    SecondScore {
        /// Scores are parts of one.
        positive: bool,
    },
    /// Two classes with a score each, of which the second one's sign decides.
    Second,
    /// The class with the highest score.
    Most,
}

impl<T: Real> Classifier<T> {
    /// The place of each row's class in the list of labels, and the scores, widened to `classes`.
    pub(crate) fn run(&self, room: Room<'_>, x: View<'_, T>) -> Made<(Vec<usize>, Dense<f32>)> {
        let (rows, columns) = checked(&self.forest, x.shape)?;
        let classes = self.forest.targets();
        count(&[rows, classes])?;
        let mut places = room.fill(rows, 0_usize)?;
        let mut out = room.tensor(&[rows, classes], 0.0_f32)?;
        let mut sums = vec![T::zero(); classes];
        let mut seen = vec![false; classes];
        let parts = x.data.chunks_exact(columns).zip(out.data.chunks_exact_mut(classes)).zip(&mut places);
        for ((row, out), place) in parts {
            sums.fill(T::zero());
            seen.fill(false);
            self.forest.answers(room, row, |weights| {
                for weight in weights {
                    sums[weight.target] = sums[weight.target] + weight.value;
                    seen[weight.target] = true;
                }
            })?;
            *place = self.finish(&mut sums, &seen)?;
            out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = f32::of(sum.wide()));
        }
        Ok((places, out))
    }

    fn finish(&self, sums: &mut [T], seen: &[bool]) -> Made<usize> {
        let limit = |positive: bool| if positive { T::of(0.5) } else { T::zero() };
        match self.kind {
            Classes::OneScore { positive } => {
                let sum = sums[0] + self.base.first().copied().unwrap_or_default();
                let first = if positive { T::one() - sum } else { -sum };
                let (first, second) = match self.transform {
                    Transform::Logistic => (logistic(-sum), logistic(sum)),
                    _ => (first, sum),
                };
                sums.copy_from_slice(&[first, second]);
                Ok(usize::from(sum > limit(positive)))
            }
            Classes::SecondScore { positive } => {
                let place = usize::from(sums[1] > limit(positive));
                self.transform.row(sums);
                Ok(place)
            }
            Classes::Second => {
                let place = usize::from(sums[1] > T::zero());
                self.transform.row(sums);
                Ok(place)
            }
            Classes::Most => {
                sums.iter_mut().zip(&self.base).for_each(|(sum, base)| *sum = *sum + *base);
                let mut best: Option<usize> = None;
                for (place, sum) in sums.iter().enumerate() {
                    if (seen[place] || !self.base.is_empty()) && best.is_none_or(|best| *sum > sums[best]) {
                        best = Some(place);
                    }
                }
                let Some(best) = best else { return misfit("no tree gives any class a score") };
                self.transform.row(sums);
                Ok(best)
            }
        }
    }
}

//! How long a model takes, and whether running rows together pays: measured when it is warmed up.

use std::time::{Duration, Instant};

use trackside_models::{Model, Output};
use trackside_sync::CancelToken;

use crate::batch::{self, Inputs};

/// Rows that are tried together.
const SIZES: [u32; 2] = [8, 32];
/// The longest that it may take, about, before the first request is answered: a slow model is run once and no more.
pub(crate) const AT_FIRST: Duration = Duration::from_millis(20);
/// The same beside the requests, of a model that was too slow for the above.
pub(crate) const BESIDE: Duration = Duration::from_millis(500);
/// Of several runs the quickest counts: what else the box does makes them slower, never quicker.
const RUNS: usize = 3;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// One run of one row, or of the whole input where it can not be cut.
    pub alone: Duration,
    /// Elements of its inputs.
    pub elements: u64,
    /// Runs of several rows: how many, and how long. Empty where rows can not be joined, or one takes too long to try.
    pub together: Vec<(u32, Duration)>,
    /// Whether a row gives the same bits in company; `None` where it was not tried.
    pub same: Option<bool>,
    /// Whether several rows were not tried yet: that would have taken longer than whoever waits for the model should wait.
    pub cut_short: bool,
}

impl Measured {
    /// The number of rows at which one row costs least, where that is less than two thirds of what it costs alone.
    #[must_use]
    pub fn pays_at(&self) -> Option<u32> {
        let each = |(rows, time): &(u32, Duration)| time.as_nanos() / u128::from(*rows).max(1);
        let best = self.together.iter().min_by_key(|one| each(one))?;
        (self.same != Some(false) && each(best) * 3 < self.alone.as_nanos() * 2).then_some(best.0)
    }
}

/// Runs a model that was just loaded, on the input that it was tested with; `None` where there is none.
pub(crate) fn measure(model: &Model, longest: Duration) -> Option<Measured> {
    let inputs: Inputs = model.tried().to_vec();
    if inputs.is_empty() {
        return None;
    }
    let began = Instant::now();
    // Any number of rows, in every input: else there is nothing to join.
    let is_open = |shape: &Option<Vec<Option<u32>>>| shape.as_ref().is_none_or(|dims| dims.first() == Some(&None));
    let can_join = model.info().inputs.iter().all(|port| is_open(&port.shape));
    let row = can_join.then(|| first_row(&inputs)).flatten();
    let base = row.as_ref().unwrap_or(&inputs);
    let (alone, outputs) = quickest(model, base, began, longest)?;
    let (mut together, mut same, mut cut_short) = (Vec::new(), None, false);
    if row.is_some() {
        for rows in SIZES {
            if began.elapsed() + alone * rows > longest {
                cut_short = true;
                break;
            }
            let copies = vec![base; rows as usize];
            let Some((time, whole)) = batch::join(&copies).and_then(|joined| quickest(model, &joined, began, longest))
            else {
                break;
            };
            let ones = vec![1; rows as usize];
            let is_same = whole.iter().zip(&outputs).all(|((_, whole), (_, one))| {
                let parts = batch::split(whole, &ones);
                parts.is_some_and(|parts| parts.iter().all(|part| part == one))
            });
            same = Some(is_same && same != Some(false));
            together.push((rows, time));
        }
    }
    Some(Measured { alone, elements: elements(base), together, same, cut_short })
}

/// How many elements inputs have together.
pub(crate) fn elements(inputs: &Inputs) -> u64 {
    inputs.iter().map(|(_, tensor)| tensor.len() as u64).sum()
}

fn first_row(inputs: &Inputs) -> Option<Inputs> {
    let rows = batch::rows(inputs)?;
    let cut = inputs.iter().map(|(name, tensor)| {
        let parts = batch::split(&Output::Tensor(tensor.clone()), &[1, rows.checked_sub(1)?])?;
        Some((name.clone(), parts.into_iter().next()?.into_tensor()?))
    });
    cut.collect()
}

/// The shortest of a few runs, and what came of it; `None` when it fails.
fn quickest(
    model: &Model,
    inputs: &Inputs,
    began: Instant,
    longest: Duration,
) -> Option<(Duration, Vec<(String, Output)>)> {
    let mut best = None;
    for _ in 0..RUNS {
        let now = Instant::now();
        let ran = model.run(inputs.clone(), &[], Some(now + Duration::from_secs(60)), &CancelToken::new()).ok()?;
        let took = now.elapsed();
        if best.as_ref().is_none_or(|(quickest, _)| took < *quickest) {
            best = Some((took, ran.outputs));
        }
        // The rest is for several rows; a run that takes that long is timed well enough by one.
        if began.elapsed() * 4 > longest {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(together: &[(u32, u64)], same: bool) -> Measured {
        let together = together.iter().map(|(rows, us)| (*rows, Duration::from_micros(*us))).collect();
        Measured { alone: Duration::from_micros(100), elements: 1, together, same: Some(same), cut_short: false }
    }

    #[test]
    fn batching_is_suggested_where_it_pays() {
        assert_eq!(measured(&[(8, 400), (32, 1_000)], true).pays_at(), Some(32));
        assert_eq!(measured(&[(8, 400), (32, 3_000)], true).pays_at(), Some(8));
        assert_eq!(measured(&[(8, 700), (32, 2_400)], true).pays_at(), None);
        assert_eq!(measured(&[(8, 100)], false).pays_at(), None, "other bits are another answer");
        assert_eq!(measured(&[], true).pays_at(), None);
    }
}

//! Sensors that stand still.

use crate::sketch::{NumericColumn, RunLength};
use crate::special::count;

use super::outcome::{Outcome, Tested, Unsaid, enough};

const FEWEST_REFERENCE: u64 = 50;

/// Is a value repeated for longer than the reference ever did, and than chance explains?
///
/// With q the reference's rate of repeats, the chance of a run of k or more somewhere in n values is at most n q^(k-1) (union over where it
/// begins). A sensor of few steps has long runs that hang together, so a run also counts only when it is three times the reference's
/// longest. Assumes: repeats are no likelier later in a run than at its start; else p is too small, and the second rule is what holds.
/// Effect: the length of the run. A reference of all the same value gives [`Unsaid::Constant`]: nothing can be stuck there.
#[must_use]
pub fn stuck(reference: &RunLength, window: &RunLength) -> Outcome {
    if let Some(outcome) = enough(reference.values(), window.values(), FEWEST_REFERENCE, 1) {
        return outcome;
    }
    if reference.longest() >= reference.values() {
        return Outcome::Unsaid(Unsaid::Constant);
    }
    let n = count(window.values().max(window.longest()));
    let log_rate = reference.repeat_rate().ln();
    let usual = count(reference.longest()) * 3.0;
    let length = count(window.longest());
    let chance = (n.ln() + (length - 1.0) * log_rate).exp().min(1.0);
    Outcome::Tested(Tested {
        effect: length,
        critical: (1.0 + ((0.05 / n).ln() / log_rate)).ceil().max(usual),
        p: if length > usual { chance } else { 1.0 },
    })
}

/// Does a value hardly move any more?
///
/// All of the window lies in two cells beside each other. If nothing has moved, that has at most the chance of the sum, over all such
/// pairs, of the reference's share in them to the power of the window's rows: no law of the values is assumed, so heavy tails do no harm
/// (a ratio of variances alarms there all the time). Assumes: independent rows; ones that hang together make p too small, so watch the
/// effect. Effect: the ratio of standard deviations; below 0.5 is worth an alarm, and stands as `critical`.
#[must_use]
pub fn flat(reference: &NumericColumn, window: &NumericColumn) -> Outcome {
    let (then, now) = (reference.histogram(), window.histogram());
    if let Some(outcome) = enough(then.finite(), now.finite(), FEWEST_REFERENCE, 10) {
        return outcome;
    }
    let (Some(usual), Some(seen)) = (reference.moments().variance(), window.moments().variance()) else {
        return Outcome::Unsaid(Unsaid::TooFewRows { have: now.finite(), need: 10 });
    };
    if usual <= 0.0 {
        return Outcome::Unsaid(Unsaid::Constant);
    }
    let held = |cell: &u64| *cell > 0;
    let (first, last) = (now.cells().iter().position(held), now.cells().iter().rposition(held));
    let narrow = first.zip(last).is_some_and(|(first, last)| last <= first + 1);
    let (rows, cells) = (count(now.finite()), count(then.cells().len() as u64));
    let share =
        |pair: &[u64]| pair.iter().map(|cell| count(*cell) + 0.5).sum::<f64>() / (count(then.finite()) + 0.5 * cells);
    let chance: f64 = then.cells().windows(2).map(|pair| share(pair).min(1.0).powf(rows)).sum();
    Outcome::Tested(Tested {
        effect: (seen / usual).sqrt(),
        critical: 0.5,
        p: if narrow { chance.min(1.0) } else { 1.0 },
    })
}

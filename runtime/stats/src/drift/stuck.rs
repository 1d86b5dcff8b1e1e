//! Sensors that stand still.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::sketch::{Moments, RunLength};
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
/// The window's variance against the reference's: (m - 1) s^2 / sigma^2 is chi-squared with m - 1 degrees of freedom, its lower tail the
/// p-value. Assumes: independent values of a normal law with a variance that the reference knows well; rows that hang together make p too
/// small, so watch the effect. Effect: the ratio of standard deviations, 0 to 1 and above; below 0.5 is worth an alarm.
#[must_use]
pub fn flat(reference: &Moments, window: &Moments) -> Outcome {
    if let Some(outcome) = enough(reference.values(), window.values(), FEWEST_REFERENCE, 10) {
        return outcome;
    }
    let (Some(usual), Some(seen)) = (reference.variance(), window.variance()) else {
        return Outcome::Unsaid(Unsaid::TooFewRows { have: window.values(), need: 10 });
    };
    if usual <= 0.0 {
        return Outcome::Unsaid(Unsaid::Constant);
    }
    let freedom = count(window.values() - 1);
    let Ok(law) = ChiSquared::new(freedom) else { return Outcome::Unsaid(Unsaid::Constant) };
    Outcome::Tested(Tested {
        effect: (seen / usual).sqrt(),
        critical: (law.inverse_cdf(0.05) / freedom).sqrt(),
        p: law.cdf(freedom * seen / usual).clamp(0.0, 1.0),
    })
}
